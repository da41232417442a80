#include "cli/reach_commands.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <optional>

#include "base/text.h"
#include "cli/sandbox_commands.h"

namespace sebring::cli {
namespace bj = boost::json;

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
  auto words = parse_ssh_command(field(access->get_object(), "sshCommand"));
  if (!words) return output.fail(words.error());
  return output.fail(become_ssh(*std::move(words)), kExecFailed);
}

int forward_port(ApiClient& api, const Output& output, const ForwardOptions& options) {
  auto ports = parse_forward(options.ports);
  if (!ports) return output.fail(ports.error(), kUsage);
  auto access = make_access(api, options.box, options.expires_minutes);
  if (!access) return output.fail(access.error());
  auto words = parse_ssh_command(field(access->get_object(), "sshCommand"));
  if (!words) return output.fail(words.error());
  const std::string local = "127.0.0.1:" + std::to_string(ports->first);
  words->insert(words->begin() + 1,
                {"-N", "-o", "ExitOnForwardFailure=yes", "-L", local + ":localhost:" + std::to_string(ports->second)});
  output.write("forwarding " + local + " to port " + std::to_string(ports->second) + " of " + options.box +
               "; Ctrl-C ends it\n");
  return output.fail(become_ssh(*std::move(words)), kExecFailed);
}

}  // namespace sebring::cli
