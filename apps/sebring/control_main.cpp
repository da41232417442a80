// What the control process is made of: API, toolbox proxy and previews on one event loop.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "api/control_plane.h"
#include "api/login_pages.h"
#include "api/proxy_access.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/output.h"
#include "control/log.h"
#include "net/pulse.h"
#include "net/server.h"
#include "proxy/dial.h"
#include "proxy/preview_proxy.h"
#include "proxy/tls_front.h"
#include "proxy/toolbox_proxy.h"
#include "public_url.h"
#include "role.h"
#include "ssh/gateway.h"
#include "supervisor.h"
#include "terminal/terminal.h"

namespace sebring {
using namespace std::chrono_literals;
namespace {

// What is in flight when we are told to stop may end, and is answered with 503 where it does not; the supervisor kills
// after a second.
constexpr std::chrono::milliseconds kStopGrace{600};
constexpr const char* kFarewell = "the server is about to start anew; what was asked for may or may not be done";
constexpr std::size_t kSecretBytes = 32;
// A client that gives up ends what it asked for in a sandbox that soon.
constexpr std::chrono::milliseconds kLookEvery{200};

Result<control::ControlConfig> control_config(const RoleInput& input) {
  const config::Config& from = input.config;
  control::ControlConfig out;
  out.data_dir = from.data_dir;
  out.runner_socket = from.run_dir + "/runner.sock";
  out.admin_socket = from.run_dir + "/control/admin.sock";
  out.version = SEBRING_VERSION;
  out.public_url = from.public_url;
  out.preview_domain = from.preview_domain;
  out.ssh_host = host_of(from.public_url);
  const auto ssh = config::parse_address(from.ssh_listen);
  out.ssh_port = ssh ? ssh->port : 0;
  if (ssh) {
    SB_TRY(out.ssh_public_key, ssh::host_public_key(from.data_dir + "/control"));
  }
  out.preview_scheme = from.public_url.starts_with("https://") ? "https" : "http";
  out.default_snapshot = from.default_snapshot;
  out.limits.cpu_per_sandbox = static_cast<int>(from.cpus_per_sandbox_max);
  out.limits.memory_gib_per_sandbox = static_cast<int>(from.memory_gib_per_sandbox_max);
  out.limits.disk_gib_per_sandbox = static_cast<int>(from.disk_gib_per_sandbox_max);
  out.limits.cpu_total = static_cast<int>(from.cpus_total_max);
  out.limits.memory_gib_total = static_cast<int>(from.memory_gib_total_max);
  out.limits.disk_gib_total = static_cast<int>(from.disk_gib_total_max);
  out.pids_max = from.pids_per_sandbox_max;
  out.creates_at_once = static_cast<std::size_t>(from.creates_at_once);
  out.creates_waiting_max = static_cast<std::size_t>(from.creates_waiting_max);
  out.wake_stopped = from.wake_stopped;
  out.preview_warning = from.preview_warning;
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
  out.port = config.preview_domain.substr(out.domain.size());
  out.secret = std::move(secret);
  out.platform_url = config.public_url;
  out.login_url = config.public_url + "/login";
  out.version = SEBRING_VERSION;
  return out;
}

bool is_api(std::string_view path) { return path == "/api" || path == "/api-json" || path.starts_with("/api/"); }

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> out;
  for (std::string_view one : split(list, ','))
    if (!one.empty()) out.emplace_back(one);
  return out;
}

// What brings requests into sandboxes. Made when the control plane has started, which it asks about each of them.
struct Proxies {
  Proxies(asio::any_io_executor executor, control::AccessControl& control, const config::Config& config,
          proxy::TrustedProxies trusted, std::string secret)
      : access(control, config.public_url.starts_with("https://")),
        shared(executor, access, std::move(trusted)),
        toolbox(shared),
        dialer(proxy::make_dialer(config.run_dir + "/dial.sock")),
        terminal(terminal::make_terminal(executor, shared, {.platform_origin = config.public_url})),
        previews(shared, toolbox, *dialer, terminal.get(), preview_options(config, std::move(secret))) {}

  api::ProxyAccess access;
  proxy::Shared shared;
  proxy::ToolboxProxy toolbox;
  std::unique_ptr<proxy::Dialer> dialer;
  std::unique_ptr<proxy::TerminalService> terminal;
  proxy::PreviewProxy previews;
};

class ControlProcess {
 public:
  ControlProcess(RoleInput input, control::ControlConfig config, std::string secret)
      : input_(std::move(input)),
        plane_(io_, std::move(config)),
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
    if (started) started = serve();
    if (auto pulse = input_.sockets.find("pulse"); started && pulse != input_.sockets.end())
      pulse_.emplace(io_.get_executor(), std::move(pulse->second));
    if (started) co_return;
    code_ = cli::Output().fail(std::move(started).error().while_doing("control"));
    io_.stop();
  }

  Result<void> serve() {
    const config::Config& config = input_.config;
    SB_TRY(auto trusted, proxy::TrustedProxies::parse(words(config.trusted_proxies)));
    proxies_ =
        std::make_unique<Proxies>(io_.get_executor(), plane_.access(), config, std::move(trusted), std::move(secret_));
    plane_.control().live.on_end = [this](const std::string& id) { proxies_->shared.live.check_soon(id); };
    plane_.authenticator().on_forget = [this] { proxies_->shared.live.check_soon(""); };
    login_.emplace(plane_.control(), plane_.authenticator(), config.public_url, config.preview_domain);
    server_ = make_server("http");
    SB_CHECK(server_->listen_fd(std::move(input_.sockets.at("api"))));
    if (auto tls = input_.sockets.find("tls"); tls != input_.sockets.end()) {
      secure_server_ = make_server("https");
      auto problem = [](std::string why) { control::log_warning("TLS: " + why); };
      SB_TRY(tls_, proxy::make_tls_front(io_.get_executor(), {config.tls_certificate, config.tls_key}, *secure_server_,
                                         problem, {.peers = peer_limit()}));
      SB_CHECK(tls_->listen_fd(std::move(tls->second)));
    }
    if (auto ssh = input_.sockets.find("ssh"); ssh != input_.sockets.end()) {
      SB_TRY(ssh_, ssh::make_gateway(io_.get_executor(), proxies_->shared, *proxies_->dialer,
                                     {.key_directory = config.data_dir + "/control"}));
      SB_CHECK(ssh_->listen_fd(std::move(ssh->second)));
    }
    return {};
  }

  // Behind the addresses of this machine and of trusted proxies are many.
  net::PeerLimit peer_limit() {
    return {.is_proxy = [this](const std::string& address) {
      return net::peer_network(address).starts_with("127.") || address == "::1" ||
             proxies_->shared.trusted.contains(address);
    }};
  }

  std::unique_ptr<net::Server> make_server(const char* scheme) {
    return net::make_server(
        io_.get_executor(), {.peers = peer_limit(), .look_every = kLookEvery},
        [this, scheme](net::Exchange& exchange) { return handle(exchange, scheme); }, api::head_error_body,
        proxies_->previews.short_way(scheme));
  }

  asio::awaitable<void> handle(net::Exchange& exchange, const char* scheme) {
    const std::string& path = exchange.request().path;
    // By host name first: below the preview domain nothing of the platform is served.
    if (proxies_->previews.wants(exchange.request())) return proxies_->previews.handle(exchange, scheme);
    if (path.starts_with("/toolbox/") || path.starts_with("/api/toolbox/"))
      return proxies_->toolbox.handle(exchange, scheme);
    if (api::LoginPages::wants(exchange.request())) return login_->handle(exchange);
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

  // All at once, since each may take its whole grace; the control plane last, which they ask.
  asio::awaitable<void> stop() {
    using namespace asio::experimental::awaitable_operators;
    if (tls_) tls_->stop();
    if (proxies_) proxies_->shared.live.end_all();
    co_await (stop_ssh() && stop_server(server_.get()) && stop_server(secure_server_.get()));
    co_await plane_.stop();
    io_.stop();
  }

  asio::awaitable<void> stop_ssh() {
    if (ssh_) co_await ssh_->stop(kStopGrace);
  }
  asio::awaitable<void> stop_server(net::Server* server) {
    if (server) co_await server->stop(kStopGrace, kFarewell);
  }

  asio::io_context io_{1};
  std::optional<net::Pulse> pulse_;
  RoleInput input_;
  api::ControlPlane plane_;
  std::string secret_;
  std::unique_ptr<Proxies> proxies_;
  std::optional<api::LoginPages> login_;
  asio::signal_set signals_;
  std::unique_ptr<net::Server> server_, secure_server_;
  std::unique_ptr<proxy::TlsFront> tls_;
  std::unique_ptr<ssh::Gateway> ssh_;
  int code_ = 0;
};

// Every tunnel is two descriptors, and shells start services with a soft limit of 1024.
void allow_many_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int run_control(RoleInput input) {
  // Holds secrets of many users: nobody else of this user id may look inside.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  allow_many_files();
  auto secret = preview_secret(input.config.data_dir + "/control");
  if (!secret) return cli::Output().fail(secret.error(), kDoNotRestart);
  auto config = control_config(input);
  if (!config) return cli::Output().fail(config.error(), kDoNotRestart);
  return ControlProcess(std::move(input), *std::move(config), *std::move(secret)).run();
}

}  // namespace sebring
