#pragma once
// Which repository URLs are accepted, and what they name.
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox_git {

enum class Scheme { http, https, ssh, git, local };

struct RepositoryUrl {
  Scheme scheme = Scheme::https;
  std::string text;  // what libgit2 gets
  std::string host;  // lower case, IPv6 without brackets; empty for local
  std::string port;  // as written; empty: the scheme's own
  std::string user;  // decoded; empty without one
};

// http://, https://, ssh://, git://, file:///absolute, /absolute, user@host:path, and host.name/path, which gets
// https://. Errc::invalid_argument for any other scheme, relative paths, missing host, bad port, spaces and control
// characters.
Result<RepositoryUrl> parse_repository_url(std::string_view text);

// For people to read: the password is taken out, the user name stays. Anything that is no URL comes back unchanged.
std::string without_password(std::string_view url);

// Host of an http(s) URL that libgit2 made, with the port when it is written: "example.com:8443". Empty if there is
// none.
std::string host_and_port(std::string_view url);

}  // namespace sebring::toolbox_git
