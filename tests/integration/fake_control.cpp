// fake_control DIRECTORY: the real control plane over a runner in memory. Prints one line of JSON {"url", "key"}, then
// serves until it is killed. For client tests and measurements of the control plane alone.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "api/control_plane.h"
#include "control/default_snapshots.h"
#include "control/fake_runner.h"
#include "net/server.h"

namespace {

using namespace sebring;
namespace asio = boost::asio;

asio::awaitable<Result<void>> prepare(api::ControlPlane& plane, net::Server& server, control::ControlConfig& config) {
  SB_CO_CHECK(co_await plane.start());
  model::Snapshot image;
  image.image.layers = {"sha256:" + std::string(64, '1')};
  SB_CO_CHECK(co_await control::put_default_snapshots(plane.control(), "default", image));
  SB_CO_TRY(auto organization, co_await control::ensure_organization(plane.control()));
  SB_CO_TRY(auto key, co_await control::create_key(plane.control(), {.organization_id = organization.id,
                                                                     .user_id = organization.created_by,
                                                                     .name = "run-" + std::to_string(getpid()),
                                                                     .permissions = model::Permissions::all(),
                                                                     .expires_at = std::nullopt}));
  std::printf("{\"url\": \"%s/api\", \"key\": \"%s\"}\n", config.public_url.c_str(), key.value.c_str());
  std::fflush(stdout);
  co_return Result<void>{};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  asio::io_context io{1};
  control::ControlConfig config;
  config.data_dir = argv[1];
  config.version = "0.0.0";
  config.creates_at_once = 32;
  api::ControlPlane* current = nullptr;
  auto server = net::make_server(
      io.get_executor(), {}, [&current](net::Exchange& exchange) { return current->handle(exchange); },
      api::head_error_body);
  auto port = server->listen_tcp("127.0.0.1", 0);
  if (!port) return 1;
  config.public_url = "http://127.0.0.1:" + std::to_string(*port);
  api::ControlPlane plane(io, config, std::make_unique<control::FakeRunner>(io.get_executor()), system_clock());
  current = &plane;
  asio::co_spawn(io, prepare(plane, *server, config), [](std::exception_ptr thrown, Result<void> done) {
    if (thrown) std::rethrow_exception(thrown);
    if (done) return;
    std::fprintf(stderr, "%s\n", done.error().message().c_str());
    std::_Exit(1);
  });
  io.run();
  return 0;
}
