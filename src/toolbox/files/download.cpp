// GET /files/download and POST /files/bulk-download.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>

#include "base/text.h"
#include "json/json.h"
#include "toolbox/error_body.h"
#include "toolbox/files/content_type.h"
#include "toolbox/files/file_error.h"
#include "toolbox/files/file_info.h"
#include "toolbox/files/operations.h"
#include "toolbox/files/ranges.h"
#include "toolbox/paths.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::string_view kBoundary = "DAYTONA-FILE-BOUNDARY";
constexpr std::size_t kBodyBytesMax = 16 << 20;
// Files of /proc say that they are empty, those of /sys that they have a page; what they have is read whole.
constexpr std::size_t kVirtualBytesMax = 4 << 20;

struct OpenFile {
  UniqueFd file;
  std::uint64_t size = 0;
  std::string content;  // of one that does not tell its true size
  std::int64_t modified = 0;
};

bool tells_its_size(int file, const struct stat& status) {
  if (status.st_size == 0) return false;
  struct statfs system{};
  return status.st_size != 4096 || ::fstatfs(file, &system) != 0 || system.f_type != SYSFS_MAGIC;
}

Result<OpenFile> open_plain(const std::string& path) {
  OpenFile opened;
  opened.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!opened.file) return fail_file(errno, path);
  struct stat status{};
  if (::fstat(opened.file.get(), &status) < 0) return fail_file(errno, path);
  if (S_ISDIR(status.st_mode)) return fail_file(EISDIR, path);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid_argument, path + ": not a regular file", "INVALID_FILE_PATH");
  }
  opened.size = static_cast<std::uint64_t>(status.st_size);
  opened.modified = status.st_mtim.tv_sec;
  if (tells_its_size(opened.file.get(), status)) return opened;
  char buffer[16 * 1024];
  while (opened.content.size() < kVirtualBytesMax) {
    const ssize_t got = ::read(opened.file.get(), buffer, sizeof buffer);
    if (got < 0) return fail(file_error(errno, path).tagged("FILE_READ_FAILED"));
    if (got == 0) break;
    opened.content.append(buffer, static_cast<std::size_t>(got));
  }
  opened.size = opened.content.size();
  return opened;
}

Error shorter(const std::string& path) {
  return Error(Errc::internal, path + " became shorter while it was read").tagged("FILE_READ_FAILED");
}

// Errc::internal when the file has become shorter meanwhile: what was promised can not be sent.
Result<void> send_bytes(const OpenFile& opened, ByteRange range, Responder& responder, const std::string& path) {
  if (!opened.content.empty()) {
    responder.write(std::string_view(opened.content).substr(range.first, range.length));
    return {};
  }
  ::posix_fadvise(opened.file.get(), static_cast<off_t>(range.first), static_cast<off_t>(range.length),
                  POSIX_FADV_SEQUENTIAL);
  std::uint64_t at = range.first;
  std::uint64_t left = range.length;
  bool pipes = range.length >= kPipeFrom;
  while (left > 0) {
    if (pipes) {
      const ssize_t sent = responder.send_from(opened.file.get(), at, std::min<std::uint64_t>(left, kPipeBytes));
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EINVAL) {
        pipes = false;
        continue;
      }
      if (sent < 0) return fail(file_error(errno, path).tagged("FILE_READ_FAILED"));
      if (sent == 0) return fail(shorter(path));
      at += static_cast<std::uint64_t>(sent);
      left -= static_cast<std::uint64_t>(sent);
      continue;
    }
    char* buffer = responder.buffer();
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, kSlotBytes));
    const ssize_t got = ::pread(opened.file.get(), buffer, wanted, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(file_error(errno, path).tagged("FILE_READ_FAILED"));
    if (got == 0) return fail(shorter(path));
    responder.commit(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
    left -= static_cast<std::uint64_t>(got);
  }
  return {};
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Of a header parameter in quotes. Clients give up an answer with control characters in a header; the name as it is
// stands in filename*.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += '_';
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

Head download_head(const OpenFile& opened, const std::string& path, const RangeAnswer& answer) {
  Head head;
  const std::string name = quoted(base_name(path));
  head.headers = {
      {"Content-Type", "application/octet-stream"},
      {"Content-Disposition", "attachment; filename=" + name + "; filename*=utf-8''" + percent_encode(base_name(path))},
      {"Accept-Ranges", "bytes"},
      {"Last-Modified", http_time(opened.modified)}};
  std::uint64_t length = opened.size;
  if (answer.range) {
    head.status = 206;
    length = answer.range->length;
    head.headers.emplace_back("Content-Range", "bytes " + std::to_string(answer.range->first) + "-" +
                                                   std::to_string(answer.range->first + length - 1) + "/" +
                                                   std::to_string(opened.size));
  }
  head.headers.emplace_back("Content-Length", std::to_string(length));
  return head;
}

void send_part(Responder& responder, std::string_view name, const std::string& path, std::string_view type,
               std::uint64_t length) {
  std::string text = "--" + std::string(kBoundary) + "\r\nContent-Disposition: form-data; name=\"" + std::string(name) +
                     "\"; filename=" + quoted(path) + "; filename*=utf-8''" + percent_encode(path) +
                     "\r\nContent-Type: " + std::string(type) + "\r\nContent-Length: " + std::to_string(length) +
                     "\r\n\r\n";
  responder.write(text);
}

Result<std::vector<std::string>> parse_paths(std::string_view body) {
  auto object = json::parse_object(body);
  if (!object) return fail(Errc::invalid_argument, object.error().message(), "INVALID_REQUEST_BODY");
  json::ObjectReader reader(*object);
  auto paths = reader.texts("paths");
  if (auto read = reader.finish(); !read) {
    return fail(Errc::invalid_argument, read.error().message(), "INVALID_REQUEST_BODY");
  }
  if (!paths || paths->empty())
    return fail(Errc::invalid_argument, "request body must be {paths: [ ... ]} and non-empty");
  return *std::move(paths);
}

}  // namespace

Result<void> download(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  SB_TRY(const OpenFile opened, open_plain(path));
  RangeAnswer answer;
  const bool same = request.if_range.empty() || request.if_range == http_time(opened.modified);
  if (!request.range.empty() && same) answer = parse_range(request.range, opened.size);
  if (answer.unsatisfiable) {
    Head head;
    head.status = 416;
    head.headers = {{"Content-Range", "bytes */" + std::to_string(opened.size)},
                    {"Content-Type", "application/json; charset=utf-8"}};
    head.body = error_body(
        {.status = head.status,
         .code = "BAD_REQUEST",
         .message = "bad request: the range lies beyond the file's " + std::to_string(opened.size) + " bytes"},
        "GET", request.path);
    responder.respond(std::move(head));
    return {};
  }
  responder.start(download_head(opened, path, answer));
  if (!request.head_only)
    SB_CHECK(send_bytes(opened, answer.range.value_or(ByteRange{0, opened.size}), responder, path));
  responder.finish();
  return {};
}

Result<void> bulk_download(const Request& request, BodyReader& body, Responder& responder) {
  SB_TRY(const std::string text, body.read_all(kBodyBytesMax));
  SB_TRY(const std::vector<std::string> paths, parse_paths(text));
  responder.start({.status = 200,
                   .headers = {{"Content-Type", "multipart/form-data; boundary=" + std::string(kBoundary)}},
                   .body = {}});
  for (const std::string& path : paths) {
    auto resolved = resolve_path(path, request.work_dir, request.home);
    Result<OpenFile> opened = resolved ? open_plain(*resolved) : fail(resolved.error());
    if (opened) {
      send_part(responder, "file", path, content_type_of(path), opened->size);
      SB_CHECK(send_bytes(*opened, {0, opened->size}, responder, path));
    } else {
      WireError error = wire_error(opened.error());
      const std::string json = error_body(error, "POST", request.path);
      send_part(responder, "error", path, "application/json", json.size());
      responder.write(json);
    }
    responder.write("\r\n");
  }
  responder.write("--" + std::string(kBoundary) + "--\r\n");
  responder.finish();
  return {};
}

}  // namespace sebring::toolbox::files
