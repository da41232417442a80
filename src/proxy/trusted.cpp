#include "proxy/trusted.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace sebring::proxy {

bool TrustedProxies::read(const std::string& text, std::array<unsigned char, 16>& bytes, bool& is_v4) {
  bytes.fill(0);
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) {
    bytes[10] = bytes[11] = 0xFF;
    const auto* raw = reinterpret_cast<const unsigned char*>(&four);
    std::copy(raw, raw + 4, bytes.begin() + 12);
    is_v4 = true;
    return true;
  }
  is_v4 = false;
  return ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& ranges) {
  TrustedProxies trusted;
  for (const std::string& text : ranges) {
    const std::size_t slash = text.find('/');
    Range range;
    bool is_v4 = false;
    const auto fault = [&] { return fail(Errc::invalid_argument, "not an address or range: " + text); };
    if (!read(text.substr(0, slash), range.bytes, is_v4)) return fault();
    const int bits_max = is_v4 ? 32 : 128;
    int bits = bits_max;
    if (slash != std::string::npos) {
      const auto number = parse_integer(text.substr(slash + 1));
      if (!number || *number < 0 || *number > bits_max) return fault();
      bits = static_cast<int>(*number);
    }
    range.bits = is_v4 ? bits + 96 : bits;
    trusted.ranges_.push_back(range);
  }
  return trusted;
}

bool TrustedProxies::contains(const std::string& address) const {
  if (ranges_.empty()) return false;
  std::array<unsigned char, 16> bytes;
  bool is_v4 = false;
  if (!read(address, bytes, is_v4)) return false;
  return std::ranges::any_of(ranges_, [&](const Range& range) {
    const int whole = range.bits / 8;
    if (!std::equal(bytes.begin(), bytes.begin() + whole, range.bytes.begin())) return false;
    const int rest = range.bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<unsigned char>(0xFF << (8 - rest));
    return (bytes[static_cast<std::size_t>(whole)] & mask) == (range.bytes[static_cast<std::size_t>(whole)] & mask);
  });
}

}  // namespace sebring::proxy
