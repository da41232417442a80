// The preview proxy's own paths: accepting the warning, and how a login at the platform's host reaches a preview's.
#include "base/random.h"
#include "base/text.h"
#include "proxy/authorize.h"
#include "proxy/errors.h"
#include "proxy/pages.h"
#include "proxy/visit.h"

namespace sebring::proxy {
namespace {

constexpr std::string_view kTicketPath = "/.sebring/auth";
constexpr std::string_view kAcceptPath = "/accept-daytona-preview-warning";
constexpr std::chrono::seconds kTicketTime{60};
constexpr std::chrono::hours kAcceptedTime{24};
constexpr std::string_view kPathStart = "/preview/";
constexpr std::string_view kNonceCookie = "sebring-login";
constexpr std::size_t kNonceBytes = 16;
// As long as somebody may take to find the API key.
constexpr std::chrono::minutes kNonceTime{30};
// A page whose address is longer is left by its front door: servers and browsers take 8 KiB, and this grows by escapes.
constexpr std::size_t kTargetBytesMax = 1024;

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

std::string_view platform_scheme(const PreviewOptions& options) {
  return options.platform_url.starts_with("https://") ? "https" : "http";
}

std::string state_of(std::string_view nonce) { return base64url_encode(hmac_sha256("preview login", nonce)); }

bool is_state(std::string_view text) {
  constexpr std::size_t kCharacters = 43;
  return text.size() == kCharacters && base64_decode(text).has_value();
}

std::string ticket_audience(std::string_view host, std::string_view state) {
  return std::string(host) + " " + std::string(state);
}

}  // namespace

bool is_own_path(std::string_view path) { return path == kAcceptPath || path == kTicketPath; }

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

// The visitor's browser keeps a random value of ours, and the way to the login and back carries its hash: a ticket
// works in the browser that asked for it, so nobody can be brought in with the ticket of somebody else.
net::Response PreviewProxy::send_to_login(const net::RequestHead& request, const Visit& visit) const {
  const PreviewPlace& place = visit.place;
  std::string target = request.path;
  if (const std::string query = remove_query_key(request.query, kQueryKey); !query.empty()) target += "?" + query;
  if (target.size() > kTargetBytesMax) target = place.cookie_path();
  std::string location = options_.platform_url + "/preview-login?";
  if (place.by_path()) {
    location += "at=" + percent_encode(std::string_view(place.prefix).substr(kPathStart.size()));
    net::Response response = redirect_to(location + "&path=" + percent_encode(target));
    response.status = 307;
    return response;
  }
  // Kept where there is one: several pages may be on their way at once.
  std::string nonce = find_cookie(request.headers, kNonceCookie).value_or("");
  if (nonce.size() != 2 * kNonceBytes) nonce = random_hex(kNonceBytes);
  location += "host=" + percent_encode(place.host) + "&state=" + state_of(nonce) + "&path=" + percent_encode(target);
  net::Response response = redirect_to(std::move(location));
  response.status = 307;
  response.headers.set("Set-Cookie", set_cookie(kNonceCookie, nonce, kNonceTime, "/", place.secure()));
  return response;
}

// A ticket is worth one cookie. What is remembered of used ones ends with their time.
bool PreviewProxy::use_ticket(const std::string& ticket) {
  const WallMs now = system_clock().wall_ms();
  std::erase_if(used_tickets_, [now](const auto& entry) { return entry.second <= now; });
  return used_tickets_.emplace(ticket, now + std::chrono::milliseconds(kTicketTime).count()).second;
}

asio::awaitable<void> PreviewProxy::redeem_ticket(net::Exchange& exchange, Visit& visit) {
  const net::RequestHead& request = exchange.request();
  const net::Query query(request.query);
  const std::string ticket(query.find("ticket").value_or(""));
  const std::string& sandbox_id = visit.place.name.label;
  const std::string nonce = find_cookie(request.headers, kNonceCookie).value_or("");
  const std::string audience = ticket_audience(visit.place.host, state_of(nonce));
  auto pass = tickets_.open(ticket, sandbox_id, audience, system_clock().wall_ms());
  if (nonce.empty() || !pass || !use_ticket(ticket)) {
    (void)co_await exchange.respond(error_page(
        Error(Errc::forbidden, "This login link has been used, is too old, or was made for another browser")));
    co_return;
  }
  if (auto stands = co_await shared_.access.recheck(sandbox_id, pass->grant); !stands) {
    (void)co_await exchange.respond(error_page(stands.error()));
    co_return;
  }
  net::Response response = redirect_to(local_path_or_root(query.find("to"), "/"));
  response.headers.set("Set-Cookie", preview_cookie(visit.place, sandbox_id, std::move(pass->grant), kCookieTime));
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> PreviewProxy::handle_login(net::Exchange& exchange) {
  const net::RequestHead& request = exchange.request();
  const net::Query query(request.query);
  net::Response response;
  if (request.method != "GET") {
    response = error_page(Error(Errc::not_found, "No preview is named"));
  } else if (auto at = query.find("at")) {
    response = co_await come_back_by_path(request, query, std::string(*at));
  } else {
    response = co_await come_back(request, query);
  }
  (void)co_await exchange.respond(std::move(response));
}

net::Response PreviewProxy::refuse_login(const net::RequestHead& request, Error error) const {
  if (error.code() != Errc::unauthorized || options_.login_url.empty()) return error_page(error);
  const char joint = options_.login_url.find('?') == std::string::npos ? '?' : '&';
  return redirect_to(options_.login_url + joint + "redirect=" + percent_encode(request.target));
}

asio::awaitable<net::Response> PreviewProxy::come_back(const net::RequestHead& request, const net::Query& query) {
  std::string host = to_lower(query.find("host").value_or(""));
  const std::string state(query.find("state").value_or(""));
  const HostMatch match = match_preview_host(host, options_.domain);
  // Only to a host that is exactly a preview: anything else would make this an open redirect with a ticket in it.
  if (match.kind != HostMatch::Kind::preview || match.name.is_token || !is_state(state)) {
    co_return error_page(Error(Errc::not_found, "No preview is named"));
  }
  // Another port of this machine may be somebody else's server.
  host = host.substr(0, host.find(':')) + options_.port;
  auto grant = co_await shared_.access.authorize_session(match.name.label, request);
  if (!grant) co_return refuse_login(request, std::move(grant.error()));
  const Pass pass{.sandbox_id = match.name.label,
                  .audience = ticket_audience(host, state),
                  .grant = std::move(*grant),
                  .expires_at = system_clock().wall_ms() + std::chrono::milliseconds(kTicketTime).count()};
  co_return redirect_to(std::string(platform_scheme(options_)) + "://" + host + std::string(kTicketPath) +
                        "?ticket=" + percent_encode(tickets_.sign(pass)) +
                        "&to=" + percent_encode(local_path_or_root(query.find("path"), "/")));
}

asio::awaitable<net::Response> PreviewProxy::come_back_by_path(const net::RequestHead& request, const net::Query& query,
                                                               std::string at) {
  auto path = parse_preview_path(std::string(kPathStart) + at + "/");
  if (!options_.path_mode || !path || path->name.is_token || path->rest != "/") {
    co_return error_page(Error(Errc::not_found, "No preview is named"));
  }
  auto grant = co_await shared_.access.authorize_session(path->name.label, request);
  if (!grant) co_return refuse_login(request, std::move(grant.error()));
  PreviewPlace place{
      .name = path->name, .scheme = std::string(platform_scheme(options_)), .host = {}, .prefix = path->prefix};
  place.host = std::string(request.headers.find("Host").value_or(""));
  std::string back = local_path_or_root(query.find("path"), place.cookie_path());
  if (!back.starts_with(place.cookie_path())) back = place.cookie_path();
  net::Response response = redirect_to(std::move(back));
  response.headers.set("Set-Cookie", preview_cookie(place, path->name.label, std::move(*grant), kCookieTime));
  co_return response;
}

}  // namespace sebring::proxy
