#include "control/idle_probe.h"

#include <boost/json.hpp>

#include "json/json.h"
#include "net/client.h"

namespace sebring::control {
namespace {

namespace bj = boost::json;
constexpr std::chrono::milliseconds kAskMax{2'000};
constexpr std::size_t kAnswerBytesMax = 1 << 20;

asio::awaitable<bool> runs_command(std::string socket) {
  if (socket.empty()) co_return false;
  net::Client toolbox([socket] { return net::connect_unix(socket); }, 1);
  auto answer = co_await toolbox.ask("GET", "/process/session", {}, "", kAskMax, kAnswerBytesMax);
  if (!answer || answer->status != 200) co_return false;
  auto sessions = json::parse(answer->body);
  co_return sessions&& has_running_command(*sessions);
}

}  // namespace

bool has_running_command(const bj::value& sessions) {
  if (!sessions.is_array()) return false;
  for (const bj::value& session : sessions.get_array()) {
    if (!session.is_object()) continue;
    const bj::value* id = session.get_object().if_contains("sessionId");
    // What an image runs by itself is no work of anybody.
    if (id != nullptr && id->is_string() && id->get_string() == "entrypoint") continue;
    const bj::value* commands = session.get_object().if_contains("commands");
    if (commands == nullptr || !commands->is_array()) continue;
    for (const bj::value& command : commands->get_array()) {
      if (!command.is_object()) continue;
      const bj::value* code = command.get_object().if_contains("exitCode");
      if (code == nullptr || code->is_null()) return true;
    }
  }
  return false;
}

asio::awaitable<void> note_usage(Control& control, std::string sandbox_id) {
  auto usage = co_await control.runner.usage(sandbox_id);
  auto* live = control.live.find(sandbox_id);
  if (!usage || live == nullptr) co_return;
  live->cpu_noted = usage->cpu_nanoseconds;
  live->cpu_noted_at = control.service.now();
}

asio::awaitable<bool> is_working(Control& control, std::string sandbox_id) {
  auto* live = control.live.find(sandbox_id);
  if (live == nullptr) co_return false;
  if (co_await runs_command(live->socket)) co_return true;
  auto usage = co_await control.runner.usage(sandbox_id);
  live = control.live.find(sandbox_id);
  if (!usage || live == nullptr || !live->cpu_noted) co_return false;
  const std::int64_t passed_ms = control.service.now() - live->cpu_noted_at;
  const std::int64_t used = usage->cpu_nanoseconds - *live->cpu_noted;
  live->cpu_noted.reset();
  co_return passed_ms > 0 && static_cast<double>(used) > kBusyCpuShare* static_cast<double>(passed_ms) * 1e6;
}

}  // namespace sebring::control
