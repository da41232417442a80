#include "toolbox/lsp_documents.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "base/text.h"
#include "toolbox/as_user.h"

namespace sebring::toolbox {
namespace {

constexpr std::string_view kScheme = "file://";
constexpr std::size_t kDirectoriesMax = 5000;

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::unexpected<Error> file_error(int number, const std::string& path) {
  const char* tag = number == ENOENT || number == ENOTDIR ? "FILE_NOT_FOUND"
                    : number == EACCES || number == EPERM ? "FILE_ACCESS_DENIED"
                                                          : "FILE_READ_FAILED";
  return fail(std::move(fail_errno(number, "read " + path)).error().tagged(tag));
}

Result<SourceFile> read_one(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  const bool has_no_content = !fd && (errno == ENXIO || errno == ENODEV);  // a socket, a device that is not there
  if (has_no_content) return fail(Errc::invalid_argument, path + " is no plain file", "INVALID_FILE_PATH");
  if (!fd || ::fstat(fd.get(), &info) != 0) return file_error(errno, path);
  if (!S_ISREG(info.st_mode)) return fail(Errc::invalid_argument, path + " is no plain file", "INVALID_FILE_PATH");
  if (static_cast<std::uint64_t>(info.st_size) > kLspFileBytesMax) {
    return fail(Errc::too_large, path + " is larger than " + std::to_string(kLspFileBytesMax) + " bytes");
  }
  SourceFile file{.path = path, .text = {}, .modified_ns = nanoseconds(info.st_mtim), .size = info.st_size};
  char buffer[64 * 1024];
  ssize_t got;
  while ((got = ::read(fd.get(), buffer, sizeof buffer)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(errno, path);
    file.text.append(buffer, static_cast<std::size_t>(got));
    if (file.text.size() > kLspFileBytesMax) break;
  }
  if (!is_valid_utf8(file.text)) file.text = to_valid_utf8(file.text);
  return file;
}

bool is_passed_over(std::string_view name) {
  constexpr std::string_view kPackages[] = {"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"};
  return name.starts_with('.') || std::find(std::begin(kPackages), std::end(kPackages), name) != std::end(kPackages);
}

}  // namespace

std::string file_uri(std::string_view path) {
  std::string uri(kScheme);
  for (std::string_view part : split(path, '/')) {
    if (uri.size() > kScheme.size() || part.data() != path.data()) uri += '/';
    uri += percent_encode(part);
  }
  return uri;
}

Result<std::vector<std::string>> candidate_paths(std::string_view uri, const LspPlaces& places) {
  std::string_view rest = uri;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
  } else if (rest.find("://") != std::string_view::npos) {
    return fail(Errc::invalid_argument, "uri must be a file: " + std::string(uri));
  }
  if (rest.empty()) return fail(Errc::invalid_argument, "uri is required");
  // Clients do not encode; a path with a percent sign of its own is tried as it stands, too.
  std::vector<std::string> spellings;
  if (auto decoded = percent_decode(rest)) spellings.push_back(*decoded);
  if (spellings.empty() || spellings[0] != rest) spellings.emplace_back(rest);
  std::vector<std::string> paths;
  for (const std::string& path : spellings) {
    if (path.find('\0') != std::string::npos) return fail(Errc::invalid_argument, "uri has a NUL character");
    if (path.starts_with('/')) {
      paths.push_back(path);
    } else {
      paths.push_back(places.project + "/" + path);
      paths.push_back(places.work_dir + "/" + path);
    }
  }
  return paths;
}

Result<SourceFile> read_source(const std::vector<std::string>& candidates, const Identity& user) {
  AsUser as_user(user);
  Result<SourceFile> first = read_one(candidates.front());
  if (first || first.error().tag() != "FILE_NOT_FOUND") return first;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    if (auto file = read_one(candidates[i])) return file;
  }
  return first;
}

std::optional<SourceFile> look_at_source(const std::string& path, const Identity& user) {
  AsUser as_user(user);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return SourceFile{.path = path, .text = {}, .modified_ns = nanoseconds(info.st_mtim), .size = info.st_size};
}

std::vector<std::string> list_sources(const std::string& project, const std::vector<std::string>& suffixes,
                                      std::size_t count_max, const Identity& user) {
  AsUser as_user(user);
  std::vector<std::string> files;
  std::deque<std::string> directories{project};
  for (std::size_t looked = 0; !directories.empty() && looked < kDirectoriesMax; ++looked) {
    const std::string directory = std::move(directories.front());
    directories.pop_front();
    DIR* entries = ::opendir(directory.c_str());
    if (entries == nullptr) continue;
    std::vector<std::string> found;
    while (const dirent* entry = ::readdir(entries)) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
      const std::string_view name = entry->d_name;
      if (entry->d_type == DT_DIR && !is_passed_over(name)) directories.push_back(directory + "/" + std::string(name));
      if (entry->d_type != DT_REG) continue;
      const bool wanted = std::any_of(suffixes.begin(), suffixes.end(),
                                      [&](const std::string& suffix) { return name.ends_with(suffix); });
      if (wanted) found.push_back(directory + "/" + std::string(name));
    }
    ::closedir(entries);
    std::sort(found.begin(), found.end());
    for (std::string& path : found) {
      if (files.size() >= count_max) return files;
      files.push_back(std::move(path));
    }
  }
  return files;
}

}  // namespace sebring::toolbox
