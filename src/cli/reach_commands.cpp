#include "cli/reach_commands.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <optional>

#include "base/text.h"
#include "cli/sandbox_commands.h"
#include "cli/shell_quote.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

// What the gateway's key belongs to, whatever its address.
constexpr std::string_view kHostAlias = "sebring-gateway";

}  // namespace

int print_preview_url(ApiClient& api, const Output& output, const PreviewOptions& options) {
  auto answer = api.get(sandbox_path(options.box) + "/ports/" + std::to_string(options.port) +
                        "/signed-preview-url?expiresInSeconds=" + std::to_string(options.expires_s));
  if (!answer) return output.fail(answer.error());
  if (!answer->is_object()) return output.fail(Error(Errc::bad_gateway, "the server answered no URL"));
  if (output.json) {
    output.write_json(*answer);
  } else {
    output.write(field(answer->get_object(), "url") + "\n");
  }
  return kOk;
}

Result<std::vector<std::string>> parse_ssh_command(std::string_view text) {
  auto bad = [&] {
    return fail(Errc::bad_gateway, "the server's ssh command is not understood: " + std::string(text));
  };
  std::vector<std::string> words;
  for (std::string_view word : split(text, ' '))
    if (!word.empty()) words.emplace_back(word);
  const bool with_port = words.size() == 4 && words[1] == "-p";
  if (words.empty() || words[0] != "ssh" || (words.size() != 2 && !with_port)) return bad();
  if (with_port) {
    auto port = parse_integer(words[2]);
    if (!port || *port < 1 || *port > 65535) return bad();
  }
  // A destination that looks like a flag would become one: -oProxyCommand runs programs here.
  const std::string& destination = words.back();
  const std::size_t at = destination.find('@');
  if (destination.starts_with('-') || at == 0 || at == std::string::npos || at + 1 == destination.size() ||
      destination[at + 1] == '-')
    return bad();
  return words;
}

Result<std::vector<std::string>> known_host_options(std::string_view public_key) {
  if (public_key.empty()) return std::vector<std::string>{};
  const auto words = split(public_key, ' ');
  const auto plain = [](std::string_view word) {
    constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-.@";
    return !word.empty() && word.find_first_not_of(kAllowed) == std::string_view::npos;
  };
  if (words.size() < 2 || !plain(words[0]) || !plain(words[1]))
    return fail(Errc::bad_gateway, "the server's ssh host key is not understood");
  // A command instead of a file: there is nothing to write, to lock or to leave behind.
  return std::vector<std::string>{"-o",
                                  "HostKeyAlias=" + std::string(kHostAlias),
                                  "-o",
                                  "StrictHostKeyChecking=yes",
                                  "-o",
                                  "UserKnownHostsFile=none",
                                  "-o",
                                  "KnownHostsCommand=/bin/echo " + std::string(kHostAlias) + " " +
                                      std::string(words[0]) + " " + std::string(words[1])};
}

namespace {

Result<bj::value> make_access(ApiClient& api, const std::string& box, std::int64_t minutes) {
  SB_TRY(bj::value answer, api.post(sandbox_path(box) + "/ssh-access?expiresInMinutes=" + std::to_string(minutes)));
  if (!answer.is_object()) return fail(Errc::bad_gateway, "the server answered no access");
  return answer;
}

// Becomes the ssh program; comes back only with an error.
Error become_ssh(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp("ssh", arguments.data());
  return Error::from_errno(errno, "start ssh (apt-get install openssh-client)");
}

// ssh shall take the gateway's key from us: whoever gave us the token says it over the same connection, and nobody has
// to be there to accept a key. Nothing for a server that tells none.
Result<std::vector<std::string>> host_key_options(ApiClient& api) {
  SB_TRY(bj::value config, api.get("/config"));
  return known_host_options(config.is_object() ? field(config.get_object(), "sshGatewayPublicKey") : "");
}

Result<std::vector<std::string>> ssh_command_of(ApiClient& api, const bj::value& access) {
  SB_TRY(auto words, parse_ssh_command(field(access.get_object(), "sshCommand")));
  SB_TRY(auto options, host_key_options(api));
  words.insert(words.begin() + 1, options.begin(), options.end());
  return words;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  auto number = parse_integer(text);
  if (!number || *number < 1 || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

}  // namespace

Result<std::pair<std::uint16_t, std::uint16_t>> parse_forward(std::string_view text) {
  const std::size_t colon = text.find(':');
  auto local = port_of(text.substr(0, colon));
  auto remote = colon == std::string_view::npos ? local : port_of(text.substr(colon + 1));
  if (!local || !remote)
    return fail(Errc::invalid_argument, "\"" + std::string(text) + "\": expected LOCAL:REMOTE or PORT");
  return std::pair(*local, *remote);
}

int open_ssh(ApiClient& api, const Output& output, const SshOptions& options) {
  auto access = make_access(api, options.box, options.expires_minutes);
  if (!access) return output.fail(access.error());
  if (output.json) {
    output.write_json(*access);
    return kOk;
  }
  auto words = ssh_command_of(api, *access);
  if (!words) return output.fail(words.error());
  return output.fail(become_ssh(*std::move(words)), kExecFailed);
}

int forward_port(ApiClient& api, const Output& output, const ForwardOptions& options) {
  auto ports = parse_forward(options.ports);
  if (!ports) return output.fail(ports.error(), kUsage);
  auto access = make_access(api, options.box, options.expires_minutes);
  if (!access) return output.fail(access.error());
  auto words = ssh_command_of(api, *access);
  if (!words) return output.fail(words.error());
  const std::string local = "127.0.0.1:" + std::to_string(ports->first);
  const std::string ready =
      "forwarding " + local + " to port " + std::to_string(ports->second) + " of " + options.box + "; Ctrl-C ends it";
  // ssh runs it when it is logged in and listens.
  std::string say;
  for (char c : "echo " + shell_quote(ready)) say += c == '%' ? std::string("%%") : std::string(1, c);
  words->insert(words->begin() + 1,
                {"-N", "-o", "ExitOnForwardFailure=yes", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=" + say,
                 "-L", local + ":localhost:" + std::to_string(ports->second)});
  return output.fail(become_ssh(*std::move(words)), kExecFailed);
}

}  // namespace sebring::cli
