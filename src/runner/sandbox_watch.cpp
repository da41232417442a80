// Daemons that do not answer any more: a dead one is an event of its pidfd, one that stands still has to be asked.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cstdio>

#include "runner/sandbox_state.h"

namespace sebring::runner {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLook{1};
// Each is asked once in this time while they are few; of thousands so many a second, which costs nothing to speak of.
constexpr std::size_t kRoundSeconds = 20;
constexpr std::size_t kAsksPerSecondMax = 20;
// Who has not answered by then is looked at.
constexpr std::chrono::seconds kAnswerMax{5};
// Looks in a row, a second apart, at which it neither ran nor wanted to run. Counted in looks of ours, so that a
// machine that stood still, or a clock that jumped, blames nobody.
constexpr int kStillLooksMax = 10;
constexpr int kLooksMax = 120;
constexpr std::string_view kQuestion = "GET /version HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n";

// A connection that has asked already; nothing when its line is full, or it has just ended.
UniqueFd ask(const std::string& path) {
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!connection || path.size() >= sizeof address.sun_path) return {};
  path.copy(address.sun_path, path.size());
  if (::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return {};
  if (::send(connection.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) < 0) return {};
  return connection;
}

// What it says is nobody's business here: any sound is an answer, its end too.
bool has_answered(const UniqueFd& connection) {
  pollfd look{connection.get(), POLLIN, 0};
  return connection && ::poll(&look, 1, 0) != 0;
}

asio::awaitable<void> wait_for_answer(asio::any_io_executor executor, const UniqueFd& connection,
                                      std::chrono::milliseconds at_most) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(executor, at_most);
  int copy = connection ? ::fcntl(connection.get(), F_DUPFD_CLOEXEC, 3) : -1;
  if (copy < 0) {
    co_await timer.async_wait(kToken);
    co_return;
  }
  asio::posix::stream_descriptor descriptor(executor, copy);
  co_await (descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kToken) || timer.async_wait(kToken));
}

}  // namespace

// Standing still: no thread of it has run since the last look, is running, waits for its turn or for the disk, or is
// held by a debugger.
bool Sandboxes::stands_still(const Sandbox& sandbox, std::uint64_t& ticks_before) const {
  const auto activity = os::process_activity(sandbox.record.pid);
  if (!activity) return false;
  const bool ran = activity->ticks != std::exchange(ticks_before, activity->ticks);
  return !ran && activity->states.find_first_not_of("ST") == std::string::npos;
}

asio::awaitable<void> Sandboxes::look_after_daemons() {
  asio::steady_timer timer(parts_.executor);
  std::string last;
  while (!closed_) {
    timer.expires_after(kLook);
    co_await timer.async_wait(kToken);
    std::size_t asks = std::min(kAsksPerSecondMax, (running() + kRoundSeconds - 1) / kRoundSeconds);
    auto next = sandboxes_.upper_bound(last);
    for (std::size_t seen = 0; asks > 0 && seen < sandboxes_.size(); ++seen, ++next) {
      if (next == sandboxes_.end()) next = sandboxes_.begin();
      last = next->first;
      const Handle& sandbox = next->second;
      if (!sandbox->life || sandbox->life->asked || sandbox->record.paused) continue;
      --asks;
      asio::co_spawn(parts_.executor, look_after_daemon(sandbox, sandbox->life), asio::detached);
    }
  }
}

asio::awaitable<void> Sandboxes::look_after_daemon(Handle sandbox, std::shared_ptr<Life> life) {
  auto ours = [&] { return sandbox->life == life && !life->ended && !sandbox->record.paused && !closed_; };
  if (!ours() || life->asked) co_return;
  life->asked = true;
  UniqueFd connection = ask(sandbox->container->socket);
  co_await wait_for_answer(parts_.executor, connection, kAnswerMax);
  std::uint64_t ticks = 0;
  int still = 0;
  for (int looks = 0; ours() && !has_answered(connection) && still < kStillLooksMax && looks < kLooksMax; ++looks) {
    if (!connection) connection = ask(sandbox->container->socket);
    co_await wait_for_answer(parts_.executor, connection, kLook);
    still = ours() && stands_still(*sandbox, ticks) ? still + 1 : 0;
  }
  if (still == kStillLooksMax) co_await end_hung(sandbox, life, connection);
  life->asked = false;
}

// As if it had died by itself; its disk is whole, so a start brings it back.
asio::awaitable<void> Sandboxes::end_hung(Handle sandbox, std::shared_ptr<Life> life, const UniqueFd& connection) {
  Gate::Pass pass = co_await Gate::enter(sandbox->gate);
  if (sandbox->life != life || life->ended || sandbox->record.paused || sandbox->end_expected || closed_) co_return;
  // Somebody else may have frozen it.
  if (has_answered(connection) || parts_.host.cgroups().is_frozen(runtime::name_of(sandbox->record.index))) co_return;
  std::fprintf(stderr, "runner: the daemon of sandbox %s does not answer any more\n", sandbox->record.id.c_str());
  life->hung = true;
  (void)os::signal_pidfd(sandbox->container->pidfd.get(), SIGKILL);
}

}  // namespace sebring::runner
