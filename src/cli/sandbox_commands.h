#pragma once
// Verbs about sandboxes. Each returns the exit code. `box` is an id or a name.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

struct CreateOptions {
  std::string name, snapshot, user, target, size, network_allow_list, domain_allow_list, dockerfile;
  std::vector<std::string> env, labels, volumes;  // "K=V", "K=V", "VOLUME:PATH"
  bool is_public = false;
  bool network_block_all = false;
  std::optional<std::int64_t> cpu, gpu, memory, disk;                // GiB
  std::optional<std::int64_t> auto_stop, auto_archive, auto_delete;  // minutes
};
struct ListOptions {
  std::vector<std::string> labels, states;
  std::string name, cursor;
  std::int64_t limit = 100;  // of sandboxes shown, over several pages
};

// The body of POST /sandbox. Errc::invalid_argument naming the flag.
Result<boost::json::value> create_body(const CreateOptions& options);
// Path and query of the first page; `limit` at most the API's 200.
Result<std::string> list_path(const ListOptions& options, std::int64_t limit, std::string_view cursor);

int create_sandbox(ApiClient& api, const Output& output, const CreateOptions& options);
int list_sandboxes(ApiClient& api, const Output& output, const ListOptions& options);
int show_sandbox(ApiClient& api, const Output& output, const std::string& box);
int start_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes);
int stop_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes, bool force);
// `all`: every sandbox that the key can see; `boxes` must be empty then.
int delete_sandboxes(ApiClient& api, const Output& output, const std::vector<std::string>& boxes, bool all);

// "/sandbox/" + the escaped id or name.
std::string sandbox_path(const std::string& box);

}  // namespace sebring::cli
