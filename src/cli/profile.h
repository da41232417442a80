#pragma once
// Which server the CLI talks to, and with which key.
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sebring::cli {

struct Profile {
  std::string url;          // of the API, "http://localhost:3000/api"
  std::string key;          // may be empty: only unauthenticated calls work then
  std::string toolbox_url;  // empty: what the server says. On the server's own machine a way that needs no DNS.
  std::string data_dir;     // of the server that wrote it; empty for a remote one
  std::string source;       // where it came from, for messages; not stored
};

struct ProfileSources {
  std::optional<std::string> url, key, data_dir;  // flags
  std::string home;                               // may be empty
  // Looked up by name: SEBRING_API_URL, SEBRING_API_KEY, SEBRING_DATA_DIR, SEBRING_PROFILE, then DAYTONA_API_URL and
  // DAYTONA_API_KEY, so that one environment serves SDKs and CLI.
  std::vector<std::pair<std::string, std::string>> environment;
};

// First that says anything: flags and variables with a URL; the profile of --data-dir or SEBRING_DATA_DIR;
// SEBRING_PROFILE; ~/.config/sebring/profile.json; /var/lib/sebring/profile.json. A key given by flag or variable wins
// over the profile's. Errc::not_found saying what to do.
Result<Profile> find_profile(const ProfileSources& sources);

Result<Profile> read_profile(const std::string& path);
// Mode 0600, replaced at once; makes the directory (0700) when `make_directory`.
Result<void> write_profile(const std::string& path, const Profile& profile, bool make_directory);
std::string home_profile_path(const std::string& home);

}  // namespace sebring::cli
