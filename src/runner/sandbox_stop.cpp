#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <set>

#include "os/reclaim.h"
#include "runner/sandbox_state.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kKillPatience{20};

// Waits until one of many processes has ended, at most until `until`.
asio::awaitable<void> wait_for_any(asio::any_io_executor executor, const std::vector<runtime::UserProcess>& processes,
                                   Steady::time_point until) {
  UniqueFd all(::epoll_create1(EPOLL_CLOEXEC));
  if (!all) co_return;
  for (const auto& process : processes) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = process.pidfd.get()}};
    ::epoll_ctl(all.get(), EPOLL_CTL_ADD, process.pidfd.get(), &event);
  }
  using namespace asio::experimental::awaitable_operators;
  asio::posix::stream_descriptor descriptor(executor, all.release());
  asio::steady_timer timer(executor, until);
  co_await (descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kToken) || timer.async_wait(kToken));
}

}  // namespace

// TERM once to every process of the users, also to those that appear meanwhile, until none is left or the time is over.
// Shells at a terminal ignore it, and would take the whole time: they are told that the terminal hangs up.
asio::awaitable<void> Sandboxes::terminate_users(Handle sandbox, std::chrono::milliseconds grace) {
  const auto until = Steady::now() + grace;
  std::set<pid_t> told;
  while (Steady::now() < until && !sandbox->life->ended) {
    auto processes = co_await parts_.workers.run(
        [&](runtime::Host::Wires&) { return runtime::user_processes(parts_.host, *sandbox->container); });
    if (!processes || processes->empty()) co_return;
    for (const auto& process : *processes) {
      if (!told.insert(process.pid).second) continue;
      (void)os::signal_pidfd(process.pidfd.get(), SIGTERM);
      if (os::leads_terminal(process.pid)) (void)os::signal_pidfd(process.pidfd.get(), SIGHUP);
    }
    co_await wait_for_any(parts_.executor, *processes, until);
  }
}

Result<void> Sandboxes::begin_kill(Handle sandbox) {
  sandbox->end_expected = true;
  if (!sandbox->life) return {};
  // A frozen process does not die under cgroup version 1.
  if (sandbox->record.paused) (void)parts_.host.cgroups().freeze(runtime::name_of(sandbox->record.index), false);
  return os::signal_pidfd(sandbox->container->pidfd.get(), SIGKILL);
}

asio::awaitable<Result<void>> Sandboxes::kill(Handle sandbox) {
  SB_CO_CHECK(begin_kill(sandbox));
  auto life = sandbox->life;
  if (!life) co_return Result<void>{};
  for (auto until = Steady::now() + kKillPatience; !life->ended;) {
    if (Steady::now() > until) co_return fail(Errc::timed_out, "sandbox " + sandbox->record.id + " does not die");
    co_await life->changed.wait(std::chrono::seconds(1));
  }
  co_return Result<void>{};
}

asio::awaitable<Result<bj::object>> Sandboxes::stop(std::string id, StopOrder order) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  if (sandbox->container) {
    if (!order.force && !sandbox->record.paused)
      co_await terminate_users(sandbox, std::chrono::milliseconds(order.grace_ms));
    SB_CO_CHECK(co_await kill(sandbox));
    sandbox->record.state = State::stopped;
    sandbox->record.cause.reset();
    sandbox->record.paused = false;
    Journal::Ticket ticket = parts_.journal.append(sandbox->record);
    let_go(sandbox);
    SB_CO_CHECK(co_await wait_durable(ticket));
  }
  co_return report_of(*sandbox);
}

asio::awaitable<Result<void>> Sandboxes::remove(std::string id) {
  if (Handle sandbox = find(id)) give_up_copies(*sandbox);
  auto locked = co_await lock(id);
  if (!locked)
    co_return locked.error().code() == Errc::not_found ? Result<void>{} : std::unexpected(std::move(locked).error());
  Handle sandbox = locked->sandbox;
  sandbox->record.state = State::deleting;
  // Synced while the processes die. A journal that cannot be written must not keep a sandbox alive: the disk's absence
  // tells the same to the next start.
  Journal::Ticket ticket = parts_.journal.append(sandbox->record);
  // Nobody waits for the last process to be gone: the cleanup does, before it frees what they may still hold.
  SB_CO_CHECK(begin_kill(sandbox));
  runtime::Leftover leftover;
  if (sandbox->container) leftover = leftover_of(std::move(*sandbox->container), false);
  sandbox->container.reset();
  sandbox->life.reset();
  (void)co_await wait_durable(ticket);
  forget_later(sandbox->record.disk, leftover);
  parts_.cleanup.dispose(std::move(leftover));
  sandbox->removed = true;
  leave_group(sandbox->record);
  sandboxes_.erase(id);
  co_return Result<void>{};
}

asio::awaitable<Result<bj::object>> Sandboxes::set_paused(std::string id, bool paused) {
  SB_CO_TRY(auto locked, co_await lock(id));
  Handle sandbox = locked.sandbox;
  if (!sandbox->container) co_return fail(Errc::conflict, "sandbox " + id + " does not run");
  if (sandbox->record.paused != paused) {
    SB_CO_CHECK(parts_.host.cgroups().freeze(runtime::name_of(sandbox->record.index), paused));
    sandbox->record.paused = paused;
    parts_.journal.append(sandbox->record);
    if (paused) {
      to_reclaim_.push_back(runtime::name_of(sandbox->record.index));
      if (!reclaiming_) asio::co_spawn(parts_.executor, reclaim_paused(), asio::detached);
    }
  }
  co_return report_of(*sandbox);
}

// Nobody waits for it: a resume in the middle finds its processes whole and reads the files that it needs again.
asio::awaitable<void> Sandboxes::reclaim_paused() {
  reclaiming_ = true;
  while (!to_reclaim_.empty() && !closed_) {
    std::string group = std::move(to_reclaim_.front());
    to_reclaim_.pop_front();
    (void)co_await parts_.workers.run([&](runtime::Host::Wires&) {
      if (auto memory = parts_.host.cgroups().memory_directory(group)) os::reclaim_memory(memory->get());
      return true;
    });
  }
  reclaiming_ = false;
}

}  // namespace sebring::runner
