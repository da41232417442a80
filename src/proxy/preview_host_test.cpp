#include "proxy/preview_host.h"

#include <doctest/doctest.h>

namespace {
using namespace sebring;
using namespace sebring::proxy;

constexpr std::string_view kId = "0b8c1a52-7d4e-4f6a-9b3c-2d1e0f9a8b7c";
std::string at(std::string_view label) { return std::string(label) + ".preview.test"; }

TEST_CASE("hosts that are exactly a preview") {
  struct Row {
    std::string host;
    int port;
    bool token;
  } rows[] = {{at("3000-" + std::string(kId)), 3000, false},
              {at("1-" + std::string(kId)), 1, false},
              {at("65535-" + std::string(kId)) + ":3000", 65535, false},
              {at("3000-abcdefghij012345"), 3000, true}};
  for (const Row& row : rows) {
    CAPTURE(row.host);
    const HostMatch match = match_preview_host(row.host, "preview.test");
    REQUIRE(match.kind == HostMatch::Kind::preview);
    CHECK(match.name.port == row.port);
    CHECK(match.name.is_token == row.token);
  }
}

TEST_CASE("hosts below the preview domain that are nothing") {
  const std::string id(kId);
  const std::string rows[] = {
      at("0-" + id),
      at("65536-" + id),
      at("01-" + id),
      at("+80-" + id),
      at("-80-" + id),
      at("80000000000-" + id),
      at(" 80-" + id),
      at("80 -" + id),
      at("0x50-" + id),
      at("80" + id),
      at("-" + id),
      at(id),
      at("80-"),
      at("80"),
      at("80--" + id),
      at("3000-0B8C1A52-7D4E-4F6A-9B3C-2D1E0F9A8B7C"),
      at("3000-0b8c1a52-7d4e-4f6a-9b3c-2d1e0f9a8b7"),
      at("3000-0b8c1a52-7d4e-4f6a-9b3c-2d1e0f9a8b7c0"),
      at("3000-0b8c1a527d4e4f6a9b3c2d1e0f9a8b7c"),
      at("3000-Abcdefghij012345"),
      at("3000-abcdefghij01234"),
      at("3000-abcdefghij0123456"),
      at("3000-abcdefghij01234_"),
      at("3000-b\xC3\xBC"
         "cdefghij0123"),
      at("x.3000-" + id),
      at("3000-" + id + ".x"),
      at("3000-" + id) + ".",
      at("3000-" + id) + ".:80",
      at("3000-" + id) + ":",
      at("3000-" + id) + ":0",
      at("3000-" + id) + ":x",
      at("3000-" + id) + ":99999",
      "3000-" + id + ".PREVIEW.test",
      "3000-" + id + ".preview.test..",
      at(std::string(300, '1') + "-" + id),
      "preview.test",
      "PREVIEW.TEST",
      "preview.test.",
      "preview.test:80",
      ".preview.test",
  };
  for (const std::string& host : rows) {
    CAPTURE(host);
    CHECK(match_preview_host(host, "preview.test").kind == HostMatch::Kind::malformed);
  }
}

TEST_CASE("hosts of others") {
  for (std::string_view host : {"", "localhost", "localhost:3000", "127.0.0.1", "[::1]:3000", "[::1]", "test",
                                "xpreview.test", "3000-x-preview.test", "preview.test.evil.example", ":", "a:b:c"}) {
    CAPTURE(host);
    CHECK(match_preview_host(host, "preview.test").kind == HostMatch::Kind::other);
  }
}

TEST_CASE("paths") {
  const std::string base = "/preview/" + std::string(kId);
  auto good = parse_preview_path(base + "/3000/a/b");
  REQUIRE(good.has_value());
  CHECK(good->name.port == 3000);
  CHECK(good->prefix == base + "/3000");
  CHECK(good->rest == "/a/b");
  CHECK(parse_preview_path(base + "/3000")->rest.empty());
  CHECK(parse_preview_path("/preview/abcdefghij012345/80/")->name.is_token);
  for (const std::string& bad :
       {base, base + "/", base + "/0/", base + "/03000/", base + "/70000/", base + "/x/", std::string("/preview/"),
        std::string("/preview//3000/"), std::string("/preview/../3000/"), std::string("/previews/x/3000/"),
        std::string("/preview/%30/3000/")}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_preview_path(bad).has_value());
  }
}

TEST_CASE("tokens and times of the wire") {
  CHECK(new_preview_token().size() == 32);
  CHECK(new_signed_token().size() == 16);
  CHECK(parse_label(80, new_signed_token())->is_token);
  CHECK(new_ssh_token().find_first_of("-_") == std::string::npos);
  CHECK(make_preview_url("https", "p.example", 80, "abc") == "https://80-abc.p.example");
  CHECK(signed_url_time(std::nullopt)->count() == 60);
  CHECK(signed_url_time(86'400)->count() == 86'400);
  for (std::int64_t bad : {0L, -1L, 86'401L}) {
    auto time = signed_url_time(bad);
    REQUIRE_FALSE(time.has_value());
    CHECK(time.error().message() == "expiresInSeconds must be between 1 second and 24 hours");
  }
}

}  // namespace
