// GET /files and /files/info.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <thread>

#include "toolbox/error_body.h"
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

// A directory's own entries need nothing of each other, and most of the work is the kernel's: large ones are looked at
// by two threads.
constexpr std::size_t kAloneMax = 512;
constexpr std::size_t kBlock = 4096;  // rendered before any of it is sent; small enough to stay in the cache

struct Folder {
  int directory;
  std::string path;  // as append_entry_info wants it
};

// Entries begin to end, each with a comma in front. What has vanished meanwhile is left out.
std::string render(const Folder& folder, const std::vector<std::string>& names, std::size_t begin, std::size_t end) {
  std::string text;
  text.reserve((end - begin) * 256);
  for (std::size_t i = begin; i < end; ++i) {
    struct stat status{};
    if (::fstatat(folder.directory, names[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    text += ',';
    append_entry_info(text, names[i], folder.path, status);
  }
  return text;
}

std::string render_with_help(const Folder& folder, const std::vector<std::string>& names, std::size_t begin,
                             std::size_t end) {
  if (end - begin <= kAloneMax) return render(folder, names, begin, end);
  const std::size_t middle = begin + (end - begin) / 2;
  std::string second;
  std::thread helper;
  try {
    helper = std::thread([&] { second = render(folder, names, middle, end); });
  } catch (const std::system_error&) {  // the sandbox has no process left to give
    return render(folder, names, begin, end);
  }
  std::string text = render(folder, names, begin, middle);
  helper.join();
  return text += second;
}

Result<void> list_flat(const std::string& path, bool with_path, Responder& responder) {
  SB_TRY(const UniqueFd directory, open_directory(path));
  SB_TRY(const std::vector<std::string> names, read_names(directory.get()));
  Folder folder{directory.get(), {}};
  if (with_path) {
    append_json_string(folder.path, path.ends_with('/') ? path : path + "/");
    folder.path.pop_back();
  }
  JsonStream entries(responder, "[");
  for (std::size_t begin = 0; begin < names.size(); begin += kBlock) {
    const std::string text = render_with_help(folder, names, begin, std::min(names.size(), begin + kBlock));
    if (!text.empty()) entries.next() += std::string_view(text).substr(1);
  }
  entries.finish("]");
  return {};
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
  if (depth == 1) return list_flat(std::string(without_slashes(path)), with_path, responder);
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
