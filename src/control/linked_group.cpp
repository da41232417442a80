#include "control/linked_group.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <set>

#include "control/log.h"
#include "json/json.h"
#include "net/client.h"

namespace sebring::control {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;
constexpr std::chrono::milliseconds kTellMax = 2s;
constexpr std::size_t kHostNameMax = 253;

// Names may be anything that people read; of those only some can be looked up.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kHostNameMax || name == "localhost" || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

struct Told {
  explicit Told(const asio::any_io_executor& executor) : all(executor) {}
  asio::steady_timer all;
  std::size_t open = 0;
};

asio::awaitable<void> tell(std::string id, std::string socket, std::string body, std::shared_ptr<Told> told) {
  net::Client toolbox([socket] { return net::connect_unix(socket); }, 1);
  net::Headers headers;
  headers.set("X-Sebring-Internal", "1");
  headers.set("Content-Type", "application/json");
  auto answer = co_await toolbox.ask("PUT", "/hosts", std::move(headers), std::move(body), kTellMax, 64 << 10);
  if (!answer || answer->status != 200) {
    log_warning("names of linked sandboxes for " + id + ": " +
                (answer ? "status " + std::to_string(answer->status) : answer.error().message()));
  }
  if (--told->open == 0) told->all.cancel();
}

std::string names_of(const Control& control, const std::vector<model::Sandbox>& members) {
  bj::array hosts;
  for (const model::Sandbox& member : members) {
    auto found = control.live.all().find(member.id);
    if (found == control.live.all().end() || found->second.address.empty()) continue;
    bj::array names{bj::value(member.id)};
    if (member.name != member.id && is_host_name(member.name)) names.emplace_back(member.name);
    hosts.push_back(bj::object{{"address", found->second.address}, {"names", std::move(names)}});
  }
  // Who is alone needs no names.
  if (hosts.size() == 1) hosts.clear();
  return json::serialize(bj::object{{"hosts", std::move(hosts)}});
}

// One after the other for a group, or an older list could arrive behind a newer one.
asio::awaitable<void> refresh(Control& control, std::string head_id) {
  auto place = co_await control.lines.enter("group " + head_id);
  if (!place) co_return;  // those in line before us will see what we saw
  auto head = co_await control.store.sandboxes.find(head_id);
  auto linked = co_await control.store.sandboxes.linked_to(head_id);
  if (!head || !linked) co_return;
  std::vector<model::Sandbox> members = std::move(*linked);
  if (*head) members.insert(members.begin(), std::move(**head));
  const std::string body = names_of(control, members);
  auto told = std::make_shared<Told>(control.executor);
  told->all.expires_after(kTellMax);
  for (const model::Sandbox& member : members) {
    auto* live = control.live.find(member.id);
    // One that is paused hears of it when it is resumed.
    if (live == nullptr || live->socket.empty() || live->state != model::SandboxState::started) continue;
    ++told->open;
    control.tasks.spawn("names of linked sandboxes", tell(member.id, live->socket, body, told));
  }
  if (told->open > 0) co_await told->all.async_wait(asio::as_tuple(asio::use_awaitable));
}

// The head of its group; nothing for one that has nobody.
std::optional<std::string> group_of(const Control& control, const std::string& id) {
  auto found = control.live.all().find(id);
  if (found != control.live.all().end() && !found->second.linked_to.empty()) return found->second.linked_to;
  return control.live.linked_to(id) > 0 ? std::optional(id) : std::nullopt;
}

}  // namespace

asio::awaitable<void> note_running(Control& control, std::string sandbox_id, RunnerReport report) {
  auto* live = control.live.find(sandbox_id);
  if (live == nullptr) co_return;
  live->socket = std::move(report.socket);
  live->address = std::move(report.address);
  if (auto head = group_of(control, sandbox_id)) co_await refresh(control, std::move(*head));
}

void note_gone(Control& control, const model::Sandbox& sandbox) {
  std::optional<std::string> head = sandbox.linked_sandbox_id;
  if (!head) head = group_of(control, sandbox.id);
  if (head) control.tasks.spawn("names of linked sandboxes", refresh(control, std::move(*head)));
}

void refresh_groups(Control& control) {
  std::set<std::string> heads;
  for (const auto& [id, live] : control.live.all())
    if (!live.linked_to.empty()) heads.insert(live.linked_to);
  for (const std::string& head : heads) control.tasks.spawn("names of linked sandboxes", refresh(control, head));
}

}  // namespace sebring::control
