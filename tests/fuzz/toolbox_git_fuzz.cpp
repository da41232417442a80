// links: toolbox_git toolbox_git_wire json base
// What strangers send to the git operations: requests, URLs, lines of the helper, credential files, branch names of
// servers are text; the first byte chooses the parser.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/json.h"
#include "toolbox_git/credential_store.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/protocol.h"
#include "toolbox_git/request.h"
#include "toolbox_git/url.h"

namespace {

using namespace sebring::toolbox_git;

void expect(bool holds) {
  if (!holds) std::abort();
}

void url(std::string_view text) {
  const auto parsed = parse_repository_url(text);
  const auto shown = without_password(text);
  expect(without_password(shown) == shown);
  host_and_port(text);
  if (!parsed) return;
  const auto again = parse_repository_url(parsed->text);
  expect(again && again->host == parsed->host && again->port == parsed->port && again->scheme == parsed->scheme);
  expect((parsed->scheme == Scheme::local) == parsed->host.empty());
}

void request(std::string_view text) {
  constexpr std::string_view kOperations[] = {
      "clone", "status", "create_branch", "checkout",   "add",        "commit",   "push",
      "pull",  "init",   "add_remote",    "get_config", "set_config", "set_user", "store_credentials",
      "reset", "restore"};
  const auto operation = kOperations[text.empty() ? 0 : static_cast<unsigned char>(text[0]) % std::size(kOperations)];
  const auto object = sebring::json::parse_object(text.substr(text.empty() ? 0 : 1));
  if (!object) return;
  const auto parsed = parse_request(operation, *object);
  const auto job = decode_job(encode_job(operation, *object, ""));
  expect(parsed.has_value() == job.has_value());
  if (parsed) expect(parsed->index() == job->request.index());
}

void credentials(std::string_view text) {
  const auto found = find_credential(text, "https", "h", "");
  const auto more = with_credential(text, {"https", "h", "u", found ? found->password : "p"});
  const auto back = find_credential(more, "https", "h", "u");
  expect(back && back->password == (found ? found->password : "p"));
  expect(with_credential(more, {"https", "h", "u", back->password}) == more);
  parse_store_helper(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      url(text);
      break;
    case 1:
      request(text);
      break;
    case 2:
      credentials(text);
      break;
    case 3:
      (void)decode(text);
      break;
    default:
      (void)decode_job(text);
      http_status_in(text);
  }
  return 0;
}
