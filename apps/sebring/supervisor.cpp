#include "supervisor.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/pulse.h"

namespace sebring {
namespace {

// The first restart is immediate: an accident should cost clients nothing. Who dies again soon waits longer each time.
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kHealthyAfter{10};
// A role that ends by itself again and again has something wrong that no restart mends. Being killed is no such sign.
constexpr int kEarlyDeathsMax = 8;

std::string describe(int status) {
  if (WIFEXITED(status)) return "ended with code " + std::to_string(WEXITSTATUS(status));
  return "was killed by signal " + std::to_string(WTERMSIG(status)) + (WCOREDUMP(status) ? " (core dumped)" : "");
}

}  // namespace

struct Supervisor::Role {
  RoleSpec spec;
  pid_t pid = 0;
  Steady::time_point started;
  std::chrono::milliseconds pause{0};
  int early_deaths = 0;
  bool ever_healthy = false;
  bool stopping = false;
  bool beating = false;  // heard since its start; before that it may work on its first tasks as long as it needs
  int silent_ticks = 0;
  std::unique_ptr<asio::steady_timer> timer;  // for the next start
};

Supervisor::Supervisor(asio::io_context& io, std::function<void(std::string)> log,
                       std::function<void(std::string)> give_up)
    : io_(io), children_(io, SIGCHLD), pulse_timer_(io), log_(std::move(log)), give_up_(std::move(give_up)) {
  wait_for_children();
  listen_for_pulses();
}

Supervisor::~Supervisor() = default;

Supervisor::Role* Supervisor::find(std::string_view name) const {
  for (const auto& role : roles_)
    if (role->spec.name == name) return role.get();
  return nullptr;
}

pid_t Supervisor::pid_of(std::string_view name) const {
  const Role* role = find(name);
  return role ? role->pid : 0;
}

Result<void> Supervisor::add(RoleSpec spec) {
  auto role = std::make_unique<Role>();
  role->spec = std::move(spec);
  role->timer = std::make_unique<asio::steady_timer>(io_);
  SB_TRY(role->pid, start_role(role->spec));
  role->started = Steady::now();
  roles_.push_back(std::move(role));
  return {};
}

void Supervisor::wait_for_children() {
  children_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    reap();
    wait_for_children();
  });
}

void Supervisor::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    bool ours = false;
    for (const auto& role : roles_) {
      if (role->pid != pid) continue;
      ended(*role, status);
      ours = true;
      break;
    }
    // As the subreaper we inherit the sandboxes of a dead runner, which adopts them again by pid and start time.
    if (!ours) log_("process " + std::to_string(pid) + " of an earlier runner " + describe(status));
  }
}

void Supervisor::ended(Role& role, int status) {
  role.pid = 0;
  const auto lived = Steady::now() - role.started;
  if (role.stopping) {
    role.timer->cancel();
    return;
  }
  log_(role.spec.name + " " + describe(status) + "; the others go on");
  if (lived >= kHealthyAfter) {
    role.ever_healthy = true;
    role.pause = std::chrono::milliseconds(0);
  } else if (WIFEXITED(status) && ++role.early_deaths > kEarlyDeathsMax && !role.ever_healthy) {
    give_up_(role.spec.name + " does not stay up");
    return;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == kDoNotRestart) {
    give_up_(role.spec.name + " can not run with this configuration");
    return;
  }
  start_again(role);
}

void Supervisor::start_again(Role& role) {
  role.timer->expires_after(role.pause);
  role.pause = role.pause.count() == 0 ? kFirstPause : std::min(role.pause * 2, kLongestPause);
  role.timer->async_wait([this, &role](const boost::system::error_code& error) {
    if (error || role.stopping) return;
    auto pid = start_role(role.spec);
    if (!pid) {
      log_(pid.error().message());
      start_again(role);
      return;
    }
    role.pid = *pid;
    role.started = Steady::now();
    role.beating = false;
    role.silent_ticks = 0;
    log_(role.spec.name + " started again as process " + std::to_string(role.pid));
  });
}

void Supervisor::listen_for_pulses() {
  pulse_timer_.expires_after(net::kPulseEvery);
  pulse_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& role : roles_) check_pulse(*role);
    listen_for_pulses();
  });
}

// Counts our own ticks, not the clock: when the whole machine stood still, so did we, and nobody is to blame.
void Supervisor::check_pulse(Role& role) {
  if (role.spec.pulse < 0) return;
  char beats[256];
  bool heard = false;
  while (::read(role.spec.pulse, beats, sizeof beats) > 0) heard = true;
  if (role.pid <= 0 || role.stopping) {
    role.beating = false;
    return;
  }
  if (heard) role.beating = true;
  role.silent_ticks = heard || !role.beating ? 0 : role.silent_ticks + 1;
  if (role.silent_ticks * net::kPulseEvery < kSilenceMax) return;
  log_(role.spec.name + " has been silent for " + std::to_string(kSilenceMax.count()) + " s and is killed");
  ::kill(role.pid, SIGKILL);
  role.beating = false;
  role.silent_ticks = 0;
}

asio::awaitable<void> Supervisor::stop(std::string name, std::chrono::milliseconds grace,
                                       std::chrono::milliseconds patience) {
  Role* role = find(name);
  if (!role) co_return;
  role->stopping = true;
  role->timer->cancel();
  const auto end = Steady::now() + grace;
  if (role->pid > 0) ::kill(role->pid, SIGTERM);
  bool killed = false;
  while (role->pid > 0) {
    role->timer->expires_at(killed ? end + patience : end);
    co_await role->timer->async_wait(asio::as_tuple(asio::use_awaitable));  // ended() cancels it
    if (role->pid > 0 && !killed && Steady::now() >= end) {
      log_(name + " did not stop in time and is killed");
      ::kill(role->pid, SIGKILL);
      killed = true;
    } else if (role->pid > 0 && killed && Steady::now() >= end + patience) {
      log_(name + " is still ending; the next start does not wait for it");
      co_return;
    }
  }
}

}  // namespace sebring
