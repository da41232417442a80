#include "toolbox/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <list>
#include <unordered_map>
#include <unordered_set>

#include "toolbox/memory_watch.h"
#include "toolbox/process_tree.h"
#include "toolbox/spawn.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// From clone to exec. Longer means that somebody stopped the child in between or that its file system hangs.
constexpr std::chrono::seconds kStartTime{5};
// A tree that forks faster than we look is stopped first; passes beyond this find processes that can not be killed.
constexpr int kKillPasses = 50;
constexpr std::chrono::milliseconds kKillPause{2};
// Until the runner has read the kernel's log. Nobody may be there who does.
constexpr std::chrono::milliseconds kVictimTime{1000};
constexpr std::chrono::milliseconds kVictimPause{5};

std::uint64_t number_of(const std::optional<os::OomNote>& note) { return note ? note->number : 0; }

class ChildProcess;

// Children that are not reaped yet, and what ends them: SIGCHLD by a signalfd.
struct Children : std::enable_shared_from_this<Children> {
  Children(asio::io_context& the_io, int the_cgroup_file, int memory_cgroup)
      : io(the_io), cgroup_file(the_cgroup_file), memory(memory_cgroup), signals(the_io) {}

  void watch();
  asio::awaitable<void> reap_loop();
  void reap_ended();
  void bury_launches();

  asio::io_context& io;
  int cgroup_file;
  MemoryWatch memory;
  UniqueFd null_device;
  asio::posix::stream_descriptor signals;
  std::unordered_map<pid_t, std::shared_ptr<ChildProcess>> running;
  // Launches whose child may still share our memory.
  std::list<std::shared_ptr<Launch>> unfinished;
};

class ChildProcess final : public Process, public std::enable_shared_from_this<ChildProcess> {
 public:
  // What memory limits had done before its start.
  struct Before {
    std::uint64_t kills = 0;
    std::uint64_t note = 0;
  };
  ChildProcess(std::shared_ptr<Children> children, pid_t pid, Before before)
      : children_(std::move(children)), pid_(pid), before_(before), ended_event_(children_->io) {
    ended_event_.expires_at(asio::steady_timer::time_point::max());
  }

  pid_t pid() const override { return pid_; }
  std::optional<ExitStatus> ended() const override { return ended_; }

  asio::awaitable<ExitStatus> wait() override {
    auto self = shared_from_this();
    try_reap();
    while (!ended_) {
      co_await ended_event_.async_wait(kToken);
      if (!ended_ && (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
        co_return ExitStatus{};  // the loser of a ||; nobody looks at it
      }
    }
    if (ended_->out_of_memory &&
        (co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none)
      co_await ask_for_victim();
    co_return *ended_;
  }

  void signal_group(int signal) override {
    if (!ended_) ::kill(-pid_, signal);
  }

  asio::awaitable<void> kill_tree() override;

  void signal_session(int signal, bool own_group) override {
    for (const ProcessEntry& member : session()) {
      if (own_group || member.group != pid_) ::kill(member.pid, signal);
    }
  }

  bool session_alive() const override { return !session().empty(); }

  // Only this function reaps, so the pid is ours until it has.
  void try_reap() {
    if (ended_) return;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) return;
    finish(info);
  }

 private:
  // The log is read by another process; asking again and again for some milliseconds is all there is.
  asio::awaitable<void> ask_for_victim() {
    auto self = shared_from_this();
    while (!victim_asked_) {
      const auto note = children_->memory.victim();
      if (number_of(note) != before_.note) ended_->out_of_memory->victim = note->victim;
      victim_asked_ = number_of(note) != before_.note || std::chrono::steady_clock::now() > ended_at_ + kVictimTime;
      if (victim_asked_) co_return;
      asio::steady_timer pause(children_->io, kVictimPause);
      co_await pause.async_wait(kToken);
      if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
    }
  }

  void finish(const siginfo_t& info) {
    ExitStatus status;
    if (info.si_code == CLD_EXITED) {
      status.code = info.si_status;
    } else {
      status.signal = info.si_status;
      status.code = 128 + info.si_status;
    }
    // The victim is often a grandchild: a shell reports it as 137, a compiler driver as 1.
    if (status.code != 0 && children_->memory.kills() > before_.kills) {
      status.out_of_memory = children_->memory.limits();
    }
    ended_ = status;
    ended_at_ = std::chrono::steady_clock::now();
    ended_event_.cancel();
    children_->running.erase(pid_);
  }

  // Once reaped the number may be another's; a member of the old session would have kept it from being given again.
  bool number_is_anothers() const { return ended_ && read_process(pid_); }

  std::vector<pid_t> tree() const {
    if (number_is_anothers()) return {};
    return tree_of(read_processes(), pid_);
  }

  std::vector<ProcessEntry> session() const {
    if (number_is_anothers()) return {};
    return session_of(read_processes(), pid_);
  }

  std::shared_ptr<Children> children_;
  pid_t pid_;
  Before before_;
  std::optional<ExitStatus> ended_;
  std::chrono::steady_clock::time_point ended_at_;
  bool victim_asked_ = false;
  asio::steady_timer ended_event_;
};

asio::awaitable<void> ChildProcess::kill_tree() {
  auto self = shared_from_this();
  for (int pass = 0; pass < kKillPasses; ++pass) {
    // Stop first, so that nobody forks away between the look and the kill.
    std::unordered_set<pid_t> stopped;
    for (bool found = true; found;) {
      found = false;
      for (pid_t member : tree()) {
        if (!stopped.insert(member).second) continue;
        ::kill(member, SIGSTOP);
        found = true;
      }
    }
    if (stopped.empty()) break;
    for (pid_t member : stopped) ::kill(member, SIGKILL);
    asio::steady_timer pause(children_->io, kKillPause);
    co_await pause.async_wait(kToken);
  }
  try_reap();
}

void Children::watch() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  SB_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  SB_ASSERT(fd >= 0);
  signals.assign(fd);
  null_device.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  // Not PID 1 (stand-alone): whoever loses its parent is ours nevertheless.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  asio::co_spawn(io, reap_loop(), asio::detached);
}

asio::awaitable<void> Children::reap_loop() {
  auto self = shared_from_this();
  for (;;) {
    auto [code] = co_await signals.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code) co_return;
    signalfd_siginfo ignored;
    while (::read(signals.native_handle(), &ignored, sizeof ignored) > 0) {
    }
    reap_ended();
  }
}

void Children::reap_ended() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return;
    // One of ours is reaped through its entry, which keeps the status; an unreaped one would hide all others here.
    if (auto found = running.find(info.si_pid); found != running.end()) {
      auto child = found->second;
      child->try_reap();
    } else {
      ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    }
  }
}

void Children::bury_launches() {
  std::erase_if(unfinished, [](const std::shared_ptr<Launch>& launch) { return launch->finished(); });
}

Error start_error(const SpawnFailure& failure, const StartSpec& spec) {
  std::string doing(spawn_step_name(failure.step));
  if (failure.step == SpawnStep::cwd) doing += " " + spec.cwd;
  if (failure.step == SpawnStep::exec) {
    doing += " " + (!spec.candidates.empty() ? spec.candidates.front() : spec.argv.empty() ? "" : spec.argv.front());
  }
  return Error::from_errno(failure.error, doing);
}

bool has_nul(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) return true;
  }
  return false;
}

class SpawnerImpl final : public Spawner {
 public:
  explicit SpawnerImpl(std::shared_ptr<Children> children) : children_(std::move(children)) {}
  ~SpawnerImpl() override {
    boost::system::error_code ignored;
    children_->signals.close(ignored);
  }

  asio::awaitable<Result<std::shared_ptr<Process>>> start(StartSpec spec) override {
    auto children = children_;
    if (spec.argv.empty()) co_return fail(Errc::invalid_argument, "no program to start");
    if (spec.cwd.find('\0') != std::string::npos || has_nul(spec.argv) || has_nul(spec.environment)) {
      co_return fail(Errc::invalid_argument, "NUL character in an argument, the environment or the directory");
    }
    children->bury_launches();
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0) co_return fail_errno(errno, "make a pipe");
    UniqueFd status_end(pipe[1]);
    asio::posix::stream_descriptor status(children->io, pipe[0]);
    // In the list before the clone: whatever happens here, it stays as long as the child needs it.
    const auto kept = std::make_shared<Launch>(std::move(spec), children->cgroup_file, children->null_device.get());
    children->unfinished.push_back(kept);
    const ChildProcess::Before before{children->memory.kills(), number_of(children->memory.victim())};
    const pid_t pid = kept->clone_child(status_end.get());
    status_end.reset();
    if (pid < 0) co_return fail(start_error({SpawnStep::clone, -pid}, kept->spec()));
    auto child = std::make_shared<ChildProcess>(children, pid, before);
    children->running.emplace(pid, child);

    // A cancelled caller gets its process all the same, or nobody could end it; the wait is short.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const SpawnFailure failure = co_await outcome(status, *child);
    co_await asio::this_coro::throw_if_cancelled(throws);
    children->bury_launches();
    if (failure.step != SpawnStep::none) {
      child->try_reap();
      co_return fail(start_error(failure, kept->spec()));
    }
    co_return child;
  }

 private:
  // Waits until the child has executed, or says what went wrong. A child that was killed on the way counts as started:
  // it ended by that signal.
  static asio::awaitable<SpawnFailure> outcome(asio::posix::stream_descriptor& status, ChildProcess& child) {
    // The timer's handler may run after this function has returned, so what it looks at is shared.
    struct Watch {
      asio::posix::stream_descriptor* status;
      bool late = false;
    };
    const auto watch = std::make_shared<Watch>(&status);
    asio::steady_timer watchdog(status.get_executor(), kStartTime);
    watchdog.async_wait([watch, pid = child.pid()](boost::system::error_code code) {
      if (code || !watch->status) return;
      watch->late = true;
      ::kill(pid, SIGKILL);
      watch->status->cancel();
    });
    SpawnFailure failure;
    for (;;) {
      const ssize_t got = ::read(status.native_handle(), &failure, sizeof failure);
      if (got == sizeof failure) break;
      if (got == 0) {
        failure = watch->late ? SpawnFailure{SpawnStep::exec, ETIMEDOUT} : SpawnFailure{};
        break;
      }
      if (got < 0 && errno != EAGAIN && errno != EINTR) {
        failure = {SpawnStep::clone, errno};
        break;
      }
      co_await status.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    }
    watch->status = nullptr;
    co_return failure;
  }

  std::shared_ptr<Children> children_;
};

Result<Pipe> make_pipe(bool read_end_is_ours) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  const int ours = read_end_is_ours ? ends[0] : ends[1];
  if (::fcntl(ours, F_SETFL, O_NONBLOCK | (read_end_is_ours ? O_RDONLY : O_WRONLY)) < 0) {
    return fail_errno(errno, "make a pipe non-blocking");
  }
  return pipe;
}

}  // namespace

std::unique_ptr<Spawner> make_spawner(asio::io_context& io, int user_cgroup, int memory_cgroup) {
  auto children = std::make_shared<Children>(io, user_cgroup, memory_cgroup);
  children->watch();
  return std::make_unique<SpawnerImpl>(children);
}

Result<Pipe> make_output_pipe() { return make_pipe(true); }
Result<Pipe> make_input_pipe() { return make_pipe(false); }

}  // namespace sebring::toolbox
