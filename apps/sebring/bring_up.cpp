#include "bring_up.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "base/time.h"
#include "cli/api_client.h"
#include "home_profile.h"
#include "json/json.h"
#include "public_url.h"

namespace sebring {
namespace bj = boost::json;
using namespace std::chrono_literals;
namespace {

// The runner makes its pool at the very first start: mkfs and a mount, seconds at most.
constexpr std::chrono::seconds kRunnerDeadline{60};
constexpr std::chrono::seconds kControlDeadline{30};
constexpr std::chrono::seconds kSlotsDeadline{10};

asio::awaitable<Result<bj::value>> ask(net::Client& client, std::string method, std::string path, std::string body) {
  net::Headers headers;
  if (!body.empty()) headers.add("Content-Type", "application/json");
  SB_CO_TRY(net::Response response,
            co_await client.ask(std::move(method), std::move(path), std::move(headers), std::move(body), 30s));
  co_return cli::read_answer(response);
}

// Until `path` answers 2xx; control may be starting, or starting again.
asio::awaitable<Result<bj::value>> insist(const BringUp& context, net::Client& client, std::string method,
                                          std::string path, std::string body) {
  const auto end = Steady::now() + kControlDeadline * context.config.patience;
  for (;;) {
    auto answer = co_await ask(client, method, path, body);
    const bool wait = !answer && (answer.error().code() == Errc::unavailable || answer.error().os_errno() != 0);
    if (!wait || Steady::now() >= end) co_return answer;
    co_await net::sleep_for(10ms);
  }
}

std::string admin_socket(const Places& places) { return places.run_dir + "/control/admin.sock"; }

Result<std::string> read_image_description(const std::string& images) {
  errno = 0;
  std::ifstream in(images + "/config.json", std::ios::binary);
  if (!in) return fail_errno(errno ? errno : EIO, "open " + images + "/config.json");
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

asio::awaitable<Result<void>> seed_snapshots(const BringUp& context, net::Client& admin) {
  auto description = read_image_description(context.config.images);
  if (!description) co_return Result<void>{};  // imported at an earlier start, control remembers
  auto seeded = co_await insist(context, admin, "PUT", "/v1/images/default", *std::move(description));
  if (!seeded) co_return fail(std::move(seeded).error().while_doing("make the default snapshots"));
  co_return Result<void>{};
}

// A name that is taken belongs to a key whose value nobody has any more; the next number is as good.
asio::awaitable<Result<std::string>> make_key(const BringUp& context, net::Client& admin) {
  for (int number = 1;; ++number) {
    const std::string name = number == 1 ? "first" : "first-" + std::to_string(number);
    auto made = co_await insist(context, admin, "POST", "/v1/keys", json::serialize(bj::object{{"name", name}}));
    if (!made && made.error().code() == Errc::conflict && number < 1000) continue;
    if (!made) co_return fail(std::move(made).error().while_doing("make the first API key"));
    if (!made->is_object()) co_return fail(Errc::bad_gateway, "control answered no key");
    co_return cli::field(made->get_object(), "value");
  }
}

asio::awaitable<Result<Served>> make_profile(const BringUp& context, net::Client& admin) {
  const std::string path = context.config.data_dir + "/profile.json";
  const std::string origin = "http://" + host_and_port(context.api);
  Served out;
  auto known = cli::read_profile(path);
  out.profile = {.url = origin + "/api", .toolbox_url = origin + "/toolbox", .data_dir = context.config.data_dir};
  if (known) out.profile.key = known->key;
  if (out.profile.key.empty()) {
    SB_CO_TRY(out.profile.key, co_await make_key(context, admin));
    out.first_start = true;
  }
  const bool same = known && known->url == out.profile.url && known->toolbox_url == out.profile.toolbox_url &&
                    known->data_dir == out.profile.data_dir && !out.first_start;
  if (!same) SB_CO_CHECK(cli::write_profile(path, out.profile, false));
  if (auto written = write_home_profile(out.profile); !written) context.progress(written.error().message());
  co_return out;
}

}  // namespace

asio::awaitable<Result<Served>> bring_up(BringUp context) {
  SB_CO_CHECK(co_await wait_for_runner(context.runner, kRunnerDeadline * context.config.patience));
  SB_CO_CHECK(co_await ensure_image(context.runner, context.config.images, context.progress));
  net::Client admin([path = admin_socket(context.places)] { return net::connect_unix(path); }, 1);
  SB_CO_CHECK(co_await seed_snapshots(context, admin));
  SB_CO_TRY(Served served, co_await make_profile(context, admin));
  net::Client api([local = context.api] { return net::connect_tcp(local.host, local.port); }, 1);
  auto healthy = co_await insist(context, api, "GET", "/api/health", "");
  if (!healthy) co_return fail(std::move(healthy).error().while_doing("control does not answer"));
  SB_CO_CHECK(co_await wait_for_slots(context.runner, kSlotsDeadline * context.config.patience));
  co_return served;
}

}  // namespace sebring
