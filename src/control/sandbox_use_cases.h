#pragma once
// What can be asked of a sandbox that is there. Each has its own file. `sandbox` is an id or a name within the
// organization; errors carry the wire's texts.
#include <optional>
#include <string>
#include <vector>

#include "control/control.h"
#include "control/repeated_request.h"
#include "model/limits.h"

namespace sebring::control {

using model::Sandbox;

asio::awaitable<Result<Sandbox>> get_sandbox(Control&, std::string organization_id, std::string sandbox);

// Starts, resumes a paused one, restores an archived one; nothing to do for a started one. Answers when it runs.
// `use`: somebody came to it, with the tokens of its last run perhaps; they go on to hold.
enum class StartedBy { request, use };
asio::awaitable<Result<Sandbox>> start_sandbox(Control&, std::string organization_id, std::string sandbox,
                                               StartedBy by = StartedBy::request);
// Answers when it is stopped. An ephemeral one is deleted then.
asio::awaitable<Result<Sandbox>> stop_sandbox(Control&, std::string organization_id, std::string sandbox, bool force);
// From every state. The name is free at once; answers when nothing of it runs any more. Linked sandboxes go with it.
asio::awaitable<Result<Sandbox>> delete_sandbox(Control&, std::string organization_id, std::string sandbox);
asio::awaitable<Result<Sandbox>> pause_sandbox(Control&, std::string organization_id, std::string sandbox);
asio::awaitable<Result<Sandbox>> recover_sandbox(Control&, std::string organization_id, std::string sandbox,
                                                 bool skip_start);
asio::awaitable<Result<Sandbox>> resize_sandbox(Control&, std::string organization_id, std::string sandbox,
                                                model::Resize asked);
asio::awaitable<Result<Sandbox>> archive_sandbox(Control&, std::string organization_id, std::string sandbox);
asio::awaitable<Result<Sandbox>> backup_sandbox(Control&, std::string organization_id, std::string sandbox);
asio::awaitable<Result<Sandbox>> fork_sandbox(Control&, std::string organization_id, std::string sandbox,
                                              std::optional<std::string> name, RequestKey request = {});
asio::awaitable<Result<Sandbox>> snapshot_sandbox(Control&, std::string organization_id, std::string sandbox,
                                                  std::string name);

enum class Interval { stop, pause, archive, destroy, ttl };
asio::awaitable<Result<Sandbox>> set_interval(Control&, std::string organization_id, std::string sandbox,
                                              Interval which, std::int64_t minutes);
asio::awaitable<Result<Sandbox>> set_labels(Control&, std::string organization_id, std::string sandbox,
                                            model::TextMap labels);
asio::awaitable<Result<Sandbox>> set_public(Control&, std::string organization_id, std::string sandbox, bool is_public);
struct NetworkChange {
  std::optional<bool> block_all;
  std::optional<std::string> allow_list;
  std::optional<std::string> domain_list;
};
asio::awaitable<Result<Sandbox>> set_network(Control&, std::string organization_id, std::string sandbox,
                                             NetworkChange change);
asio::awaitable<Result<std::string>> rotate_signing_key(Control&, std::string organization_id, std::string sandbox);

// The fork tree.
asio::awaitable<Result<std::vector<Sandbox>>> list_ancestors(Control&, std::string organization_id,
                                                             std::string sandbox);
asio::awaitable<Result<std::vector<Sandbox>>> list_forks(Control&, std::string organization_id, std::string sandbox,
                                                         bool with_destroyed);
asio::awaitable<Result<Sandbox>> get_parent(Control&, std::string organization_id, std::string sandbox);

}  // namespace sebring::control
