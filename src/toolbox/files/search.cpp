// GET /files/find, GET /files/search and POST /files/replace.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <memory>

#include "json/json.h"
#include "toolbox/error_body.h"
#include "toolbox/files/file_error.h"
#include "toolbox/files/file_writer.h"
#include "toolbox/files/glob.h"
#include "toolbox/files/json_stream.h"
#include "toolbox/files/line_search.h"
#include "toolbox/files/operations.h"
#include "toolbox/files/tree.h"
#include "toolbox/paths.h"

namespace sebring::toolbox::files {
namespace {

// What one answer holds at most; more is of no use to a reader, and a client keeps all of it in memory.
constexpr std::size_t kMatchesMax = 100'000;
constexpr std::size_t kBodyBytesMax = 32 << 20;
constexpr std::size_t kInPlaceBytesMax = 64 << 20;

// The path below which results are named: as the client wrote it, without "./" and a slash at the end.
std::string shown_root(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  while (path.starts_with("./")) path.remove_prefix(2);
  return path == "." ? "" : std::string(path);
}

Result<std::string> pattern_parameter(const Request& request) {
  const auto pattern = request.parameter("pattern");
  if (!pattern || pattern->empty()) return fail(Errc::invalid_argument, "pattern is required");
  return std::string(*pattern);
}

UniqueFd open_plain_below(int parent, const char* name) {
  UniqueFd file(::openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status{};
  if (file && (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode))) file.reset();
  return file;
}

void find_in_file(UniqueFd file, std::string_view shown, const std::string& pattern, JsonStream& matches) {
  search_lines(file.get(), pattern, [&](std::uint64_t line, std::string_view content) {
    std::string& text = matches.next();
    text += "{\"file\":";
    append_json_string(text, shown);
    text += ",\"line\":" + std::to_string(line) + ",\"content\":";
    append_json_string(text, content);
    text += '}';
    return matches.count() < kMatchesMax;
  });
}

}  // namespace

Result<void> find(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  SB_TRY(const std::string pattern, pattern_parameter(request));
  const std::string shown = shown_root(*request.parameter("path"));
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) return fail_file(errno, path);
  if (!S_ISDIR(status.st_mode)) {
    if (!S_ISREG(status.st_mode))
      return fail(Errc::invalid_argument, path + ": not a regular file", "INVALID_FILE_PATH");
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return fail_file(errno, path);
    JsonStream matches(responder, "[");
    find_in_file(std::move(file), shown, pattern, matches);
    matches.finish("]");
    return {};
  }
  JsonStream matches(responder, "[");
  SB_CHECK(walk(path, shown, [&](const Visited& entry) {
    if (S_ISREG(entry.status.st_mode)) {
      UniqueFd file = open_plain_below(entry.parent, std::string(entry.name).c_str());
      if (file) find_in_file(std::move(file), entry.path, pattern, matches);
    }
    return matches.count() < kMatchesMax ? Visit::go_on : Visit::stop;
  }));
  matches.finish("]");
  return {};
}

Result<void> search(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  SB_TRY(const std::string pattern, pattern_parameter(request));
  if (!is_good_pattern(pattern)) return fail(Errc::invalid_argument, "invalid pattern: " + pattern);
  JsonStream files(responder, "{\"files\":[");
  SB_CHECK(walk(path, shown_root(*request.parameter("path")), [&](const Visited& entry) {
    if (matches_pattern(pattern, entry.name)) append_json_string(files.next(), entry.path);
    return files.count() < kMatchesMax ? Visit::go_on : Visit::stop;
  }));
  files.finish("]}");
  return {};
}

namespace {

struct ReplaceRequest {
  std::vector<std::string> files;
  std::string pattern;
  std::string new_value;
};

Result<ReplaceRequest> parse_replace(std::string_view body) {
  auto object = json::parse_object(body);
  if (!object) return fail(Errc::invalid_argument, object.error().message(), "INVALID_REQUEST_BODY");
  json::ObjectReader reader(*object);
  ReplaceRequest request;
  request.files = reader.texts("files").value_or(std::vector<std::string>{});
  request.pattern = reader.text("pattern").value_or("");
  const auto value = reader.text("newValue");
  if (!value) reader.error("newValue is required");
  if (auto read = reader.finish(); !read) {
    return fail(Errc::invalid_argument, read.error().message(), "INVALID_REQUEST_BODY");
  }
  if (request.files.empty()) return fail(Errc::invalid_argument, "files is required");
  if (request.pattern.empty()) return fail(Errc::invalid_argument, "pattern is required");
  request.new_value = *value;
  return request;
}

Result<void> replace_in(const std::string& path, const ReplaceRequest& request) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return fail_file(errno, path);
  struct stat status{};
  if (::fstat(file.get(), &status) < 0) return fail_file(errno, path);
  if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, path + ": not a regular file", "INVALID_FILE_PATH");
  // First only looked at: most files of a list have no match, and stay as they are.
  SB_TRY(const bool found, contains(file.get(), request.pattern));
  if (!found) return {};
  if (is_binary(file.get())) return fail(Errc::invalid_argument, path + ": is a binary file");
  SB_TRY(FileWriter writer, FileWriter::open(path, false));
  if (!writer.in_place()) {
    SB_CHECK(replace_all(file.get(), request.pattern, request.new_value,
                         [&](std::string_view piece) { return writer.write(piece); }));
    return writer.commit();
  }
  // What is read is what will be overwritten.
  std::string whole;
  SB_CHECK(replace_all(file.get(), request.pattern, request.new_value, [&](std::string_view piece) -> Result<void> {
    if (whole.size() + piece.size() > kInPlaceBytesMax)
      return fail(Errc::too_large, path + ": too large to be rewritten in place");
    whole += piece;
    return {};
  }));
  SB_CHECK(writer.write(whole));
  return writer.commit();
}

}  // namespace

Result<void> replace(const Request& request, BodyReader& body, Responder& responder) {
  SB_TRY(const std::string text, body.read_all(kBodyBytesMax));
  SB_TRY(const ReplaceRequest wanted, parse_replace(text));
  std::string json = "[";
  for (const std::string& file : wanted.files) {
    auto path = resolve_path(file, request.work_dir, request.home);
    auto done = path ? replace_in(*path, wanted) : fail(path.error());
    json += json.size() > 1 ? ",{\"file\":" : "{\"file\":";
    append_json_string(json, file);
    json += done ? ",\"success\":true" : ",\"success\":false,\"error\":";
    if (!done) append_json_string(json, done.error().message());
    json += '}';
  }
  responder.respond_json(200, json + "]");
  return {};
}

}  // namespace sebring::toolbox::files
