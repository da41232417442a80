// The preview proxy's own paths: accepting the warning, and how a login at the platform's host reaches a preview's.
#include "base/text.h"
#include "proxy/errors.h"
#include "proxy/pages.h"
#include "proxy/visit.h"

namespace sebring::proxy {
namespace {

constexpr std::string_view kTicketPath = "/.sebring/auth";
constexpr std::string_view kAcceptPath = "/accept-daytona-preview-warning";
constexpr std::chrono::seconds kTicketTime{60};
constexpr std::chrono::hours kAcceptedTime{24};

net::Response redirect_to(std::string location) {
  net::Response response = net::Response::empty(302);
  response.headers.set("Location", std::move(location));
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}

std::string local_path_or_root(std::optional<std::string_view> path, std::string_view root) {
  return path && is_local_path(*path) ? std::string(*path) : std::string(root);
}

}  // namespace

asio::awaitable<bool> PreviewProxy::answer_own_paths(net::Exchange& exchange, Visit& visit) {
  const net::RequestHead& request = exchange.request();
  if (visit.path == kAcceptPath && request.method == "POST") {
    const net::Query query(request.query);
    const std::string root = visit.place.cookie_path();
    std::string back = local_path_or_root(query.find("redirect"), root);
    if (!back.starts_with(root)) back = root;
    net::Response response = redirect_to(std::move(back));
    response.headers.set(
        "Set-Cookie", set_cookie("daytona-preview-page-accepted", "true", kAcceptedTime, root, visit.place.secure()));
    (void)co_await exchange.respond(std::move(response));
    co_return true;
  }
  if (visit.path == kTicketPath && request.method == "GET" && !visit.place.by_path()) {
    const net::Query query(request.query);
    if (query.find("ticket")) {
      co_await redeem_ticket(exchange, visit);
      co_return true;
    }
  }
  co_return false;
}

// A ticket is worth one cookie. What is remembered of used ones ends with their time.
bool PreviewProxy::use_ticket(const std::string& ticket) {
  const WallMs now = system_clock().wall_ms();
  std::erase_if(used_tickets_, [now](const auto& entry) { return entry.second <= now; });
  return used_tickets_.emplace(ticket, now + std::chrono::milliseconds(kTicketTime).count()).second;
}

asio::awaitable<void> PreviewProxy::redeem_ticket(net::Exchange& exchange, Visit& visit) {
  const net::Query query(exchange.request().query);
  const std::string ticket(query.find("ticket").value_or(""));
  const std::string& sandbox_id = visit.place.name.label;
  auto pass = tickets_.open(ticket, sandbox_id, visit.place.audience(), system_clock().wall_ms());
  if (!pass || !use_ticket(ticket)) {
    (void)co_await exchange.respond(error_page(Error(Errc::forbidden, "This login link has been used or is too old")));
    co_return;
  }
  if (auto stands = co_await shared_.access.recheck(sandbox_id, pass->grant); !stands) {
    (void)co_await exchange.respond(error_page(stands.error()));
    co_return;
  }
  pass->expires_at = system_clock().wall_ms() + std::chrono::milliseconds(kCookieTime).count();
  net::Response response = redirect_to(local_path_or_root(query.find("to"), "/"));
  response.headers.set("Set-Cookie", set_cookie(visit.place.cookie_name(), cookies_.sign(*pass), kCookieTime,
                                                visit.place.cookie_path(), visit.place.secure()));
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> PreviewProxy::handle_login(net::Exchange& exchange) {
  const net::RequestHead& request = exchange.request();
  const net::Query query(request.query);
  const std::string host(query.find("host").value_or(""));
  const HostMatch match = match_preview_host(host, options_.domain);
  // Only to a host that is exactly a preview: anything else would make this an open redirect with a ticket in it.
  if (request.method != "GET" || match.kind != HostMatch::Kind::preview || match.name.is_token) {
    (void)co_await exchange.respond(error_page(Error(Errc::not_found, "No preview is named")));
    co_return;
  }
  auto grant = co_await shared_.access.authorize_session(match.name.label, request);
  if (!grant) {
    if (grant.error().code() == Errc::unauthorized && !options_.login_url.empty()) {
      const char joint = options_.login_url.find('?') == std::string::npos ? '?' : '&';
      (void)co_await exchange.respond(
          redirect_to(options_.login_url + joint + "redirect=" + percent_encode(request.target)));
    } else {
      (void)co_await exchange.respond(error_page(grant.error()));
    }
    co_return;
  }
  const Pass pass{.sandbox_id = match.name.label,
                  .audience = host,
                  .grant = std::move(*grant),
                  .expires_at = system_clock().wall_ms() + std::chrono::milliseconds(kTicketTime).count()};
  const std::string scheme = options_.platform_url.starts_with("https://") ? "https" : "http";
  (void)co_await exchange.respond(redirect_to(scheme + "://" + host + std::string(kTicketPath) +
                                              "?ticket=" + percent_encode(tickets_.sign(pass)) +
                                              "&to=" + percent_encode(local_path_or_root(query.find("path"), "/"))));
}

}  // namespace sebring::proxy
