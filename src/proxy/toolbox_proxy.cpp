#include "proxy/toolbox_proxy.h"

#include <cstdio>

#include "base/random.h"
#include "base/text.h"
#include "proxy/authorize.h"
#include "proxy/cors.h"
#include "proxy/errors.h"
#include "proxy/forward.h"
#include "proxy/headers.h"
#include "proxy/signed_file_url.h"

namespace sebring::proxy {
namespace {

struct ToolboxTarget {
  std::string sandbox_id;
  std::string prefix;  // what Location gets in front
  std::string path;    // of the toolbox, still encoded
};

// nullopt: the path names no sandbox.
std::optional<ToolboxTarget> parse_target(std::string_view path) {
  ToolboxTarget target;
  constexpr std::string_view kOld = "/api/toolbox/";
  constexpr std::string_view kNew = "/toolbox/";
  const bool old = path.starts_with(kOld);
  if (!old && !path.starts_with(kNew)) return std::nullopt;
  const std::string_view base = old ? kOld : kNew;
  const std::string_view rest = path.substr(base.size());
  const std::size_t slash = rest.find('/');
  target.sandbox_id = rest.substr(0, slash);
  if (!is_uuid(target.sandbox_id)) return std::nullopt;
  std::string_view tail = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
  target.prefix = std::string(base) + target.sandbox_id;
  if (old) {
    constexpr std::string_view kMiddle = "/toolbox";
    if (!tail.starts_with(kMiddle)) return std::nullopt;
    tail.remove_prefix(kMiddle.size());
    if (!tail.empty() && tail.front() != '/') return std::nullopt;
    target.prefix += kMiddle;
  }
  target.path = tail.empty() ? "/" : std::string(tail);
  // The one path that was spelt otherwise there.
  if (old && target.path == "/lsp/workspace-symbols") target.path = "/lsp/workspacesymbols";
  return target;
}

// What the toolbox is told of its own sandbox: it sees the limits of processor and memory, but the disk's neither as a
// limit nor as use, and a changed number of processors not at all. toolbox/metrics.h reads it.
constexpr const char* kResourcesHeader = "X-Sebring-Resources";
// Of what control itself asks the toolbox; toolbox/hosts_block.h wants it.
constexpr const char* kInternalHeader = "X-Sebring-Internal";

asio::awaitable<void> add_resources(Access& access, std::string sandbox_id, net::RequestHead& head) {
  const auto known = co_await access.resources(std::move(sandbox_id));
  if (!known) co_return;  // then it tells what it sees
  char text[96];
  std::snprintf(text, sizeof text, "cpus=%.3f;disk=%llu;disk-used=%llu", known->cpus,
                static_cast<unsigned long long>(known->disk_bytes),
                static_cast<unsigned long long>(known->disk_used_bytes));
  head.headers.set(kResourcesHeader, text);
}

bool skips_activity(const net::RequestHead& request) {
  return equals_ignore_case(request.headers.find("X-Daytona-Skip-Last-Activity-Update").value_or(""), "true");
}

// What the sandbox gets to see of a request to its toolbox: no credential of ours, whatever way let it in. Everything
// inside the sandbox is untrusted, its daemon too.
void strip_credentials(net::RequestHead& head) {
  head.headers = end_to_end(std::move(head.headers));
  head.headers.remove("Authorization");
  head.headers.remove(kPreviewTokenHeader);
  head.headers.remove("X-Daytona-Organization-ID");
  head.headers.remove("X-Daytona-Skip-Last-Activity-Update");
  head.headers.remove("X-Daytona-Skip-Preview-Warning");
  head.headers.remove("X-Daytona-Disable-CORS");
  head.headers.remove(kResourcesHeader);
  head.headers.remove(kInternalHeader);
  // The toolbox sets no cookies: all that comes is of the platform's host or of other programs on it.
  head.headers.remove("Cookie");
  head.query = remove_query_key(head.query, kQueryKey);
}

// Where its socket lies on the host is nothing for the client.
asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> reach_toolbox(std::string path) {
  auto stream = co_await net::connect_unix(std::move(path));
  if (!stream && stream.error().code() == Errc::unavailable)
    co_return fail(Errc::unavailable, "it takes no connection");
  co_return stream;
}

asio::awaitable<Result<Authorized>> let_in(Access& access, const net::RequestHead& request,
                                           const ToolboxTarget& target) {
  if (is_signed_file_request(request, target.path)) {
    auto key = co_await access.file_signing_key(target.sandbox_id);
    if (key) {
      const net::Query query(request.query);
      auto fits = check_file_signature(*key, request.method, query, system_clock().wall_ms());
      if (fits)
        co_return Authorized{.way = Authorized::Way::signed_url, .grant = {Grant::Kind::file_signature, "file"}};
      // A client that also sends its key is let in by that; else it hears what is wrong with the URL.
      if (request.headers.find("Authorization")) {
        if (auto other = co_await authorize(access, request, target.sandbox_id, nullptr)) co_return other;
      }
      co_return fail(std::move(fits.error()).while_doing("authentication failed"));
    }
  }
  co_return co_await authorize(access, request, target.sandbox_id, nullptr);
}

}  // namespace

ClientSide client_side_of(const Shared& shared, const net::RequestHead& request, const std::string& peer,
                          std::string scheme) {
  ClientSide client{.address = peer,
                    .scheme = std::move(scheme),
                    .host = std::string(request.headers.find("Host").value_or("")),
                    .trusted = shared.trusted.contains(peer)};
  if (client.trusted) {
    const auto said = request.headers.find("X-Forwarded-Proto");
    if (said && (*said == "http" || *said == "https")) client.scheme = *said;
  }
  return client;
}

asio::awaitable<void> ToolboxProxy::handle(net::Exchange& exchange, std::string scheme) {
  auto served = co_await serve(exchange, std::move(scheme));
  if (served || served.error().code() == Errc::cancelled || exchange.status_sent() != 0) co_return;
  net::Response response = error_response(served.error(), exchange.request());
  add_cors(exchange.request(), response.headers);
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<Result<void>> ToolboxProxy::serve(net::Exchange& exchange, std::string scheme) {
  const net::RequestHead& request = exchange.request();
  if (is_preflight(request)) {
    (void)co_await exchange.respond(preflight_answer(request));
    co_return Result<void>{};
  }
  auto target = parse_target(request.path);
  if (!target) co_return fail(Errc::not_found, "not found");
  SB_CO_TRY(Authorized authorized, co_await let_in(shared_.access, request, *target));
  SB_CO_TRY(Sandbox sandbox, co_await shared_.access.find(target->sandbox_id));

  net::RequestHead head = request;
  strip_credentials(head);
  if (authorized.way == Authorized::Way::signed_url) {
    head.query = remove_query_key(remove_query_key(head.query, "signature"), "expires");
  }
  head.path = target->path;
  head.target = target->path;
  if (!head.query.empty()) head.target += "?" + head.query;
  set_forwarded(head.headers, client_side_of(shared_, request, exchange.peer(), std::move(scheme)));
  co_return co_await forward_to(exchange, std::move(sandbox), std::move(authorized.grant), std::move(head),
                                target->prefix);
}

asio::awaitable<Result<void>> ToolboxProxy::forward_as_preview(net::Exchange& exchange, Sandbox sandbox, Grant grant,
                                                               net::RequestHead head, std::string location_prefix,
                                                               ClientSide client) {
  strip_credentials(head);
  head.target = head.path;
  if (!head.query.empty()) head.target += "?" + head.query;
  set_forwarded(head.headers, client);
  co_return co_await forward_to(exchange, std::move(sandbox), std::move(grant), std::move(head),
                                std::move(location_prefix));
}

asio::awaitable<Result<void>> ToolboxProxy::forward_to(net::Exchange& exchange, Sandbox sandbox, Grant grant,
                                                       net::RequestHead head, std::string location_prefix) {
  if (!sandbox.started && !skips_activity(exchange.request())) {
    if (auto woken = co_await shared_.access.wake(sandbox.id)) sandbox = std::move(*woken);
  }
  if (!sandbox.started) co_return fail(not_started(sandbox.state));
  net::OpenCounts::Hold hold = shared_.open.hold(sandbox.id);
  if (!hold) co_return fail(Errc::exhausted, "too many open requests to this sandbox");
  std::optional<ActivityKeeper::Use> use;
  if (head.method == "GET" && head.path == "/system/metrics") {
    co_await add_resources(shared_.access, sandbox.id, head);
  }
  if (!skips_activity(exchange.request())) use.emplace(shared_.activity.use(sandbox.id));

  Upstream upstream{.sandbox_id = sandbox.id, .place = "toolbox", .connect = {}};
  upstream.connect = [&sandbox] { return reach_toolbox(sandbox.toolbox_socket); };
  head.headers.set("Host", "localhost");

  LiveUses::Entry live;
  Forward what{.request = std::move(head),
               .upgrade = wanted_upgrade(exchange.request()),
               .edit_answer = {},
               .on_begin = {},
               .why_lost = {}};
  what.edit_answer = [&](net::ResponseHead& answer) {
    if (auto location = answer.headers.find("Location"); location && location->starts_with('/')) {
      answer.headers.set("Location", location_prefix + std::string(*location));
    }
    answer.headers.remove("Set-Cookie");
    add_cors(exchange.request(), answer.headers);
  };
  what.on_begin = [&](std::function<void(const Over&)> end) {
    live = shared_.live.add(sandbox.id, grant, std::move(end));
  };
  what.why_lost = [&] { return shared_.live.why_lost(sandbox.id); };
  auto done = co_await forward(exchange, shared_.pool, upstream, what);
  live = {};
  if (done || exchange.status_sent() != 0 || done.error().code() == Errc::cancelled ||
      done.error().code() == Errc::unauthorized)
    co_return done;
  // The state may have changed since it was looked up; then that is the answer, not a broken connection.
  auto now = co_await shared_.access.find(sandbox.id);
  if (!now) co_return fail(std::move(now.error()));
  if (!now->started) co_return fail(not_started(now->state));
  co_return fail(
      std::move(done.error()).while_doing("the sandbox's toolbox does not answer").with_code(Errc::bad_gateway));
}

}  // namespace sebring::proxy
