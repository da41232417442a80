#include "runner/runner.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <optional>

#include "net/pulse.h"
#include "net/server.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/nft.h"
#include "os/oom_note.h"
#include "os/open_files.h"
#include "runner/dial_server.h"
#include "runner/routes.h"

namespace sebring::runner {
namespace {

constexpr int kExitBadConfiguration = 78;
constexpr std::size_t kStarters = 8;  // they mostly wait for toolboxes and the disk
constexpr std::size_t kWorkers = 4;
constexpr std::size_t kImporters = 2;
constexpr std::size_t kRefillThreads = 2;
constexpr std::chrono::milliseconds kServerGrace{300};
// Whoever stops us loses patience after a few seconds; the next start finishes what is left.
constexpr int kCleanupMilliseconds = 3'000;
constexpr std::chrono::seconds kPoolCheck{5};
constexpr int kQuotaCheck = 60;  // pool checks: of what is left behind by some sandboxes, nothing is urgent

void say(const std::string& text) { std::fprintf(stderr, "runner: %s\n", text.c_str()); }

Result<runtime::HostConfig> host_config(const RunnerConfig& config) {
  runtime::HostConfig host;
  host.data_dir = config.data_dir;
  host.run_dir = config.run_dir;
  host.pool_dir = config.pool_dir;
  host.instance = config.instance;
  host.pool_bytes = config.pool_bytes;
  host.toolbox = config.toolbox;
  host.toolbox_git = config.toolbox_git;
  host.network = config.keep_network;
  host.dns = config.dns;
  host.control_gid = config.control_gid;
  if (!config.network.empty()) {
    SB_TRY(auto network, os::parse_cidr(config.network));
    if (network.prefix > 16)
      return fail(Errc::invalid_argument, "the sandboxes' network must be a /16 or wider: " + config.network);
    host.network_base = network.address;
  }
  return host;
}

class Runner {
 public:
  explicit Runner(const RunnerConfig& config) : config_(config), signals_(io_, SIGTERM, SIGINT), pool_timer_(io_) {}

  Result<void> open() {
    ::umask(022);
    ::signal(SIGPIPE, SIG_IGN);
    os::raise_open_files();  // waiting sandboxes, running ones, connections: about ten each
    // Mounts of ours are seen by nobody else and go away with the last of us. Before the first thread.
    if (::unshare(CLONE_NEWNS) < 0) return fail_errno(errno, "make a mount namespace");
    SB_CHECK(os::make_mounts_private());
    SB_TRY(auto settings, host_config(config_));
    SB_TRY(host_, runtime::Host::open(std::move(settings)));
    SB_TRY(journal_, Journal::open(config_.data_dir + "/runner"));
    SB_TRY(cleanup_, runtime::Cleanup::start(*host_));
    starters_ = std::make_unique<Workers>(io_.get_executor(), *host_, kStarters);
    workers_ = std::make_unique<Workers>(io_.get_executor(), *host_, kWorkers);
    importers_ = std::make_unique<Workers>(io_.get_executor(), *host_, kImporters);
    copiers_ = std::make_unique<Workers>(io_.get_executor(), *host_, Sandboxes::kCopiesAtOnce);
    events_ = std::make_unique<Events>(io_.get_executor(), host_->boot_id());
    // Told inside the sandbox too, to whoever waits for the command.
    oom_log_ = std::make_unique<OomLog>(io_.get_executor(), "sebring-" + config_.instance,
                                        [this](const std::string& name, const OomKill& kill) {
                                          auto group = host_->cgroups().memory_directory(name);
                                          if (group) (void)os::write_oom_note(group->get(), {kill.number, kill.name});
                                        });
    // Strays are found before the first slot of this run exists.
    make_sandboxes();
    const std::string marker = config_.data_dir + "/runner/" + kEndedByStop;
    SB_CHECK(sandboxes_->recover(journal_->take_records(), ::access(marker.c_str(), F_OK) == 0));
    ::unlink(marker.c_str());
    slots_->start();
    return {};
  }

  Result<void> serve() {
    images_ =
        std::make_unique<Images>(io_.get_executor(), *host_, *slots_, *importers_, *sandboxes_, config_.images_dir);
    routes_.emplace(Routes{config_.version, *host_, *slots_, *cleanup_, *sandboxes_, *images_, *events_, *workers_});
    add_routes(router_, *routes_);
    server_ = net::make_server(
        io_.get_executor(), {}, [this](net::Exchange& exchange) { return handle(exchange); },
        [](int status, std::string_view why) {
          return error_answer(Error(status == 431 ? Errc::too_large : Errc::invalid_argument, std::string(why)));
        });
    UniqueFd api(::fcntl(config_.api_listen_fd, F_DUPFD_CLOEXEC, 3));
    if (!api) return fail(Errc::invalid_argument, "no listening socket was given");
    SB_CHECK(server_->listen_fd(std::move(api)));
    if (config_.dial_listen_fd >= 0)
      dial_ = std::make_unique<DialServer>(io_.get_executor(),
                                           UniqueFd(::fcntl(config_.dial_listen_fd, F_DUPFD_CLOEXEC, 3)), *sandboxes_);
    signals_.async_wait([this](boost::system::error_code error, int) {
      if (!error) asio::co_spawn(io_, stop(), asio::detached);
    });
    watch_pool();
    asio::co_spawn(io_, sandboxes_->look_after_daemons(), asio::detached);
    if (config_.pulse_fd >= 0)
      pulse_.emplace(io_.get_executor(), UniqueFd(::fcntl(config_.pulse_fd, F_DUPFD_CLOEXEC, 3)));
    io_.run();
    return {};
  }

  void close();

 private:
  void make_sandboxes();

  asio::awaitable<void> handle(net::Exchange& exchange) {
    const auto& request = exchange.request();
    auto match = router_.match(request.method, request.path);
    if (match.route) co_return co_await match.route->handler(exchange, match.parameters);
    Error error(match.bad_escape ? Errc::invalid_argument : Errc::not_found,
                "no such call: " + request.method + " " + request.path);
    (void)co_await exchange.respond(error_answer(error));
  }

  asio::awaitable<void> stop() {
    sandboxes_->close();
    events_->close();
    if (dial_) dial_->close();
    pool_timer_.cancel();
    co_await server_->stop(kServerGrace);
    io_.stop();
  }

  void watch_pool() {
    pool_timer_.expires_after(kPoolCheck);
    pool_timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      // Not the importers' workers: an import may be what the pool has to grow for.
      workers_->post([this](runtime::Host::Wires&) {
        if (auto grown = host_->pool().grow_if_needed(); !grown) say(grown.error().message());
      });
      if (pool_checks_++ % kQuotaCheck == 0) {
        workers_->post([this](runtime::Host::Wires&) {
          if (auto removed = host_->pool().remove_unused_quotas(); !removed) say(removed.error().message());
        });
      }
      watch_pool();
    });
  }

  const RunnerConfig& config_;
  asio::io_context io_{1};
  asio::signal_set signals_;
  asio::steady_timer pool_timer_;
  int pool_checks_ = 0;
  std::optional<net::Pulse> pulse_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<runtime::Cleanup> cleanup_;
  std::unique_ptr<runtime::SlotPool> slots_;
  std::unique_ptr<Workers> starters_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Workers> importers_;
  std::unique_ptr<Workers> copiers_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<OomLog> oom_log_;
  std::unique_ptr<Sandboxes> sandboxes_;
  std::unique_ptr<Images> images_;
  std::optional<Routes> routes_;
  net::Router router_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<DialServer> dial_;
};

void Runner::make_sandboxes() {
  slots_ = std::make_unique<runtime::SlotPool>(
      *host_, *cleanup_, runtime::SlotPoolConfig{.wanted = config_.slots, .threads = kRefillThreads});
  sandboxes_ = std::make_unique<Sandboxes>(Sandboxes::Parts{.executor = io_.get_executor(),
                                                            .host = *host_,
                                                            .cleanup = *cleanup_,
                                                            .slots = *slots_,
                                                            .starters = *starters_,
                                                            .workers = *workers_,
                                                            .copiers = *copiers_,
                                                            .journal = *journal_,
                                                            .events = *events_,
                                                            .oom_log = *oom_log_,
                                                            .objects_dir = config_.objects_dir});
}

// Waiting slots end; running sandboxes go on, and are found again by the next start. When none is left, nothing of this
// runner stays behind.
void Runner::close() {
  starters_.reset();
  workers_.reset();
  importers_.reset();
  copiers_.reset();
  slots_.reset();
  bool all_gone = cleanup_->wait_until_empty(kCleanupMilliseconds) && sandboxes_->running() == 0;
  if (!all_gone) return;
  if (host_->firewall()) host_->firewall()->unload();
  host_->cgroups().remove_tree();
  host_->leases().give_back_unused();
}

}  // namespace

int run(const RunnerConfig& config) {
  Runner runner(config);
  if (auto opened = runner.open(); !opened) {
    say(opened.error().message());
    return opened.error().code() == Errc::invalid_argument ? kExitBadConfiguration : 1;
  }
  if (auto served = runner.serve(); !served) {
    say(served.error().message());
    return 1;
  }
  runner.close();
  return 0;
}

}  // namespace sebring::runner
