// Checking of single values: normalise() and parse_address().
#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.h"
#include "config/settings.h"

namespace sebring::config {
namespace {

bool is_literal(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (char c : label)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') return false;
  }
  return true;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  auto number = parse_integer(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

// "host", "host:port", "[v6]", "[v6]:port"; `port` empty when absent.
bool split_authority(std::string_view text, std::string& host, std::string_view& port, bool& bracketed) {
  port = {};
  bracketed = text.starts_with('[');
  std::size_t end = bracketed ? text.find(']') : text.find(':');
  if (bracketed) {
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else {
    host = text.substr(0, end);
    text.remove_prefix(std::min(end, text.size()));
  }
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() == 1) return false;
  port = text.substr(1);
  return true;
}

bool is_authority(std::string_view text) {
  std::string host;
  std::string_view port;
  bool bracketed = false;
  if (!split_authority(text, host, port, bracketed)) return false;
  if (!port.empty() && parse_port(port).value_or(0) == 0) return false;
  return bracketed ? host.find(':') != std::string::npos && is_literal(host) : is_host_name(host);
}

// "/a//b/./c/" -> "/a/b/c". ".." is refused: what it means depends on links.
std::optional<std::string> clean_path(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  std::string out;
  for (std::string_view part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return std::nullopt;
    out += "/" + std::string(part);
  }
  return out.empty() ? "/" : out;
}

std::optional<std::string> clean_url(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return std::nullopt;
  }
  if (rest.find_first_of("?#@\\ ") != std::string_view::npos) return std::nullopt;
  if (!is_authority(rest.substr(0, rest.find('/')))) return std::nullopt;
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

std::optional<std::string> clean_addresses(std::string_view text) {
  std::string out;
  for (std::string_view part : split(text, ',')) {
    std::string address(trim(part));
    if (!is_literal(address)) return std::nullopt;
    out += (out.empty() ? "" : ",") + address;
  }
  return out;
}

std::optional<std::string> clean_ranges(std::string_view text) {
  std::string out;
  for (std::string_view part : split(text, ',')) {
    std::string_view range = trim(part);
    const std::size_t slash = range.find('/');
    const std::string address(range.substr(0, slash));
    if (!is_literal(address)) return std::nullopt;
    if (slash != std::string_view::npos) {
      auto bits = parse_integer(range.substr(slash + 1));
      const int most = address.find(':') == std::string::npos ? 32 : 128;
      if (!bits || *bits < 0 || *bits > most) return std::nullopt;
    }
    out += (out.empty() ? "" : ",") + std::string(range);
  }
  return out;
}

std::optional<std::string> clean_network(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::string address(text.substr(0, slash));
  auto bits = parse_integer(text.substr(slash + 1));
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1 || !bits || *bits < 8 || *bits > 16) return std::nullopt;
  // Host bits set would make two spellings of one network.
  if ((ntohl(parsed.s_addr) & ((std::uint32_t{1} << (32 - *bits)) - 1)) != 0) return std::nullopt;
  return std::string(text);
}

bool is_user_name(std::string_view text) {
  if (text.empty() || text.size() > 32 || !(std::islower(static_cast<unsigned char>(text[0])) || text[0] == '_'))
    return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_' || c == '-'; });
}

std::optional<std::string> clean_boolean(std::string_view text) {
  for (std::string_view word : {"true", "yes", "on", "1"})
    if (equals_ignore_case(text, word)) return "true";
  for (std::string_view word : {"false", "no", "off", "0"})
    if (equals_ignore_case(text, word)) return "false";
  return std::nullopt;
}

std::optional<std::string> clean(const Setting& setting, std::string_view text) {
  auto when = [&](bool good) { return good ? std::optional(std::string(text)) : std::nullopt; };
  switch (setting.kind) {
    case Kind::text:
      return when(is_valid_utf8(text));
    case Kind::path:
      return clean_path(text);
    case Kind::address:
      return when(parse_address(text).has_value());
    case Kind::listener:
      return when(text == "off" || parse_address(text).has_value());
    case Kind::ranges:
      return clean_ranges(text);
    case Kind::url:
      return clean_url(text);
    case Kind::domain:
      return when(is_authority(text) && !text.starts_with('['));
    case Kind::addresses:
      return clean_addresses(text);
    case Kind::network:
      return clean_network(text);
    case Kind::name:
      return when(is_user_name(text));
    case Kind::choice: {
      for (std::string_view choice : split(setting.choices, ' '))
        if (choice == text) return std::string(text);
      return std::nullopt;
    }
    case Kind::integer: {
      auto number = parse_integer(text);
      if (!number || *number < setting.min || *number > setting.max) return std::nullopt;
      return std::to_string(*number);
    }
    case Kind::boolean:
      return clean_boolean(text);
  }
  return std::nullopt;
}

}  // namespace

Result<HostPort> parse_address(std::string_view text) {
  std::string host;
  std::string_view port_text;
  bool bracketed = false;
  if (split_authority(text, host, port_text, bracketed)) {
    auto port = parse_port(port_text);
    if (host == "localhost") host = "127.0.0.1";
    if (port && is_literal(host) && bracketed == (host.find(':') != std::string::npos)) return HostPort{host, *port};
  }
  return fail(Errc::invalid_argument, "\"" + std::string(text) + "\" is no HOST:PORT");
}

Result<std::string> normalise(const Setting& setting, std::string_view text) {
  std::string_view value = trim(text);
  if (value.empty() && setting.default_text.empty()) return std::string();
  bool printable = std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!value.empty() && printable)
    if (auto good = clean(setting, value)) return *std::move(good);
  return fail(Errc::invalid_argument,
              std::string(setting.name) + ": \"" + to_valid_utf8(value) + "\" is not " + allowed_values(setting));
}

}  // namespace sebring::config
