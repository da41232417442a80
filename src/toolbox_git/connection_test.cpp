#include "toolbox_git/connection.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

namespace sebring::toolbox_git {
namespace {

Result<void> check(ConnectionPolicy& policy, const std::string& host, const char* address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  REQUIRE(inet_pton(AF_INET, address, &in.sin_addr) == 1);
  return policy.check_address(host, reinterpret_cast<const sockaddr&>(in));
}

}  // namespace

TEST_CASE("redirects lead outwards only") {
  struct Row {
    const char *origin, *target;
    bool allowed;
  };
  const Row rows[] = {
      {"1.1.1.1", "8.8.8.8", true},        {"10.0.0.1", "8.8.8.8", true},    {"10.0.0.1", "192.168.0.1", true},
      {"127.0.0.1", "10.0.0.1", true},     {"127.0.0.1", "127.0.0.2", true}, {"169.254.0.9", "169.254.169.254", true},
      {"1.1.1.1", "10.0.0.1", false},      {"1.1.1.1", "127.0.0.1", false},  {"1.1.1.1", "169.254.169.254", false},
      {"1.1.1.1", "0.0.0.0", false},       {"10.0.0.1", "127.0.0.1", false}, {"10.0.0.1", "169.254.169.254", false},
      {"169.254.0.9", "127.0.0.1", false}, {"1.1.1.1", "100.64.0.1", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.origin);
    CAPTURE(row.target);
    ConnectionPolicy policy("origin.test");
    CHECK(check(policy, "origin.test", row.origin));
    CHECK(check(policy, "elsewhere.test", row.target).has_value() == row.allowed);
  }
}

TEST_CASE("proxies are free, other hosts are not asked after sign-in") {
  ConnectionPolicy policy("origin.test");
  policy.allow_proxy("proxy.test");
  CHECK(check(policy, "proxy.test", "10.0.0.1"));
  CHECK(check(policy, "origin.test", "1.1.1.1"));
  CHECK(!check(policy, "elsewhere.test", "10.0.0.1"));
  CHECK(policy.check_host("elsewhere.test"));
  policy.signed_in();
  CHECK(policy.check_host("origin.test"));
  CHECK(policy.check_host("proxy.test"));
  CHECK(!policy.check_host("elsewhere.test"));
}

}  // namespace sebring::toolbox_git
