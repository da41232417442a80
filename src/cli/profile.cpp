#include "cli/profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <string_view>

#include "base/random.h"
#include "base/unique_fd.h"
#include "json/json.h"

namespace sebring::cli {
namespace {

constexpr std::string_view kUsualDataDir = "/var/lib/sebring";
constexpr std::size_t kProfileBytesMax = 64 * 1024;

std::optional<std::string> variable(const ProfileSources& sources, std::string_view name) {
  for (const auto& [key, value] : sources.environment)
    if (key == name && !value.empty()) return value;
  return std::nullopt;
}

std::string with_api_path(std::string url) {
  std::size_t authority = url.find("://");
  std::size_t path = authority == std::string::npos ? std::string::npos : url.find('/', authority + 3);
  while (url.ends_with('/')) url.pop_back();
  return path == std::string::npos || path >= url.size() ? url + "/api" : url;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The server that wrote it may be gone together with its directory: such a profile only misleads.
bool is_stale(const Profile& profile) { return !profile.data_dir.empty() && !exists(profile.data_dir + "/instance"); }

Result<Profile> from_files(const ProfileSources& sources) {
  std::optional<std::string> data_dir = sources.data_dir;
  if (!data_dir) data_dir = variable(sources, "SEBRING_DATA_DIR");
  if (data_dir) {
    auto profile = read_profile(*data_dir + "/profile.json");
    if (!profile && profile.error().code() == Errc::not_found)
      return fail(Errc::not_found, "no profile in " + *data_dir + ": `sebring up --data-dir " + *data_dir +
                                       "` writes one at its first start");
    return profile;
  }
  if (auto path = variable(sources, "SEBRING_PROFILE")) return read_profile(*path);
  if (!sources.home.empty()) {
    auto profile = read_profile(home_profile_path(sources.home));
    if (profile ? !is_stale(*profile) : profile.error().code() != Errc::not_found) return profile;
  }
  auto profile = read_profile(std::string(kUsualDataDir) + "/profile.json");
  if (profile) return profile;
  std::string hint = profile.error().os_errno() == EACCES ? " (" + profile.error().message() + ")" : "";
  return fail(Errc::not_found,
              "no server is configured" + hint +
                  ". On the server's machine run `sebring up`; elsewhere set SEBRING_API_URL and SEBRING_API_KEY, or "
                  "give --url and --api-key");
}

}  // namespace

std::string home_profile_path(const std::string& home) { return home + "/.config/sebring/profile.json"; }

Result<Profile> find_profile(const ProfileSources& sources) {
  struct {
    std::string_view url, key;
  } names[] = {{"SEBRING_API_URL", "SEBRING_API_KEY"}, {"DAYTONA_API_URL", "DAYTONA_API_KEY"}};
  std::optional<std::string> key = sources.key;
  std::optional<std::string> url = sources.url;
  std::string source = url ? "--url" : "";
  // --data-dir is more explicit than a variable.
  if (!sources.data_dir)
    for (const auto& pair : names) {
      if (!url && (url = variable(sources, pair.url))) source = pair.url;
      if (!key) key = variable(sources, pair.key);
    }
  if (url) return Profile{.url = with_api_path(*url), .key = key.value_or(""), .source = source};
  SB_TRY(Profile profile, from_files(sources));
  if (sources.key) profile.key = *sources.key;
  return profile;
}

Result<Profile> read_profile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno(errno, "open " + path);
  std::string text(kProfileBytesMax, '\0');
  ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return fail_errno(errno, "read " + path);
  text.resize(static_cast<std::size_t>(got));
  auto object = json::parse_object(text);
  if (!object) return fail(std::move(object).error().while_doing(path));
  json::ObjectReader reader(*object);
  Profile out{.url = reader.required_text("url"),
              .key = reader.text("key").value_or(""),
              .toolbox_url = reader.text("toolboxUrl").value_or(""),
              .data_dir = reader.text("dataDir").value_or(""),
              .source = path};
  if (auto good = reader.finish(); !good) return fail(std::move(good).error().while_doing(path));
  return out;
}

Result<void> write_profile(const std::string& path, const Profile& profile, bool make_directory) {
  if (make_directory) {
    const std::string directory = path.substr(0, path.rfind('/'));
    for (std::size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
      const std::string part = directory.substr(0, slash);
      if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "make " + part);
      if (slash == std::string::npos) break;
    }
  }
  boost::json::object object{{"url", profile.url}, {"key", profile.key}};
  if (!profile.toolbox_url.empty()) object["toolboxUrl"] = profile.toolbox_url;
  if (!profile.data_dir.empty()) object["dataDir"] = profile.data_dir;
  const std::string text = json::serialize(object) + "\n";
  const std::string fresh = path + "." + random_hex(4);
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "create " + fresh);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(fd.get()) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0) {
    int saved = errno;
    ::unlink(fresh.c_str());
    return fail_errno(saved, "write " + path);
  }
  return {};
}

}  // namespace sebring::cli
