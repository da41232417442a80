#include "toolbox/serve.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "net/server.h"
#include "toolbox/answer.h"
#include "toolbox/as_user.h"
#include "toolbox/configuration.h"
#include "toolbox/context.h"
#include "toolbox/error_body.h"
#include "toolbox/hosts_block.h"
#include "toolbox/identity.h"
#include "toolbox/log_directory.h"

namespace sebring::toolbox {
namespace {

// Longer than that of the server before us, which so is the one to answer.
constexpr std::chrono::minutes kBodyStallTime{3};
constexpr std::size_t kKeptBodyBytesMax = 128 << 20;  // commands, code, lists of files; uploads are not kept

// Not root, as in tests: nothing can be switched to, so commands run as who we are.
Identity current_identity(const AccountFiles& files) {
  auto identity = find_identity(std::to_string(::geteuid()), files);
  SB_ASSERT(identity.has_value());
  identity->uid = ::geteuid();
  identity->gid = ::getegid();
  const int count = ::getgroups(0, nullptr);
  identity->groups.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count > 0) identity->groups.resize(static_cast<std::size_t>(::getgroups(count, identity->groups.data())));
  return *std::move(identity);
}

Environment make_environment(const Configuration& configuration, const Identity& user) {
  Environment environment = login_environment(user);
  if (!configuration.hostname.empty()) environment["HOSTNAME"] = configuration.hostname;
  for (const auto& [name, value] : configuration.environment) {
    // An image may say anything here; what is no name would only confuse the shells.
    if (!name.empty() && name.find('=') == std::string::npos) environment[name] = value;
  }
  return environment;
}

bool can_enter(const std::string& directory, const Identity& user) {
  const AsUser as_user(user);
  struct stat status{};
  return ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         ::faccessat(AT_FDCWD, directory.c_str(), X_OK, AT_EACCESS) == 0;
}

// Images name directories that are not there, and users without a home; commands shall run all the same.
std::string choose_work_dir(const Configuration& configuration, const Identity& user) {
  for (const std::string& directory : {configuration.work_dir, user.home}) {
    if (!directory.empty() && can_enter(directory, user)) return directory;
  }
  return "/";
}

void add_all_routes(net::Router& router, Context& context) {
  add_info_routes(router, context);
  add_execute_routes(router, context);
  add_file_routes(router, context);
  add_session_routes(router, context);
  add_pty_routes(router, context);
  add_interpreter_routes(router, context);
  add_lsp_routes(router, context);
  add_git_routes(router, context);
  add_channel_routes(router, context);
  add_proxy_routes(router, context);
  add_hosts_routes(router);
}

net::asio::awaitable<void> dispatch(const net::Router& router, net::Exchange& exchange) {
  const net::RequestHead& request = exchange.request();
  const net::Router::Match match = router.match(request.method, request.path);
  if (match.route) {
    Error broken(Errc::internal, "");
    try {
      co_await match.route->handler(exchange, match.parameters);
      co_return;
    } catch (const boost::system::system_error&) {
      throw;  // a cancelled connection
    } catch (const std::exception& thrown) {
      broken = Error(Errc::internal, thrown.what());
    }
    std::fprintf(stderr, "%s %s: %s\n", request.method.c_str(), request.path.c_str(), broken.message().c_str());
    co_await answer_error(exchange, broken);
  } else if (match.bad_escape) {
    co_await answer_error(exchange, Error(Errc::invalid_argument, "bad escape in the path"));
  } else if (match.path_known) {
    co_await exchange.respond(
        net::Response::json(405, error_body({405, "METHOD_NOT_ALLOWED", "method not allowed: " + request.method},
                                            request.method, request.path)));
  } else {
    co_await answer_error(exchange, Error(Errc::not_found, "no such endpoint: " + request.path));
  }
}

net::Response head_error(int status, std::string_view why) {
  const Errc kind = status == 408   ? Errc::timed_out
                    : status == 500 ? Errc::internal
                    : status == 503 ? Errc::unavailable
                                    : Errc::invalid_argument;
  WireError error = wire_error(Error(kind, std::string(why)));
  error.status = status;  // 431 is a bad request too
  return net::Response::json(status, error_body(error, "", ""));
}

}  // namespace

Result<void> check_user(const std::string& configuration) {
  // Most do not ask, and are not read twice.
  if (!configuration.contains("\"checkUser\"")) return {};
  SB_TRY(const Configuration asked, parse_configuration(configuration));
  if (!asked.check_user) return {};
  SB_CHECK(find_identity(asked.user, read_account_files()));
  return {};
}

Result<void> serve(ServeOptions options) {
  SB_TRY(Configuration configuration, parse_configuration(options.configuration));
  const AccountFiles files = read_account_files();
  Identity user;
  if (::geteuid() == 0) {
    SB_TRY(user, find_identity(configuration.user, files));
  } else {
    user = current_identity(files);
  }
  if (!options.home.empty()) user.home = options.home;
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(022);

  // Who was linked to this sandbox then may be gone, or have another address now: control tells of those who are there.
  if (configuration.kept_disk) (void)write_neighbours("/etc/hosts", {});

  asio::io_context io(1);
  auto spawner = make_spawner(io, options.user_cgroup.get(), options.memory_cgroup.get());
  Context context{.io = io,
                  .spawner = *spawner,
                  .user = user,
                  .environment = make_environment(configuration, user),
                  .work_dir = choose_work_dir(configuration, user),
                  .sandbox_id = configuration.sandbox_id,
                  .version = configuration.version,
                  .log_dir = choose_log_directory(configuration),
                  .devpts = std::move(options.devpts),
                  .entrypoint = configuration.entrypoint,
                  .memory_cgroup = std::move(options.memory_cgroup),
                  .self_executable = std::move(options.self_executable),
                  .cpus = configuration.cpus,
                  .git_helper = std::move(options.git_helper)};
  net::Router router;
  add_all_routes(router, context);
  auto server = net::make_server(
      io.get_executor(), {.body_stall_time = kBodyStallTime, .kept_body_bytes_max = kKeptBodyBytesMax},
      [&router](net::Exchange& exchange) { return dispatch(router, exchange); }, head_error);
  if (options.listening) {
    SB_CHECK(server->listen_fd(std::move(options.listening)));
  } else {
    SB_CHECK(server->listen_unix(options.listen_path, 0600));
  }
  for (;;) {
    try {
      io.run();
      return fail(Errc::internal, "the event loop has ended");
    } catch (const std::exception& thrown) {
      // One connection's fault; the others go on.
      std::fprintf(stderr, "event loop: %s\n", thrown.what());
    }
  }
}

}  // namespace sebring::toolbox
