#include "up.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <optional>

#include "bring_up.h"
#include "children.h"
#include "cli/output.h"
#include "cli/quickstart.h"
#include "listen.h"
#include "os/open_files.h"
#include "places.h"
#include "public_url.h"
#include "role.h"
#include "runner/runner.h"
#include "runner_calls.h"
#include "supervisor.h"

namespace sebring {
using namespace std::chrono_literals;
namespace {

// All of it within five seconds, or a service manager loses its patience.
constexpr std::chrono::milliseconds kControlGrace{1000};
constexpr std::chrono::milliseconds kSandboxGrace{1000};
constexpr std::chrono::milliseconds kSandboxesDeadline{2500};
// The runner gets what is left, and this at least: killed while it takes down slots it leaves work for the next start.
constexpr std::chrono::milliseconds kAllOfIt{4300};
constexpr std::chrono::milliseconds kRunnerGraceMin{800};
constexpr std::chrono::milliseconds kBurial{250};
constexpr std::chrono::milliseconds kRunnerBack{1500};
constexpr std::chrono::milliseconds kChildrenPatience{250};

void log_line(std::string_view text) {
  // One write: lines of the roles go to the same place.
  std::string line = "sebring: " + std::string(text) + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

// The ends of a pipe through which a role shows that it is well.
struct PulsePipe {
  UniqueFd reading;
  UniqueFd writing;
};

Result<PulsePipe> make_pulse_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno(errno, "make a pipe");
  return PulsePipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

struct Sockets {
  std::map<std::string, UniqueFd, std::less<>> control;
  UniqueFd runner;
  UniqueFd dial;
};

Result<void> bind_roles(const config::Config& config, const SystemUser& control, Sockets& out) {
  SB_TRY(out.runner, bind_unix(config.run_dir + "/runner.sock", SOCK_STREAM, control.gid));
  SB_TRY(out.dial, bind_unix(config.run_dir + "/dial.sock", SOCK_SEQPACKET, control.gid));
  return {};
}

class Up {
 public:
  Up(config::Config config, UpOptions options)
      : config_(std::move(config)),
        options_(options),
        runner_([this] { return net::connect_unix(config_.run_dir + "/runner.sock"); }, 4),
        signals_(io_, SIGTERM, SIGINT),
        supervisor_(io_, [](std::string line) { log_line(line); }, [this](std::string why) { give_up(why); }) {}

  Result<int> run() {
    SB_CHECK(prepare());
    wait_for_signal();
    SB_CHECK(start_roles());
    asio::co_spawn(io_, serve(), rethrow);
    io_.run();
    return code_;
  }

 private:
  static void rethrow(std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  }

  Result<void> prepare() {
    if (::geteuid() != 0)
      return fail(Errc::forbidden,
                  "`sebring up` makes namespaces, mounts and cgroups and must be started as root: sudo sebring up");
    // Sandboxes of a runner that dies become our children: somebody must reap them, and init would take seconds.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return fail_errno(errno, "become a subreaper");
    SB_TRY(lock_, lock_data_dir(config_.data_dir));
    SB_TRY(control_user_, ensure_user(config_.control_user));
    SB_TRY(SystemUser importer, ensure_user(config_.import_user));
    // Before anything is made: this is what fails most often.
    SB_TRY(sockets_.control, bind_control(config_));
    SB_TRY(places_, prepare_places(config_, control_user_, importer));
    SB_CHECK(bind_roles(config_, control_user_, sockets_));
    return {};
  }

  Result<void> start_roles() {
    const std::string settings = config::serialise(config_);
    SB_TRY(runner_pulse_, make_pulse_pipe());
    SB_TRY(control_pulse_, make_pulse_pipe());
    SB_CHECK(supervisor_.add(
        {"runner",
         std::nullopt,
         places_.instance,
         settings,
         {{"api", sockets_.runner.get()}, {"dial", sockets_.dial.get()}, {"pulse", runner_pulse_.writing.get()}},
         runner_pulse_.reading.get()}));
    std::vector<std::pair<std::string, int>> control;
    for (const auto& [name, fd] : sockets_.control) control.emplace_back(name, fd.get());
    control.emplace_back("pulse", control_pulse_.writing.get());
    return supervisor_.add(
        {"control", control_user_, places_.instance, settings, std::move(control), control_pulse_.reading.get()});
  }

  asio::awaitable<void> serve() {
    auto where = config::parse_address(config_.listen).value_or(config::HostPort{"127.0.0.1", 0});
    where.port = tcp_port(sockets_.control.at("api").get());
    auto served = co_await bring_up({config_, places_, local_address(where), runner_, log_line_function()});
    if (stopping_) co_return;
    if (!served) {
      give_up(served.error().message());
      co_return;
    }
    announce(*served);
  }

  Progress log_line_function() {
    return [](std::string line) { log_line(line); };
  }

  void announce(const Served& served) {
    const cli::Output output;
    if (options_.show_key || (served.first_start && ::isatty(STDERR_FILENO))) {
      std::string text = "\n" + cli::quickstart(config_.public_url + "/api", served.profile.key) + "\n";
      [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
    } else if (served.first_start) {
      log_line("the first API key is in " + config_.data_dir +
               "/profile.json; `sebring quickstart` shows how to use it");
    }
    output.write("ready " + config_.public_url + "\n");
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      if (stopping_) {
        log_line("stopping at once");
        ::_exit(128 + number);  // the roles go with us: PR_SET_PDEATHSIG
      }
      log_line("stopping");
      begin_stop(0);
      wait_for_signal();
    });
  }

  void give_up(const std::string& why) {
    log_line(why);
    begin_stop(1);
  }

  void begin_stop(int code) {
    if (stopping_) return;
    stopping_ = true;
    code_ = code;
    asio::co_spawn(io_, stop(), rethrow);
  }

  // Control first, so that nothing new is asked for; then what runs; then the one who runs it.
  asio::awaitable<void> stop() {
    const auto end = Steady::now() + kAllOfIt * config_.patience;
    co_await supervisor_.stop("control", kControlGrace * config_.patience, kBurial * config_.patience);
    // Between two lives of the runner nobody would clean up.
    for (const auto until = Steady::now() + kRunnerBack * config_.patience;
         supervisor_.pid_of("runner") <= 0 && Steady::now() < until;)
      co_await net::sleep_for(std::chrono::milliseconds(10));
    if (config_.stop_sandboxes_on_exit && supervisor_.pid_of("runner") > 0) co_await stop_sandboxes();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Steady::now());
    co_await supervisor_.stop("runner", std::max(left, kRunnerGraceMin * config_.patience), kBurial * config_.patience);
    if (config_.stop_sandboxes_on_exit) {
      end_children(kChildrenPatience);
      remove_run_dir(places_);
    }
    log_line("stopped");
    io_.stop();
  }

  // Thousands of sandboxes do not stop one by one in the time there is. Their next start finds them stopped.
  asio::awaitable<void> stop_sandboxes() {
    co_await stop_all_sandboxes(runner_, kSandboxGrace * config_.patience, kSandboxesDeadline * config_.patience,
                                log_line_function());
    const std::string marker = config_.data_dir + "/runner/" + runner::kEndedByStop;
    const UniqueFd made(::open(marker.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    kill_children(supervisor_.pid_of("runner"));
  }

  asio::io_context io_{1};
  config::Config config_;
  UpOptions options_;
  UniqueFd lock_;
  SystemUser control_user_;
  Places places_;
  Sockets sockets_;
  PulsePipe runner_pulse_, control_pulse_;
  net::Client runner_;
  asio::signal_set signals_;
  Supervisor supervisor_;
  bool stopping_ = false;
  int code_ = 0;
};

}  // namespace

int run_up(config::Config config, const UpOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  os::raise_open_files();  // the roles inherit it
  Up up(std::move(config), options);
  auto code = up.run();
  if (code) return *code;
  log_line(code.error().message());
  return cli::kFailed;
}

}  // namespace sebring
