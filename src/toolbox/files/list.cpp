// GET /files and /files/info.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "toolbox/files/file_error.h"
#include "toolbox/files/file_info.h"
#include "toolbox/files/json_stream.h"
#include "toolbox/files/operations.h"
#include "toolbox/files/tree.h"

namespace sebring::toolbox::files {
namespace {

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

std::string_view base_name(std::string_view path) {
  path = without_slashes(path);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

Result<int> depth_parameter(const Request& request) {
  const auto text = request.parameter("depth");
  if (!text || text->empty()) return 1;
  int depth = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), depth);
  if (error != std::errc() || end != text->data() + text->size() || depth < 1) {
    return fail(Errc::invalid_argument, "depth must be a positive number");
  }
  return depth;
}

}  // namespace

Result<void> list(const Request& request, BodyReader& /*body*/, Responder& responder) {
  Request with_default = request;
  if (request.parameter("path").value_or("").empty()) with_default.query = {{"path", "."}};
  SB_TRY(std::string path, path_parameter(with_default, "path"));
  if (path.ends_with("/.")) path.resize(path.size() - 2);
  if (path.empty()) path = "/";
  SB_TRY(const int depth, depth_parameter(request));
  const bool with_path = !request.plain_fields;
  JsonStream entries(responder, "[");
  SB_CHECK(walk(path, without_slashes(path), [&](const Visited& entry) {
    append_file_info(entries.next(), entry.name, with_path ? entry.path : std::string_view(), entry.status);
    return entry.level < depth ? Visit::go_on : Visit::skip;
  }));
  entries.finish("]");
  return {};
}

Result<void> info(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) {
    // A link that leads nowhere is something too.
    const int error = errno;
    if (::lstat(path.c_str(), &status) < 0 || error == ELOOP) return fail_file(error, path);
  }
  std::string text;
  append_file_info(text, base_name(path), request.plain_fields ? std::string_view() : without_slashes(path), status);
  responder.respond_json(200, std::move(text));
  return {};
}

}  // namespace sebring::toolbox::files
