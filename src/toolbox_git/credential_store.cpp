#include "toolbox_git/credential_store.h"

#include "base/text.h"

namespace sebring::toolbox_git {
namespace {

std::optional<StoredCredential> parse_line(std::string_view line) {
  line = trim(line);
  const auto mark = line.find("://");
  if (mark == line.npos) return std::nullopt;
  auto authority = line.substr(mark + 3);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.contains('/')) return std::nullopt;
  const auto at = authority.rfind('@');
  if (at == authority.npos) return std::nullopt;
  const auto user_info = authority.substr(0, at);
  const auto colon = user_info.find(':');
  if (colon == user_info.npos) return std::nullopt;
  auto username = percent_decode(user_info.substr(0, colon));
  auto password = percent_decode(user_info.substr(colon + 1));
  auto host = percent_decode(authority.substr(at + 1));
  if (!username || !password || !host) return std::nullopt;
  return StoredCredential{to_lower(line.substr(0, mark)), to_lower(*host), *username, *password};
}

}  // namespace

std::optional<StoredCredential> find_credential(std::string_view file, std::string_view protocol, std::string_view host,
                                                std::string_view username) {
  for (const auto line : split(file, '\n')) {
    auto credential = parse_line(line);
    if (!credential || credential->protocol != protocol || credential->host != to_lower(host)) continue;
    if (username.empty() || credential->username == username) return credential;
  }
  return std::nullopt;
}

std::string with_credential(std::string_view file, const StoredCredential& credential) {
  std::string out = credential.protocol + "://" + percent_encode(credential.username) + ":" +
                    percent_encode(credential.password) + "@" + credential.host + "\n";
  for (const auto line : split(file, '\n')) {
    if (line.empty()) continue;
    const auto other = parse_line(line);
    if (other && other->protocol == credential.protocol && other->host == credential.host &&
        other->username == credential.username)
      continue;
    out += line;
    out += '\n';
  }
  return out;
}

std::optional<StoreHelper> parse_store_helper(std::string_view value) {
  value = trim(value);
  const auto space = value.find(' ');
  auto program = value.substr(0, space);
  if (program != "store" && !(program.starts_with('/') && program.ends_with("/git-credential-store")))
    return std::nullopt;
  auto rest = space == value.npos ? std::string_view() : trim(value.substr(space));
  if (rest.empty()) return StoreHelper{};
  if (!rest.starts_with("--file")) return std::nullopt;
  rest.remove_prefix(6);
  if (rest.empty() || (rest.front() != '=' && rest.front() != ' ')) return std::nullopt;
  rest = trim(rest.substr(1));
  if (rest.size() >= 2 && (rest.front() == '"' || rest.front() == '\'') && rest.back() == rest.front())
    rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return std::nullopt;
  return StoreHelper{std::string(rest)};
}

}  // namespace sebring::toolbox_git
