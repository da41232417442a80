#include "cli/reach_commands.h"

#include <unistd.h>

#include <boost/json.hpp>

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

int open_ssh(ApiClient& api, const Output& output, const SshOptions& options) {
  auto answer =
      api.post(sandbox_path(options.box) + "/ssh-access?expiresInMinutes=" + std::to_string(options.expires_minutes));
  if (!answer) return output.fail(answer.error());
  if (!answer->is_object()) return output.fail(Error(Errc::bad_gateway, "the server answered no access"));
  if (output.json) {
    output.write_json(*answer);
    return kOk;
  }
  auto words = parse_ssh_command(field(answer->get_object(), "sshCommand"));
  if (!words) return output.fail(words.error());
  std::vector<char*> arguments;
  for (std::string& word : *words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp("ssh", arguments.data());
  return output.fail(Error::from_errno(errno, "start ssh (apt-get install openssh-client)"), kExecFailed);
}

}  // namespace sebring::cli
