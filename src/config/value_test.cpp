#include <doctest/doctest.h>

#include <optional>

#include "config/settings.h"

namespace sebring::config {

TEST_CASE("normalise: one value of each kind") {
  struct Row {
    std::string_view setting, text;
    std::optional<std::string_view> expected;
  } rows[] = {
      {"data-dir", "/var/lib/x", "/var/lib/x"},
      {"data-dir", " /var//lib/./x/ ", "/var/lib/x"},
      {"data-dir", "", {}},
      {"data-dir", "relative/x", {}},
      {"data-dir", "~/x", {}},
      {"data-dir", "/a/../b", {}},
      {"data-dir", std::string_view("/a\0b", 4), {}},
      {"data-dir", "/a\nb", {}},
      {"run-dir", "", ""},
      {"listen", "127.0.0.1:3000", "127.0.0.1:3000"},
      {"listen", "localhost:0", "localhost:0"},
      {"listen", "[::1]:65535", "[::1]:65535"},
      {"listen", "0.0.0.0:80", "0.0.0.0:80"},
      {"listen", "3000", {}},
      {"listen", ":3000", {}},
      {"listen", "127.0.0.1", {}},
      {"listen", "127.0.0.1:", {}},
      {"listen", "127.0.0.1:65536", {}},
      {"listen", "127.0.0.1:-1", {}},
      {"listen", "127.0.0.1:+80", {}},
      {"listen", "::1:3000", {}},
      {"listen", "[127.0.0.1]:3000", {}},
      {"listen", "[::1:3000", {}},
      {"listen", "example.com:3000", {}},
      {"public-url", "https://box.example.com", "https://box.example.com"},
      {"public-url", "http://10.0.0.1:3000/", "http://10.0.0.1:3000"},
      {"public-url", "https://[fd00::1]:8443/base/", "https://[fd00::1]:8443/base"},
      {"public-url", "", ""},
      {"public-url", "box.example.com", {}},
      {"public-url", "ftp://box", {}},
      {"public-url", "http://", {}},
      {"public-url", "http://box:0", {}},
      {"public-url", "http://user@box", {}},
      {"public-url", "http://box?x=1", {}},
      {"public-url", "http://-box", {}},
      {"preview-domain", "preview.localhost:3000", "preview.localhost:3000"},
      {"preview-domain", "p.example.com", "p.example.com"},
      {"preview-domain", "*.example.com", {}},
      {"preview-domain", "http://p.example.com", {}},
      {"preview-domain", "a..b", {}},
      {"dns", "1.1.1.1, 2606:4700::1111", "1.1.1.1,2606:4700::1111"},
      {"dns", "1.1.1.1,", {}},
      {"dns", "dns.example.com", {}},
      {"ssh-listen", "off", "off"},
      {"ssh-listen", "0.0.0.0:2222", "0.0.0.0:2222"},
      {"ssh-listen", "on", {}},
      {"ssh-listen", "2222", {}},
      {"tls-listen", "", {}},
      {"trusted-proxies", "10.0.0.0/8, ::1,192.168.1.7", "10.0.0.0/8,::1,192.168.1.7"},
      {"trusted-proxies", "10.0.0.0/33", {}},
      {"trusted-proxies", "::1/129", {}},
      {"trusted-proxies", "proxy.example", {}},
      {"trusted-proxies", "10.0.0.0/", {}},
      {"sandbox-network", "10.64.0.0/12", "10.64.0.0/12"},
      {"sandbox-network", "10.64.0.1/12", {}},
      {"sandbox-network", "10.64.0.0/7", {}},
      {"sandbox-network", "10.64.0.0/17", {}},
      {"sandbox-network", "10.64.0.0", {}},
      {"slots", "0", "0"},
      {"slots", "0016", "16"},
      {"slots", "4097", {}},
      {"slots", "-1", {}},
      {"slots", "1.5", {}},
      {"slots", "ten", {}},
      {"slots", "99999999999999999999", {}},
      {"slots", "", {}},
      {"stop-sandboxes-on-exit", "No", "false"},
      {"stop-sandboxes-on-exit", "1", "true"},
      {"stop-sandboxes-on-exit", "maybe", {}},
      {"log-level", "debug", "debug"},
      {"log-level", "DEBUG", {}},
      {"log-level", "de", {}},
      {"control-user", "sebring_2", "sebring_2"},
      {"control-user", "Root", {}},
      {"control-user", "0", {}},
      {"control-user", "a b", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.setting);
    CAPTURE(row.text);
    const Setting* setting = find_setting(row.setting);
    REQUIRE(setting);
    auto value = normalise(*setting, row.text);
    REQUIRE(value.has_value() == row.expected.has_value());
    if (row.expected) {
      CHECK(*value == *row.expected);
    } else {
      CHECK(value.error().code() == Errc::invalid_argument);
      CHECK(value.error().message().starts_with(row.setting));
    }
  }
}

TEST_CASE("parse_address takes brackets off") {
  auto six = parse_address("[::1]:80");
  REQUIRE(six);
  CHECK(six->host == "::1");
  CHECK(six->port == 80);
  CHECK(parse_address("localhost:1")->host == "127.0.0.1");
}

TEST_CASE("the table is consistent") {
  for (const Setting& setting : settings()) {
    CAPTURE(setting.name);
    CHECK(normalise(setting, setting.default_text) == std::string(setting.default_text));
    CHECK(find_setting(setting.name) == &setting);
    CHECK_FALSE(setting.description.empty());
    CHECK_FALSE(allowed_values(setting).empty());
  }
  CHECK(environment_name(*find_setting("data-dir")) == "SEBRING_DATA_DIR");
  CHECK(find_setting("data") == nullptr);
}

}  // namespace sebring::config
