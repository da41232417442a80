#include "toolbox_git/url.h"

#include <algorithm>

#include "base/text.h"

namespace sebring::toolbox_git {
namespace {

constexpr std::size_t kUrlBytesMax = 4096;

struct Authority {
  std::string user;
  std::string host;
  std::string port;
};

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_address_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && host.front() != '-' && std::ranges::all_of(host, is_host_character);
}

bool is_port(std::string_view port) {
  const auto number = parse_integer(port);
  return number && *number >= 1 && *number <= 65535;
}

// "[user[:password]@]host[:port]"
Result<Authority> parse_authority(std::string_view text) {
  Authority out;
  if (const auto at = text.rfind('@'); at != text.npos) {
    const auto user_info = text.substr(0, at);
    auto user = percent_decode(user_info.substr(0, user_info.find(':')));
    if (!user) return fail(Errc::invalid_argument, "repository URL: bad escape in the user name");
    out.user = *std::move(user);
    text.remove_prefix(at + 1);
  }
  std::string_view host = text;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return fail(Errc::invalid_argument, "repository URL: ']' is missing");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (host.empty() || !std::ranges::all_of(host, is_address_character))
      return fail(Errc::invalid_argument, "repository URL: bad address in brackets");
  } else {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == text.npos ? std::string_view() : text.substr(colon);
    if (!is_host_name(host)) return fail(Errc::invalid_argument, "repository URL: bad host name");
  }
  if (rest.size() > 1) {
    if (rest.front() != ':' || !is_port(rest.substr(1)))
      return fail(Errc::invalid_argument, "repository URL: bad port");
    out.port = rest.substr(1);
  } else if (!rest.empty() && rest != ":") {
    return fail(Errc::invalid_argument, "repository URL: bad port");
  }
  out.host = to_lower(host);
  return out;
}

Result<RepositoryUrl> with_authority(Scheme scheme, std::string text, std::string_view after_scheme) {
  const auto slash = after_scheme.find('/');
  SB_TRY(auto authority, parse_authority(after_scheme.substr(0, slash)));
  if (slash == after_scheme.npos || slash + 1 == after_scheme.size())
    return fail(Errc::invalid_argument, "repository URL: no path after the host");
  return RepositoryUrl{scheme, std::move(text), authority.host, authority.port, authority.user};
}

Result<RepositoryUrl> parse_with_scheme(std::string_view text, std::size_t mark) {
  const std::string scheme = to_lower(text.substr(0, mark));
  const auto rest = text.substr(mark + 3);
  if (scheme == "http") return with_authority(Scheme::http, std::string(text), rest);
  if (scheme == "https") return with_authority(Scheme::https, std::string(text), rest);
  if (scheme == "ssh" || scheme == "git+ssh" || scheme == "ssh+git")
    return with_authority(Scheme::ssh, std::string(text), rest);
  if (scheme == "git") return with_authority(Scheme::git, std::string(text), rest);
  if (scheme == "file") {
    if (!rest.starts_with('/'))
      return fail(Errc::invalid_argument, "repository URL: file:// needs an absolute path and no host");
    return RepositoryUrl{Scheme::local, std::string(text), "", "", ""};
  }
  return fail(Errc::invalid_argument, "repository URL: scheme '" + scheme + "' is not supported");
}

// "user@host:path": the colon comes before the first slash.
Result<RepositoryUrl> parse_scp_like(std::string_view text, std::size_t colon) {
  const auto path = text.substr(colon + 1);
  if (path.empty() || path.starts_with(':'))
    return fail(Errc::invalid_argument, "repository URL: no path after the host");
  SB_TRY(auto authority, parse_authority(text.substr(0, colon)));
  return RepositoryUrl{Scheme::ssh, std::string(text), authority.host, "", authority.user};
}

}  // namespace

Result<RepositoryUrl> parse_repository_url(std::string_view text) {
  if (text.empty()) return fail(Errc::invalid_argument, "repository URL: empty");
  if (text.size() > kUrlBytesMax) return fail(Errc::invalid_argument, "repository URL: too long");
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return fail(Errc::invalid_argument, "repository URL: control character");
  if (text.starts_with('/')) return RepositoryUrl{Scheme::local, std::string(text), "", "", ""};
  if (text.starts_with("file://")) return parse_with_scheme(text, 4);
  if (text.contains(' ')) return fail(Errc::invalid_argument, "repository URL: space");
  if (const auto mark = text.find("://"); mark != text.npos) return parse_with_scheme(text, mark);
  const auto slash = text.find('/');
  if (const auto colon = text.find(':'); colon < slash) return parse_scp_like(text, colon);
  const auto first = text.substr(0, slash);
  if (slash == text.npos || first.starts_with('.') || (!first.contains('.') && first != "localhost"))
    return fail(Errc::invalid_argument, "repository URL: neither a URL nor an absolute path");
  return parse_with_scheme("https://" + std::string(text), 5);
}

std::string without_password(std::string_view url) {
  const auto mark = url.find("://");
  if (mark == url.npos) return std::string(url);
  const auto start = mark + 3;
  const auto end = std::min(url.find('/', start), url.size());
  const auto at = url.substr(start, end - start).rfind('@');
  if (at == url.npos) return std::string(url);
  const auto colon = url.substr(start, at).find(':');
  if (colon == url.npos) return std::string(url);
  return std::string(url.substr(0, start + colon)) + std::string(url.substr(start + at));
}

std::string host_and_port(std::string_view url) {
  const auto mark = url.find("://");
  if (mark == url.npos) return "";
  auto authority = url.substr(mark + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const auto at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  return to_lower(authority);
}

}  // namespace sebring::toolbox_git
