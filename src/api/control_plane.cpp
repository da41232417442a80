#include "api/control_plane.h"

#include <sys/stat.h>

#include <cerrno>

#include "api/admin.h"
#include "api/api.h"
#include "api/error_response.h"
#include "control/http_runner_client.h"
#include "control/log.h"
#include "control/reap_idle.h"
#include "net/server.h"

namespace sebring::api {
namespace {

constexpr const char* kClockKey = "service_clock";
constexpr std::chrono::milliseconds kAdminGrace{1'000};
// What was stopped or running before a reboot must not be told as if it were; longer than a runner takes to come up.
constexpr std::chrono::milliseconds kFirstLookMax{3'000};

}  // namespace

struct ControlPlane::Parts {
  Parts(asio::io_context& io, const control::ControlConfig& config, control::RunnerClient& runner, const Clock& clock,
        std::unique_ptr<store::Store> opened, const std::optional<std::string>& saved_clock,
        control::AccessControl& access)
      : store(std::move(opened)),
        service(clock, control::read_boot_id(), saved_clock),
        lines(io.get_executor()),
        creates(io.get_executor(), config.creates_at_once, config.creates_waiting_max),
        tasks(io.get_executor()),
        control{.config = config,
                .executor = io.get_executor(),
                .store = *store,
                .runner = runner,
                .clock = clock,
                .service = service,
                .lines = lines,
                .creates = creates,
                .events = events,
                .live = live,
                .tasks = tasks,
                .names_in_flight = {},
                .long_jobs = {},
                .snapshots_in_flight = {},
                .needs_repair = {}},
        authenticator(control),
        reconciler(control),
        reaper(control),
        context{control, authenticator, access, reconciler},
        api(context),
        admin(context) {
    access.attach(control, authenticator);
  }

  std::unique_ptr<store::Store> store;
  control::ServiceClock service;
  control::Lines lines;
  control::Gate creates;
  control::EventBus events;
  control::LiveIndex live;
  control::TaskScope tasks;
  control::Control control;
  control::Authenticator authenticator;
  control::Reconciler reconciler;
  control::Reaper reaper;
  ApiContext context;
  Api api;
  Admin admin;
  std::unique_ptr<net::Server> admin_server;
};

ControlPlane::ControlPlane(asio::io_context& io, control::ControlConfig config)
    : ControlPlane(io, config, control::make_http_runner_client(config.runner_socket), system_clock()) {}

ControlPlane::ControlPlane(asio::io_context& io, control::ControlConfig config,
                           std::unique_ptr<control::RunnerClient> runner, const Clock& clock)
    : io_(io),
      config_(std::make_unique<control::ControlConfig>(std::move(config))),
      runner_(std::move(runner)),
      clock_(clock) {}

ControlPlane::~ControlPlane() = default;

asio::awaitable<Result<void>> ControlPlane::start() {
  const std::string directory = config_->data_dir + "/control";
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) co_return fail_errno(errno, "make " + directory);
  SB_CO_TRY(auto store, store::Store::open(directory + "/sebring.db", io_.get_executor()));
  SB_CO_TRY(auto saved_clock, co_await store->settings.find(kClockKey));
  parts_ = std::make_unique<Parts>(io_, *config_, *runner_, clock_, std::move(store), saved_clock, access_);
  SB_CO_CHECK(co_await control::ensure_organization(parts_->control));
  SB_CO_CHECK(co_await parts_->reconciler.load());
  // The clock that ages are counted on: a life that ends before its first regular save must leave it too, or the next
  // would take it from the wall clock, which may have jumped.
  co_await parts_->reaper.flush();
  parts_->reconciler.start();
  parts_->reaper.start();
  if (!config_->admin_socket.empty()) {
    parts_->admin_server = net::make_server(
        io_.get_executor(), {}, [admin = &parts_->admin](net::Exchange& exchange) { return admin->handle(exchange); },
        head_error_body);
    SB_CO_CHECK(parts_->admin_server->listen_unix(config_->admin_socket, 0600));
  }
  co_await parts_->reconciler.first_look(kFirstLookMax);
  co_return Result<void>{};
}

asio::awaitable<void> ControlPlane::handle(net::Exchange& exchange) { return parts_->api.handle(exchange); }

asio::awaitable<void> ControlPlane::stop() {
  if (!parts_) co_return;
  parts_->api.stop();
  if (parts_->admin_server) co_await parts_->admin_server->stop(kAdminGrace);
  co_await parts_->tasks.stop();
  co_await parts_->reaper.flush();
}

control::Control& ControlPlane::control() { return parts_->control; }
control::Authenticator& ControlPlane::authenticator() { return parts_->authenticator; }

net::Response head_error_body(int status, std::string_view why) {
  return error_response(status, why, "", system_clock().wall_ms());
}

}  // namespace sebring::api
