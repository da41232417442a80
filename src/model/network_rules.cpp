#include "model/network_rules.h"

#include "base/text.h"

namespace sebring::model {
namespace {

constexpr std::size_t kEntriesMax = 10;

bool is_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() != 4) return false;
  for (std::string_view part : parts) {
    // "010" is 8 for some readers and 10 for others.
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    const auto value = parse_integer(part);
    if (!value || *value < 0 || *value > 255) return false;
  }
  return true;
}

bool is_domain(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.empty() || text.size() > 253) return false;
  const auto labels = split(text, '.');
  if (labels.size() < 2) return false;
  for (std::string_view label : labels) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (char c : label) {
      const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      if (!good) return false;
    }
  }
  return true;
}

std::vector<std::string_view> entries_of(std::string_view text) {
  std::vector<std::string_view> entries;
  for (std::string_view part : split(text, ',')) {
    if (auto entry = trim(part); !entry.empty()) entries.push_back(entry);
  }
  return entries;
}

}  // namespace

Result<std::vector<std::string>> parse_network_list(std::string_view text) {
  const auto entries = entries_of(text);
  if (entries.size() > kEntriesMax) {
    return fail(Errc::invalid_argument, "Network allow list cannot contain more than 10 networks");
  }
  std::vector<std::string> networks;
  for (std::string_view entry : entries) {
    const std::size_t slash = entry.find('/');
    const std::string_view address = entry.substr(0, slash);
    if (!is_ipv4(address)) {
      return fail(Errc::invalid_argument, "Invalid IP address: \"" + std::string(address) + "\" in network \"" +
                                              std::string(entry) + "\". Must be a valid IPv4 address");
    }
    if (slash == std::string_view::npos) {
      return fail(Errc::invalid_argument,
                  "Invalid network format: \"" + std::string(entry) + "\". Missing CIDR prefix length (e.g., /24)");
    }
    const std::string_view prefix = entry.substr(slash + 1);
    const auto length = parse_integer(prefix);
    if (!length || *length < 0 || *length > 32 || prefix.size() > 2 || (prefix.size() == 2 && prefix[0] == '0')) {
      return fail(Errc::invalid_argument, "Invalid CIDR prefix length: \"" + std::string(prefix) + "\" in network \"" +
                                              std::string(entry) + "\". Must be between 0 and 32");
    }
    networks.emplace_back(entry);
  }
  return networks;
}

Result<std::vector<std::string>> parse_domain_list(std::string_view text) {
  const auto entries = entries_of(text);
  if (entries.size() > kEntriesMax) {
    return fail(Errc::invalid_argument, "Domain allow list cannot contain more than 10 domains");
  }
  std::vector<std::string> domains;
  for (std::string_view entry : entries) {
    std::string domain = to_lower(entry);
    if (!is_domain(domain)) return fail(Errc::invalid_argument, "Invalid domain: \"" + std::string(entry) + "\"");
    domains.push_back(std::move(domain));
  }
  return domains;
}

}  // namespace sebring::model
