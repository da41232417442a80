#pragma once
// The proxies in front of us whose X-Forwarded-* headers are believed.
#include <array>
#include <string>
#include <vector>

#include "base/result.h"

namespace sebring::proxy {

class TrustedProxies {
 public:
  TrustedProxies() = default;
  // "10.0.0.0/8", "::1", "192.168.1.7". Errc::invalid_argument names the bad one.
  static Result<TrustedProxies> parse(const std::vector<std::string>& ranges);
  bool contains(const std::string& address) const;
  bool empty() const { return ranges_.empty(); }

 private:
  struct Range {
    std::array<unsigned char, 16> bytes{};  // IPv4 as ::ffff:a.b.c.d
    int bits = 0;
  };
  static bool read(const std::string& text, std::array<unsigned char, 16>& bytes, bool& is_v4);
  std::vector<Range> ranges_;
};

}  // namespace sebring::proxy
