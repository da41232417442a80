#include "cli/reach_commands.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("parse_ssh_command takes only what the gateway prints") {
  CHECK(parse_ssh_command("ssh -p 2222 tok@host")->size() == 4);
  CHECK(parse_ssh_command("ssh tok@host")->size() == 2);
  for (std::string_view bad : {"", "ssh", "scp tok@host", "ssh -p x tok@host", "ssh -p 0 tok@host", "ssh -p 70000 t@h",
                               "ssh -oProxyCommand=x tok@host", "ssh -oProxyCommand=x@h", "ssh tok", "ssh @host",
                               "ssh tok@-x", "ssh tok@", "ssh -p 22 -v tok@host", "/tmp/ssh tok@host"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_ssh_command(bad));
  }
}

TEST_CASE("known_host_options") {
  CHECK(known_host_options("")->empty());
  CHECK(known_host_options("ssh-ed25519 AAAA+/= name")->back() ==
        "KnownHostsCommand=/bin/echo sebring-gateway ssh-ed25519 AAAA+/=");
  // ssh splits the command into words and expands %.
  for (std::string_view bad : {"ssh-ed25519", " AAAA", "ssh-ed25519 ", "a;b AAAA", "ssh-rsa A%hA", "ssh-rsa A\nB",
                               "ssh-rsa $(x)", "ssh-rsa A\"B", "ssh-rsa A\tB"}) {
    CAPTURE(bad);
    CHECK_FALSE(known_host_options(bad));
  }
}

TEST_CASE("parse_forward") {
  CHECK(parse_forward("8080:3000") == std::pair<std::uint16_t, std::uint16_t>(8080, 3000));
  CHECK(parse_forward("22") == std::pair<std::uint16_t, std::uint16_t>(22, 22));
  for (std::string_view bad : {"", ":", "1:", ":1", "0", "65536", "1:2:3", "+1", "a:1", "127.0.0.1:1:2"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_forward(bad));
  }
}

}  // namespace sebring::cli
