#include "runner/sandboxes.h"

#include <fcntl.h>
#include <signal.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>

#include "os/link.h"
#include "runner/sandbox_state.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

void log_failure(const std::string& what, const Error& error) {
  std::fprintf(stderr, "runner: %s: %s\n", what.c_str(), error.message().c_str());
}

}  // namespace

Sandboxes::Sandboxes(Parts parts) : parts_(std::move(parts)), copying_(std::make_shared<Copying>(parts_.executor)) {}
Sandboxes::~Sandboxes() = default;

Sandboxes::Handle Sandboxes::find(const std::string& id) const {
  auto found = sandboxes_.find(id);
  return found == sandboxes_.end() ? nullptr : found->second;
}

asio::awaitable<Result<Sandboxes::Locked>> Sandboxes::lock(std::string id, Gate::Kind kind) {
  if (closed_) co_return fail(Errc::unavailable, "the runner is ending");
  for (;;) {
    Handle sandbox = find(id);
    if (!sandbox) co_return fail(Errc::not_found, "this runner has no sandbox " + id);
    Gate::Pass pass = co_await Gate::enter(sandbox->gate, kind);
    if (!sandbox->removed) co_return Locked{std::move(sandbox), std::move(pass)};
  }
}

asio::awaitable<Sandboxes::Locked> Sandboxes::lock_or_make(std::string id) {
  for (;;) {
    Handle& entry = sandboxes_[id];
    if (!entry) {
      entry = std::make_shared<Sandbox>(parts_.executor);
      entry->record.id = id;
    }
    Handle sandbox = entry;
    Gate::Pass pass = co_await Gate::enter(sandbox->gate);
    if (!sandbox->removed) co_return Locked{std::move(sandbox), std::move(pass)};
  }
}

bj::object Sandboxes::report_of(const Sandbox& sandbox) const {
  const auto& host = parts_.host;
  std::string address;
  if (sandbox.container && host.firewall())
    address = os::address_text(runtime::address_of(host.config().network_base, sandbox.container->index));
  return report_json(sandbox.record, sandbox.container ? sandbox.container->socket : "", address);
}

Result<bj::object> Sandboxes::report(const std::string& id) const {
  Handle sandbox = find(id);
  if (!sandbox || sandbox->removed || sandbox->record.disk.empty())
    return fail(Errc::not_found, "this runner has no sandbox " + id);
  return report_of(*sandbox);
}

std::vector<bj::object> Sandboxes::reports() const {
  std::vector<bj::object> list;
  for (const auto& [id, sandbox] : sandboxes_)
    if (!sandbox->removed && !sandbox->record.disk.empty()) list.push_back(report_of(*sandbox));
  return list;
}

std::size_t Sandboxes::running() const {
  std::size_t count = 0;
  for (const auto& [id, sandbox] : sandboxes_) count += sandbox->container.has_value();
  return count;
}

bool Sandboxes::uses_layer(const std::string& digest) const {
  for (const auto& [id, sandbox] : sandboxes_)
    for (const auto& layer : sandbox->record.layers)
      if (layer == digest) return true;
  return false;
}

asio::awaitable<Result<void>> Sandboxes::wait_durable(Journal::Ticket ticket) {
  co_return co_await parts_.workers.run([&](runtime::Host::Wires&) { return parts_.journal.wait_durable(ticket); });
}

void Sandboxes::close() {
  closed_ = true;
  for (auto& [id, sandbox] : sandboxes_) give_up_copies(*sandbox);
}

// The end of PID 1 is an event of its pidfd: noticed at once, whoever caused it.
bool Sandboxes::watch(Handle sandbox) {
  int copy = ::fcntl(sandbox->container->pidfd.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) {
    log_failure("watch sandbox " + sandbox->record.id, Error::from_errno(errno, "duplicate a descriptor"));
    return false;
  }
  sandbox->life = std::make_shared<Life>(parts_.executor, copy);
  sandbox->end_expected = false;
  asio::co_spawn(parts_.executor, notice_end(sandbox, sandbox->life), asio::detached);
  return true;
}

asio::awaitable<void> Sandboxes::notice_end(Handle sandbox, std::shared_ptr<Life> life) {
  // A wait may end early, for the descriptor that had this number before: only the kernel's word counts.
  do {
    auto [error] = co_await life->process.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (error) co_return;
  } while (!os::wait_pidfd(life->process.native_handle(), 0));
  life->status = os::reap_pidfd(life->process.native_handle());
  life->ended = true;
  boost::system::error_code ignored;
  life->process.close(ignored);
  life->changed.notify_all();
  if (sandbox->end_expected) co_return;
  Gate::Pass pass = co_await Gate::enter(sandbox->gate);
  if (sandbox->life != life || sandbox->removed || sandbox->end_expected) co_return;
  Cause cause = cause_of(*sandbox);
  sandbox->record.state = State::stopped;
  sandbox->record.cause = cause;
  parts_.journal.append(sandbox->record);
  let_go(sandbox);
  bj::object event{{"type", "exited"}, {"id", sandbox->record.id}, {"cause", cause_json(cause)}};
  parts_.events.publish(bj::serialize(event) + "\n");
}

// PID 1 lies outside the sandbox's memory limit, so that limit never kills it; the machine's memory may run out.
Cause Sandboxes::cause_of(const Sandbox& sandbox) const {
  Cause cause;
  const auto& status = sandbox.life->status;
  auto group = runtime::name_of(sandbox.record.index);
  auto usage = parts_.host.cgroups().usage(group);
  auto kill = parts_.oom_log.of_process(sandbox.record.pid);
  if (kill) {
    cause.kind = "out_of_memory";
    cause.message = kill->group.empty() ? "The machine's memory ran out" : "The memory limit was reached";
    cause.victim = kill->name;
    if (usage) cause.limit_bytes = usage->memory_limit_bytes;
    if (usage) cause.peak_bytes = usage->memory_peak_bytes;
    return cause;
  }
  if (sandbox.life->hung) {
    cause.kind = "toolbox_hung";
    cause.message = "The daemon in the sandbox stood still and was ended";
  } else if (status && status->signal == SIGKILL) {
    cause.kind = "killed";
    cause.message = "The sandbox was killed from outside";
  } else {
    cause.kind = "toolbox_died";
    cause.message = "The daemon in the sandbox ended";
    if (status && status->signal) cause.message += " by signal " + std::to_string(status->signal);
    if (status && !status->signal) cause.message += " with exit code " + std::to_string(status->code);
  }
  const auto words = sandbox.container ? runtime::last_words(sandbox.container->words.get()) : std::string();
  if (!words.empty()) cause.message += "; its daemon's last words: " + words;
  if (usage && usage->oom_kills > 0) {
    cause.message += "; before, its memory limit was reached " + std::to_string(usage->oom_kills) + " times";
    cause.limit_bytes = usage->memory_limit_bytes;
    cause.peak_bytes = usage->memory_peak_bytes;
    if (auto victim = parts_.oom_log.of_group(group)) cause.victim = victim->name;
  }
  return cause;
}

Error about_room(Error error) {
  if (error.os_errno() != ENOSPC && error.os_errno() != EDQUOT) return error;
  return std::move(error).while_doing("the pool is full: delete sandboxes or snapshots, or raise pool-size-gib");
}

void Sandboxes::let_go(Handle sandbox) {
  runtime::Leftover leftover = leftover_of(std::move(*sandbox->container), false);
  sandbox->container.reset();
  sandbox->life.reset();
  sandbox->record.paused = false;
  parts_.cleanup.dispose(std::move(leftover));
}

// The record ends when the disk is gone.
void Sandboxes::forget_later(const std::string& disk, runtime::Leftover& leftover) {
  leftover.upper = disk;
  leftover.done = [&journal = parts_.journal, disk] { journal.append_gone(disk); };
}

}  // namespace sebring::runner
