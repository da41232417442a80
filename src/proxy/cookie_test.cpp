#include "proxy/cookie.h"

#include <doctest/doctest.h>

#include "proxy/signed_file_url.h"

namespace {
using namespace sebring;
using namespace sebring::proxy;

Pass pass() {
  return {.sandbox_id = "box", .audience = "host", .grant = {Grant::Kind::key, "key-7"}, .expires_at = 1000};
}

TEST_CASE("a pass opens for what it was signed") {
  const PassSigner signer(std::string(32, 'k'), "cookie");
  const std::string text = signer.sign(pass());
  auto opened = signer.open(text, "box", "host", 999);
  REQUIRE(opened.has_value());
  CHECK(opened->grant.kind == Grant::Kind::key);
  CHECK(opened->grant.reference == "key-7");
  CHECK_FALSE(signer.open(text, "box", "host", 1000));
  CHECK_FALSE(signer.open(text, "other", "host", 0));
  CHECK_FALSE(signer.open(text, "box", "other", 0));
  CHECK_FALSE(PassSigner(std::string(32, 'x'), "cookie").open(text, "box", "host", 0));
  CHECK_FALSE(PassSigner(std::string(32, 'k'), "ticket").open(text, "box", "host", 0));
}

TEST_CASE("nothing that was changed opens") {
  const PassSigner signer(std::string(32, 'k'), "cookie");
  const std::string text = signer.sign(pass());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character of a base64 group may hold unused bits; then it is still the same signature.
    if (signer.open(changed, "box", "host", 0)) CHECK((i + 1 == text.size() || text[i + 1] == '.'));
  }
  for (std::string bad : {std::string(), std::string("."), text.substr(0, text.size() - 3), "x" + text, text + ".x",
                          text.substr(text.find('.')), text + text, std::string(5000, 'A')}) {
    CAPTURE(bad);
    CHECK_FALSE(signer.open(bad, "box", "host", 0));
  }
}

TEST_CASE("set-cookie") {
  CHECK(set_cookie("n", "v", std::chrono::seconds(60), "/", false) ==
        "n=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
  CHECK(set_cookie("n", "v", std::chrono::seconds(60), "/", true).ends_with("; Secure"));
}

TEST_CASE("signed file URLs") {
  // From the published formula, computed with another program.
  const std::string signature = sign_file_url("signing-key", "GET", "/home/a b.txt", 0);
  CHECK(signature.starts_with("v1_"));
  CHECK(signature.size() == 3 + 43);
  auto check = [](std::string query, std::string_view method = "GET", WallMs now = 1'000'000) {
    return check_file_signature("signing-key", method, net::Query(query), now).has_value();
  };
  CHECK(check("path=%2Fhome%2Fa+b.txt&expires=0&signature=" + signature));
  CHECK(check("path=%2Fhome%2Fa+b.txt&expires=0&signature=" + signature, "HEAD"));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=0&signature=" + signature, "POST"));
  CHECK_FALSE(check("path=%2Fhome&expires=0&signature=" + signature));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=1&signature=" + signature));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=-1&signature=" + signature));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=x&signature=" + signature));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=0&signature="));
  CHECK_FALSE(check("path=%2Fhome%2Fa+b.txt&expires=0"));
  const std::string timed = sign_file_url("signing-key", "GET", "/f", 2'000);
  CHECK(check("path=/f&expires=2000&signature=" + timed, "GET", 1'999'999));
  CHECK_FALSE(check("path=/f&expires=2000&signature=" + timed, "GET", 2'000'000));
}

}  // namespace
