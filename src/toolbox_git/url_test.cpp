#include "toolbox_git/url.h"

#include <doctest/doctest.h>

#include <optional>

namespace sebring::toolbox_git {

TEST_CASE("repository URLs") {
  struct Expected {
    Scheme scheme;
    std::string_view host, port, user, text;
  };
  struct Row {
    std::string_view input;
    std::optional<Expected> expected;
  };
  const Row rows[] = {
      {"https://Example.com/a/b.git", Expected{Scheme::https, "example.com", "", "", "https://Example.com/a/b.git"}},
      {"http://u%40x:p@h:8080/r", Expected{Scheme::http, "h", "8080", "u@x", "http://u%40x:p@h:8080/r"}},
      {"https://[2001:DB8::1]:8443/r",
       Expected{Scheme::https, "2001:db8::1", "8443", "", "https://[2001:DB8::1]:8443/r"}},
      {"https://h:/r", Expected{Scheme::https, "h", "", "", "https://h:/r"}},
      {"example.com/a/b", Expected{Scheme::https, "example.com", "", "", "https://example.com/a/b"}},
      {"localhost/a", Expected{Scheme::https, "localhost", "", "", "https://localhost/a"}},
      {"git@example.com:a/b.git", Expected{Scheme::ssh, "example.com", "", "git", "git@example.com:a/b.git"}},
      {"ssh://git@example.com:2222/a",
       Expected{Scheme::ssh, "example.com", "2222", "git", "ssh://git@example.com:2222/a"}},
      {"git://example.com/a", Expected{Scheme::git, "example.com", "", "", "git://example.com/a"}},
      {"/srv/a b.git", Expected{Scheme::local, "", "", "", "/srv/a b.git"}},
      {"file:///srv/a.git", Expected{Scheme::local, "", "", "", "file:///srv/a.git"}},
      {"", {}},
      {"a", {}},
      {"./a", {}},
      {"../a/b", {}},
      {"a/b", {}},
      {".example.com/b", {}},
      {"https://", {}},
      {"https://host", {}},
      {"https://host/", {}},
      {"https:///path", {}},
      {"https://user@/path", {}},
      {"https://-oProxyCommand=x/path", {}},
      {"https://ho st/path", {}},
      {"https://host/a\nb", {}},
      {"/srv/a\tb", {}},
      {"https://host:0/p", {}},
      {"https://host:65536/p", {}},
      {"https://host:x/p", {}},
      {"https://host:1:2/p", {}},
      {"https://[::1/p", {}},
      {"https://[::1]x/p", {}},
      {"https://[]/p", {}},
      {"https://h%zz@host/p", {}},
      {"https://%zz@host/p", {}},
      {"file://host/srv", {}},
      {"file://relative", {}},
      {"ext::sh -c id", {}},
      {"ext::sh", {}},
      {"host:", {}},
      {"host::path", {}},
      {"ftp://host/p", {}},
      {"javascript://host/p", {}},
      {"://host/p", {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.input);
    const auto got = parse_repository_url(row.input);
    if (!row.expected) {
      CHECK(!got);
      if (!got) CHECK(got.error().code() == Errc::invalid_argument);
      continue;
    }
    REQUIRE(got);
    CHECK(got->scheme == row.expected->scheme);
    CHECK(got->host == row.expected->host);
    CHECK(got->port == row.expected->port);
    CHECK(got->user == row.expected->user);
    CHECK(got->text == row.expected->text);
  }
  CHECK(!parse_repository_url("https://host/" + std::string(5000, 'a')));
}

TEST_CASE("passwords are taken out of URLs that people see") {
  CHECK(without_password("https://u:secret@h/p") == "https://u@h/p");
  CHECK(without_password("https://u:se@cret@h/p") == "https://u@h/p");
  CHECK(without_password("https://u@h/p") == "https://u@h/p");
  CHECK(without_password("https://h/p:x@y") == "https://h/p:x@y");
  CHECK(without_password("git@h:p") == "git@h:p");
  CHECK(without_password("https://:secret@h") == "https://@h");
}

TEST_CASE("host and port of an URL") {
  CHECK(host_and_port("https://u:p@Example.com:8443/a/b?x") == "example.com:8443");
  CHECK(host_and_port("http://h") == "h");
  CHECK(host_and_port("/srv/x") == "");
}

}  // namespace sebring::toolbox_git
