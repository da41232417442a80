#include "proxy/preview_proxy.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"
#include "proxy/cors.h"
#include "proxy/errors.h"
#include "proxy/forward.h"
#include "proxy/pages.h"
#include "proxy/short_way.h"
#include "proxy/visit.h"

namespace sebring::proxy {
namespace {

// A request that must not be sent twice goes on a connection used just now, or on a new one.
constexpr std::chrono::milliseconds kFreshEnough{1'000};
constexpr std::chrono::milliseconds kDialAgain{100};

bool says_true(const net::RequestHead& request, std::string_view name) {
  return equals_ignore_case(request.headers.find(name).value_or(""), "true");
}

// A JWT or key of ours that came with a request which needed none must not reach the sandbox either.
asio::awaitable<bool> is_our_bearer(Access& access, const net::RequestHead& request, std::string sandbox_id) {
  std::string token = bearer_token(request.headers);
  const Bearer bearer = judge_bearer(token);
  if (bearer != Bearer::perhaps_ours) co_return bearer == Bearer::ours;
  auto grant = co_await access.authorize_bearer(std::move(sandbox_id), std::move(token), {});
  co_return grant || grant.error().code() != Errc::unauthorized;
}

asio::awaitable<Result<std::unique_ptr<net::ByteStream>>> dial(Dialer& dialer, std::string sandbox_id,
                                                               std::uint16_t port, std::chrono::milliseconds patience) {
  const auto until = Steady::now() + patience;
  for (;;) {
    auto stream = co_await dialer.dial(sandbox_id, port);
    if (stream || stream.error().code() != Errc::unavailable || Steady::now() >= until) co_return stream;
    if (!co_await net::sleep_for(kDialAgain)) co_return stream;
  }
}

}  // namespace

PreviewProxy::PreviewProxy(Shared& shared, ToolboxProxy& toolbox, Dialer& dialer, TerminalService* terminal,
                           PreviewOptions options)
    : shared_(shared),
      toolbox_(toolbox),
      dialer_(dialer),
      terminal_(terminal),
      options_(std::move(options)),
      cookies_(options_.secret, "preview cookie"),
      tickets_(options_.secret, "preview ticket") {}

bool PreviewProxy::wants(const net::RequestHead& request) const {
  if (is_of_preview_domain(request.headers.find("Host").value_or(""), options_.domain)) return true;
  return options_.path_mode && request.path.starts_with("/preview/");
}

net::MakeShortWay PreviewProxy::short_way(std::string scheme) {
  return make_short_way(shared_, options_, std::move(scheme));
}

PreviewProxy::Visit PreviewProxy::make_visit(const net::RequestHead& request, const std::string& peer,
                                             std::string scheme) const {
  Visit visit;
  visit.client = client_side_of(shared_, request, peer, std::move(scheme));
  visit.place.scheme = visit.client.scheme;
  visit.place.host = visit.client.host;
  visit.path = request.path;
  visit.cors = !says_true(request, "X-Daytona-Disable-CORS");
  return visit;
}

asio::awaitable<void> PreviewProxy::handle(net::Exchange& exchange, std::string scheme) {
  const net::RequestHead& request = exchange.request();
  Visit visit = make_visit(request, exchange.peer(), std::move(scheme));
  HostMatch match = match_preview_host(visit.client.host, options_.domain);
  if (match.kind == HostMatch::Kind::malformed) {
    if (request.path == "/health") {
      const boost::json::object health{{"status", "ok"}, {"version", options_.version}};
      (void)co_await exchange.respond(net::Response::json(200, json::serialize(health)));
      co_return;
    }
    co_return co_await refuse(exchange, visit, Error(Errc::not_found, match.why));
  }
  if (match.kind == HostMatch::Kind::preview) {
    visit.place.name = std::move(match.name);
  } else {
    auto by_path = parse_preview_path(request.path);
    if (!by_path) {
      co_return co_await refuse(exchange, visit,
                                Error(Errc::not_found, "the path must be /preview/<sandbox id or token>/<port>/..."));
    }
    if (by_path->rest.empty()) {  // relative links of the page would miss their port
      net::Response response = net::Response::empty(308);
      response.headers.set("Location", by_path->prefix + "/" + (request.query.empty() ? "" : "?" + request.query));
      (void)co_await exchange.respond(std::move(response));
      co_return;
    }
    visit.place.name = std::move(by_path->name);
    visit.place.prefix = std::move(by_path->prefix);
    visit.path = std::move(by_path->rest);
  }
  auto served = co_await serve(exchange, visit);
  if (served || served.error().code() == Errc::cancelled || exchange.status_sent() != 0) co_return;
  co_await refuse(exchange, visit, std::move(served.error()));
}

asio::awaitable<Result<void>> PreviewProxy::serve(net::Exchange& exchange, Visit& visit) {
  const net::RequestHead& request = exchange.request();
  if (visit.cors && is_preflight(request)) {
    (void)co_await exchange.respond(preflight_answer(request));
    co_return Result<void>{};
  }
  if (is_own_path(visit.path) && co_await answer_own_paths(exchange, visit)) co_return Result<void>{};
  SB_CO_CHECK(co_await admit(exchange, visit));
  remember_visitor(visit);
  if (visit.way == Authorized::Way::query_key && wants_page(request) && request.method == "GET" &&
      request.headers.find("Sec-Fetch-Dest").value_or("") == "document") {
    // The key leaves the address bar, the history and what the page's scripts can read.
    net::Response response = net::Response::empty(302);
    const std::string query = remove_query_key(request.query, kQueryKey);
    response.headers.set("Location", request.path + (query.empty() ? "" : "?" + query));
    response.headers.set("Set-Cookie", visit.set_cookie);
    response.headers.set("Referrer-Policy", "no-referrer");
    response.headers.set("Cache-Control", "no-store");
    (void)co_await exchange.respond(std::move(response));
    co_return Result<void>{};
  }
  if (needs_warning(request, visit)) {
    const std::string back = percent_encode(request.target);
    net::Response page =
        warning_page(visit.place.host, visit.place.prefix + "/accept-daytona-preview-warning?redirect=" + back);
    if (!visit.set_cookie.empty()) page.headers.set("Set-Cookie", visit.set_cookie);
    (void)co_await exchange.respond(std::move(page));
    co_return Result<void>{};
  }
  if (!visit.sandbox.started) {
    auto woken = co_await shared_.access.wake(visit.sandbox.id);
    if (!woken && woken.error().code() != Errc::conflict) co_return fail(std::move(woken.error()));
    if (!woken || !woken->started) co_return fail(not_started(visit.sandbox.state));
    visit.sandbox = std::move(*woken);
  }
  co_return co_await forward_visit(exchange, visit);
}

asio::awaitable<Result<void>> PreviewProxy::admit(net::Exchange& exchange, Visit& visit) {
  const net::RequestHead& request = exchange.request();
  if (visit.place.name.is_token) co_return co_await admit_by_token(exchange, visit);
  const std::string& sandbox_id = visit.place.name.label;
  auto known = shared_.access.find_now(sandbox_id);
  auto sandbox = known ? std::move(*known) : co_await shared_.access.find(sandbox_id);
  if (sandbox && sandbox->is_public && !is_protected_port(visit.place.name.port)) {
    visit.sandbox = std::move(*sandbox);
    if (request.headers.find("Authorization"))
      visit.bearer_is_ours = co_await is_our_bearer(shared_.access, request, sandbox_id);
    co_return Result<void>{};
  }
  const CookieRule cookie{.signer = cookies_,
                          .name = visit.place.cookie_name(),
                          .audience = visit.place.audience(),
                          .origin = visit.place.origin()};
  // First the credential: a stranger learns nothing about which sandboxes there are.
  SB_CO_TRY(Authorized authorized, co_await authorize(shared_.access, request, sandbox_id, &cookie));
  if (!sandbox) co_return fail(std::move(sandbox.error()));
  visit.sandbox = std::move(*sandbox);
  visit.way = authorized.way;
  visit.grant = std::move(authorized.grant);
  visit.bearer_is_ours = authorized.bearer_is_ours;
  // Who holds a header credential is a program of the sandbox's owner, such as a preview proxy of their own.
  if (visit.way == Authorized::Way::bearer || visit.way == Authorized::Way::token_header) visit.client.trusted = true;
  co_return Result<void>{};
}

asio::awaitable<Result<void>> PreviewProxy::admit_by_token(net::Exchange& exchange, Visit& visit) {
  auto use = co_await shared_.access.resolve_signed_token(visit.place.name.label, visit.place.name.port);
  if (!use) {
    if (use.error().code() != Errc::unauthorized && use.error().code() != Errc::not_found) {
      co_return fail(std::move(use.error()));
    }
    co_return fail(Errc::forbidden, "Invalid or expired token");
  }
  SB_CO_TRY(visit.sandbox, co_await shared_.access.find(use->sandbox_id));
  visit.way = Authorized::Way::signed_token;
  visit.grant = std::move(use->grant);
  visit.token_expires_at = use->expires_at;
  visit.bearer_is_ours = co_await is_our_bearer(shared_.access, exchange.request(), visit.sandbox.id);
  co_return Result<void>{};
}

// A key in the query or a token in the host becomes a cookie, so that the page's further requests need neither.
void PreviewProxy::remember_visitor(Visit& visit) {
  if (visit.way != Authorized::Way::query_key && visit.way != Authorized::Way::signed_token) return;
  const WallMs now = system_clock().wall_ms();
  auto age = kCookieTime;
  if (visit.token_expires_at != 0) {
    age = std::min(age, std::chrono::seconds(std::max<WallMs>(0, visit.token_expires_at - now) / 1000));
  }
  if (age.count() < 1) return;
  visit.set_cookie = preview_cookie(visit.place, visit.sandbox.id, visit.grant, age);
}

std::string PreviewProxy::preview_cookie(const PreviewPlace& place, const std::string& sandbox_id, Grant grant,
                                         std::chrono::seconds age) const {
  const Pass pass{.sandbox_id = sandbox_id,
                  .audience = place.audience(),
                  .grant = std::move(grant),
                  .expires_at = system_clock().wall_ms() + age.count() * 1000};
  return set_cookie(place.cookie_name(), cookies_.sign(pass), age, place.cookie_path(), place.secure());
}

bool PreviewProxy::needs_warning(const net::RequestHead& request, const Visit& visit) const {
  if (!options_.warning || !visit.sandbox.warning_page || is_protected_port(visit.place.name.port)) return false;
  if (!is_browser(request) || !wants_page(request)) return false;
  if (says_true(request, "X-Daytona-Skip-Preview-Warning")) return false;
  return find_cookie(request.headers, "daytona-preview-page-accepted").value_or("") != "true";
}

asio::awaitable<Result<void>> PreviewProxy::forward_visit(net::Exchange& exchange, Visit& visit) {
  const net::RequestHead& request = exchange.request();
  const PreviewPlace& place = visit.place;
  if (place.name.port == kTerminalPort && terminal_) {
    co_return co_await terminal_->serve(exchange, visit.sandbox, visit.grant, visit.path, visit.set_cookie);
  }
  net::RequestHead head = request;
  if (place.name.port == kToolboxPort) {
    head.path = visit.path;
    co_return co_await toolbox_.forward_as_preview(exchange, visit.sandbox, visit.grant, std::move(head), place.prefix,
                                                   visit.client);
  }
  net::OpenCounts::Hold hold = shared_.open.hold(visit.sandbox.id);
  if (!hold) co_return fail(Errc::exhausted, "too many open requests to this sandbox");
  std::optional<ActivityKeeper::Use> use;
  if (!says_true(request, "X-Daytona-Skip-Last-Activity-Update")) use.emplace(shared_.activity.use(visit.sandbox.id));

  to_server(head, place, visit.path, visit.bearer_is_ours);
  set_forwarded(head.headers, visit.client);
  if (place.by_path()) head.headers.set("X-Forwarded-Prefix", place.prefix);
  auto upgrade = wanted_upgrade(request);
  name_own_page(head.headers, place, upgrade.has_value());
  // What these capture is no more than fits into a std::function; the visit outlives them.
  Upstream upstream{
      .sandbox_id = visit.sandbox.id,
      .place = std::to_string(place.name.port),
      .connect = [this,
                  &visit] { return dial(dialer_, visit.sandbox.id, visit.place.name.port, visit.sandbox.patience); },
      .idle_time = kServerIdle};
  Forward what{.request = std::move(head),
               .upgrade = std::move(upgrade),
               .edit_answer = {},
               .on_begin = {},
               .why_lost = {},
               .fresh_enough = kFreshEnough};
  what.edit_answer = [&request, &visit](net::ResponseHead& answer) {
    to_visitor(answer, visit.place);
    if (visit.cors) add_cors(request, answer.headers);
    if (!visit.set_cookie.empty()) answer.headers.add("Set-Cookie", visit.set_cookie);
  };
  what.on_begin = [this, &visit](std::function<void(const Over&)> end) {
    visit.live = shared_.live.add(visit.sandbox.id, visit.grant, std::move(end));
  };
  what.why_lost = [this, &visit] { return shared_.live.why_lost(visit.sandbox.id); };
  auto done = co_await forward(exchange, shared_.pool, upstream, what);
  visit.live = {};
  if (done || exchange.status_sent() != 0 || done.error().code() == Errc::cancelled ||
      done.error().code() == Errc::unauthorized)
    co_return done;
  auto now = co_await shared_.access.find(visit.sandbox.id);
  if (!now) co_return fail(std::move(now.error()));
  if (!now->started) co_return fail(not_started(now->state));
  if (done.error().code() == Errc::unavailable || done.error().code() == Errc::not_found) {
    co_return fail(std::move(done.error()).with_code(Errc::bad_gateway));
  }
  co_return done;
}

asio::awaitable<void> PreviewProxy::refuse(net::Exchange& exchange, Visit& visit, Error error) {
  if (exchange.status_sent() != 0) co_return;
  const net::RequestHead& request = exchange.request();
  const bool page = wants_page(request);
  if (page && error.code() == Errc::unauthorized && !options_.platform_url.empty() && !visit.place.name.is_token) {
    (void)co_await exchange.respond(send_to_login(request, visit));
    co_return;
  }
  net::Response response = page ? error_page(error) : error_response(error, request);
  if (visit.cors) add_cors(request, response.headers);
  (void)co_await exchange.respond(std::move(response));
}

}  // namespace sebring::proxy
