#pragma once
// Ways into a sandbox from outside.
#include <cstdint>
#include <string>

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

// "ssh -p 2222 TOKEN@host" -> words. Errc::bad_gateway for anything that is not such a command: it comes from a server.
Result<std::vector<std::string>> parse_ssh_command(std::string_view text);

}  // namespace sebring::cli
