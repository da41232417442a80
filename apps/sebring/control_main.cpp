// What the control process is made of: API, toolbox proxy and previews on one event loop.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "api/control_plane.h"
#include "api/proxy_access.h"
#include "base/random.h"
#include "cli/output.h"
#include "net/server.h"
#include "proxy/dial.h"
#include "proxy/preview_proxy.h"
#include "proxy/toolbox_proxy.h"
#include "role.h"
#include "supervisor.h"

namespace sebring {
using namespace std::chrono_literals;
namespace {

// What is in flight when we are told to stop may end; the supervisor kills after a second.
constexpr std::chrono::milliseconds kStopGrace{600};
constexpr std::size_t kSecretBytes = 32;

control::ControlConfig control_config(const RoleInput& input) {
  const config::Config& from = input.config;
  control::ControlConfig out;
  out.data_dir = from.data_dir;
  out.runner_socket = from.run_dir + "/runner.sock";
  out.admin_socket = from.run_dir + "/control/admin.sock";
  out.version = SEBRING_VERSION;
  out.public_url = from.public_url;
  out.preview_domain = from.preview_domain;
  out.preview_scheme = from.public_url.starts_with("https://") ? "https" : "http";
  out.default_snapshot = from.default_snapshot;
  out.limits.cpu_per_sandbox = static_cast<int>(from.cpus_per_sandbox_max);
  out.limits.memory_gib_per_sandbox = static_cast<int>(from.memory_gib_per_sandbox_max);
  out.limits.disk_gib_per_sandbox = static_cast<int>(from.disk_gib_per_sandbox_max);
  out.limits.cpu_total = static_cast<int>(from.cpus_total_max);
  out.limits.memory_gib_total = static_cast<int>(from.memory_gib_total_max);
  out.limits.disk_gib_total = static_cast<int>(from.disk_gib_total_max);
  out.pids_max = from.pids_per_sandbox_max;
  return out;
}

// Signs the cookies of previews: the same for ever, or every restart would send visitors back to the login.
Result<std::string> preview_secret(const std::string& directory) {
  const std::string path = directory + "/preview-secret";
  UniqueFd known(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::string bytes(kSecretBytes, '\0');
  if (known && ::read(known.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) return bytes;
  fill_random({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
  const std::string fresh = path + ".new";
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(fd.get()) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0)
    return fail_errno(errno, "write " + path);
  return bytes;
}

proxy::PreviewOptions preview_options(const config::Config& config, std::string secret) {
  proxy::PreviewOptions out;
  out.domain = config.preview_domain.substr(0, config.preview_domain.find(':'));
  out.secret = std::move(secret);
  out.platform_url = config.public_url;
  out.version = SEBRING_VERSION;
  return out;
}

bool is_api(std::string_view path) { return path == "/api" || path == "/api-json" || path.starts_with("/api/"); }

// What brings requests into sandboxes. Made when the control plane has started, which it asks about each of them.
struct Proxies {
  Proxies(asio::any_io_executor executor, control::AccessControl& control, const config::Config& config,
          std::string secret)
      : access(control),
        shared(executor, access),
        toolbox(shared),
        dialer(proxy::make_dialer(config.run_dir + "/dial.sock")),
        previews(shared, toolbox, *dialer, nullptr, preview_options(config, std::move(secret))) {}

  api::ProxyAccess access;
  proxy::Shared shared;
  proxy::ToolboxProxy toolbox;
  std::unique_ptr<proxy::Dialer> dialer;
  proxy::PreviewProxy previews;
};

class ControlProcess {
 public:
  ControlProcess(RoleInput input, std::string secret)
      : input_(std::move(input)),
        plane_(io_, control_config(input_)),
        secret_(std::move(secret)),
        signals_(io_, SIGTERM, SIGINT) {}

  int run() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) asio::co_spawn(io_, stop(), rethrow);
    });
    asio::co_spawn(io_, start(), rethrow);
    io_.run();
    return code_;
  }

 private:
  static void rethrow(std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  }

  asio::awaitable<void> start() {
    auto started = co_await plane_.start();
    if (started) {
      proxies_ = std::make_unique<Proxies>(io_.get_executor(), plane_.access(), input_.config, std::move(secret_));
      server_ = net::make_server(
          io_.get_executor(), {}, [this](net::Exchange& exchange) { return handle(exchange); }, api::head_error_body);
      started = server_->listen_fd(std::move(input_.sockets.at(0)));
    }
    if (started) co_return;
    code_ = cli::Output().fail(std::move(started).error().while_doing("control"));
    io_.stop();
  }

  asio::awaitable<void> handle(net::Exchange& exchange) {
    const std::string& path = exchange.request().path;
    // By host name first: below the preview domain nothing of the platform is served.
    if (proxies_->previews.wants(exchange.request())) return proxies_->previews.handle(exchange, "http");
    if (path.starts_with("/toolbox/") || path.starts_with("/api/toolbox/"))
      return proxies_->toolbox.handle(exchange, "http");
    if (path == "/preview-login") return proxies_->previews.handle_login(exchange);
    if (is_api(path)) return plane_.handle(exchange);
    return answer_elsewhere(exchange);
  }

  asio::awaitable<void> answer_elsewhere(net::Exchange& exchange) {
    auto response =
        net::Response::json(404, R"({"statusCode":404,"error":"Not Found","message":"The API is at /api"})");
    if (exchange.request().path == "/") {
      response = net::Response::empty(307);
      response.headers.set("Location", "/api");
    }
    (void)co_await exchange.respond(std::move(response));
  }

  asio::awaitable<void> stop() {
    if (server_) co_await server_->stop(kStopGrace);
    co_await plane_.stop();
    io_.stop();
  }

  asio::io_context io_{1};
  RoleInput input_;
  api::ControlPlane plane_;
  std::string secret_;
  std::unique_ptr<Proxies> proxies_;
  asio::signal_set signals_;
  std::unique_ptr<net::Server> server_;
  int code_ = 0;
};

}  // namespace

int run_control(RoleInput input) {
  // Holds secrets of many users: nobody else of this user id may look inside.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  auto secret = preview_secret(input.config.data_dir + "/control");
  if (!secret) return cli::Output().fail(secret.error(), kDoNotRestart);
  return ControlProcess(std::move(input), *std::move(secret)).run();
}

}  // namespace sebring
