#include "toolbox_git/credential_store.h"

#include <doctest/doctest.h>

namespace sebring::toolbox_git {

TEST_CASE("stored credentials are found by protocol, host and user") {
  const char* file =
      "\n# nonsense\nhttps://only-user@h.test\nhttps://a:1@h.test/\nhttps://b%40x:p%3Aw%0a@H.test\r\n"
      "http://c:3@h.test\nhttps://d:4@h.test:8443\nhttps://e:5@h.test/path/only\nhttps://f:%zz@g.test\n";
  struct Row {
    const char *protocol, *host, *username;
    const char* password;  // null: nothing
  };
  const Row rows[] = {
      {"https", "h.test", "", "1"},       {"https", "h.test", "a", "1"},     {"https", "H.TEST", "b@x", "p:w\n"},
      {"http", "h.test", "", "3"},        {"https", "h.test:8443", "", "4"}, {"https", "h.test", "only-user", nullptr},
      {"https", "h.test", "e", nullptr},  {"https", "g.test", "", nullptr},  {"https", "sub.h.test", "", nullptr},
      {"http", "h.test:80", "", nullptr}, {"https", "", "", nullptr},        {"ssh", "h.test", "", nullptr},
      {"https", "h.tes", "", nullptr},    {"https", "h.test", "A", nullptr},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CAPTURE(row.username);
    const auto found = find_credential(file, row.protocol, row.host, row.username);
    CHECK(found.has_value() == (row.password != nullptr));
    if (found && row.password) CHECK(found->password == row.password);
  }
}

TEST_CASE("storing replaces the same user's and keeps the rest") {
  const std::string file = "https://a:old@h.test\nhttps://b:2@h.test\nstrange line\nhttp://a:3@h.test";
  const auto out = with_credential(file, {"https", "h.test", "a", "n/e:w@"});
  CHECK(out == "https://a:n%2Fe%3Aw%40@h.test\nhttps://b:2@h.test\nstrange line\nhttp://a:3@h.test\n");
  CHECK(find_credential(out, "https", "h.test", "a")->password == "n/e:w@");
  CHECK(with_credential("", {"https", "h", "u", "p"}) == "https://u:p@h\n");
}

TEST_CASE("which helpers are the plain store") {
  struct Row {
    const char* value;
    const char* file;  // null: not the store
  };
  const Row rows[] = {
      {"store", ""},
      {" store ", ""},
      {"store --file=/x/y", "/x/y"},
      {"store --file /x/y", "/x/y"},
      {"store --file '~/my creds'", "~/my creds"},
      {"/usr/lib/git-core/git-credential-store", ""},
      {"", nullptr},
      {"cache", nullptr},
      {"storex", nullptr},
      {"!store", nullptr},
      {"!f() { cat /etc/passwd; }; f", nullptr},
      {"git-credential-store", nullptr},
      {"store --file", nullptr},
      {"store --file=", nullptr},
      {"store --fileX/y", nullptr},
      {"store --other", nullptr},
      {"/bin/sh -c git-credential-store", nullptr},
  };
  for (const auto& row : rows) {
    CAPTURE(row.value);
    const auto got = parse_store_helper(row.value);
    CHECK(got.has_value() == (row.file != nullptr));
    if (got && row.file) CHECK(got->file == row.file);
  }
}

}  // namespace sebring::toolbox_git
