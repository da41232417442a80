#pragma once
// Ways into a sandbox from outside.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

struct PreviewOptions {
  std::string box;
  std::int64_t port = 0;
  std::int64_t expires_s = 3600;
};
// A signed URL: it carries its own token, so it can be opened or passed on as it is.
int print_preview_url(ApiClient& api, const Output& output, const PreviewOptions& options);

struct SshOptions {
  std::string box;
  std::int64_t expires_minutes = 60;
};
// Makes an access token and becomes the `ssh` program. With --json prints the access instead.
int open_ssh(ApiClient& api, const Output& output, const SshOptions& options);

struct ForwardOptions {
  std::string box;
  std::string ports;  // "LOCAL:REMOTE" or "PORT" for both
  std::int64_t expires_minutes = 60;
};
// A port of this machine's loopback becomes one of the sandbox's, through the SSH gateway, until the program is
// stopped.
int forward_port(ApiClient& api, const Output& output, const ForwardOptions& options);

// "8080:3000" -> {8080, 3000}; "3000" -> {3000, 3000}. Errc::invalid_argument.
Result<std::pair<std::uint16_t, std::uint16_t>> parse_forward(std::string_view text);

// "ssh -p 2222 TOKEN@host" -> words. Errc::bad_gateway for anything that is not such a command: it comes from a server.
Result<std::vector<std::string>> parse_ssh_command(std::string_view text);

// Flags of ssh by which it accepts "TYPE BASE64" as the gateway's host key and no other; none for an empty key.
// Errc::bad_gateway for anything that is no key.
Result<std::vector<std::string>> known_host_options(std::string_view public_key);

}  // namespace sebring::cli
