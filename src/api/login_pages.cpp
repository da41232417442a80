#include "api/login_pages.h"

#include "base/text.h"
#include "proxy/cookie.h"
#include "proxy/headers.h"
#include "proxy/pages.h"
#include "proxy/preview_place.h"

namespace sebring::api {
namespace {

constexpr std::size_t kFormBytesMax = 8 * 1024;
constexpr std::size_t kSessionCharacters = 64;

// "HTTPS://Host:443/x" -> "https://host".
std::string origin_of(std::string_view url) {
  const std::size_t start = url.find("://");
  if (start == std::string_view::npos) return {};
  std::string origin = to_lower(url.substr(0, url.find('/', start + 3)));
  for (std::string_view port : {":443", ":80"}) {
    const bool usual = origin.starts_with(port == ":443" ? "https://" : "http://");
    if (usual && origin.ends_with(port)) origin.resize(origin.size() - port.size());
  }
  return origin;
}

net::Response go_to(int status, std::string location) {
  net::Response response = net::Response::empty(status);
  response.headers.set("Location", std::move(location));
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("Referrer-Policy", "no-referrer");
  return response;
}

// A login leads to a preview's way back and nowhere else: neither another host nor a page that does something.
std::string allowed_redirect(std::optional<std::string_view> wanted) {
  if (wanted && wanted->starts_with("/preview-login?") && proxy::is_local_path(*wanted)) return std::string(*wanted);
  return {};
}

}  // namespace

std::string_view login_cookie_name(bool secure) { return secure ? "__Host-sebring-session" : "sebring-session"; }

std::optional<std::string> login_hash_of(const net::RequestHead& request, bool secure) {
  auto text = proxy::find_cookie(request.headers, login_cookie_name(secure));
  if (!text || text->size() != kSessionCharacters) return std::nullopt;
  return control::sha256_hex(*text);
}

LoginPages::LoginPages(control::Control& control, control::Authenticator& authenticator, std::string public_url,
                       std::string preview_domain)
    : control_(control), authenticator_(authenticator), origin_(origin_of(public_url)), url_(std::move(public_url)) {
  preview_source_ =
      (is_secure() ? "https://*." : "http://*.") + preview_domain.substr(0, preview_domain.find(':')) + ":*";
}

net::Response LoginPages::page(int status, std::string_view content) const {
  net::Response response = proxy::platform_page(status, "Log in to sebring", content);
  // Browsers hold redirects after a form to the same rule, and a login ends at a preview.
  response.headers.set("Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
                       "form-action 'self' " +
                           origin_ + " " + preview_source_);
  response.headers.set("X-Frame-Options", "DENY");
  return response;
}

net::Response LoginPages::form(int status, std::string_view problem, std::string_view redirect) const {
  std::string content;
  if (!problem.empty()) content += "<p role=\"alert\"><strong>" + proxy::escape_html(problem) + "</strong></p>";
  content +=
      "<p>Enter an API key of this server. Your browser gets a session that ends when you log out, when the key is "
      "deleted, or after twelve hours.</p><form method=\"post\" action=\"";
  content += proxy::escape_html(url_);
  content +=
      "/login\"><p><label>API key <input type=\"password\" name=\"key\" autocomplete=\"current-password\" autofocus "
      "required maxlength=\"200\" "
      "size=\"40\"></label></p><input type=\"hidden\" name=\"redirect\" value=\"";
  content += proxy::escape_html(redirect);
  content += "\"><button type=\"submit\">Log in</button></form>";
  return page(status, content);
}

asio::awaitable<net::Response> LoginPages::show(const net::RequestHead& request) {
  const net::Query query(request.query);
  const std::string redirect = allowed_redirect(query.find("redirect"));
  const auto hash = login_hash_of(request, is_secure());
  if (!hash) co_return form(200, "", redirect);
  auto caller = co_await control::find_login(control_, authenticator_, *hash);
  if (!caller) co_return form(200, "", redirect);
  if (!redirect.empty()) co_return go_to(303, url_ + redirect);
  co_return page(200, "<p>You are logged in with the key <code>" + proxy::escape_html(caller->key_name) +
                          "</code>.</p><form method=\"post\" action=\"" + proxy::escape_html(url_) +
                          "/logout\"><button type=\"submit\">Log out</button></form>");
}

asio::awaitable<net::Response> LoginPages::log_in(net::Exchange& exchange) {
  auto body = co_await exchange.read_all(kFormBytesMax);
  if (!body) co_return form(400, "That was not this page's form.", "");
  const net::Query fields(*body);
  const std::string redirect = allowed_redirect(fields.find("redirect"));
  auto made =
      co_await control::begin_login(control_, authenticator_, std::string(trim(fields.find("key").value_or(""))));
  if (!made) {
    const bool wrong = made.error().code() == Errc::unauthorized;
    co_return form(wrong ? 401 : 503, wrong ? "That is no valid API key." : "The login failed. Try again.", redirect);
  }
  net::Response response = go_to(303, url_ + (redirect.empty() ? "/login" : redirect));
  response.headers.set("Set-Cookie", proxy::set_cookie(login_cookie_name(is_secure()), made->text,
                                                       std::chrono::seconds(control::kLoginSeconds), "/", is_secure()));
  co_return response;
}

asio::awaitable<net::Response> LoginPages::log_out(const net::RequestHead& request) {
  if (const auto hash = login_hash_of(request, is_secure())) {
    if (auto ended = co_await control::end_login(control_, *hash); !ended) {
      co_return page(503, "<p>You are still logged in: the session could not be ended. Try again.</p>");
    }
  }
  net::Response response = go_to(303, url_ + "/login");
  response.headers.set(
      "Set-Cookie", proxy::set_cookie(login_cookie_name(is_secure()), "", std::chrono::seconds(0), "/", is_secure()));
  co_return response;
}

asio::awaitable<net::Response> LoginPages::answer(net::Exchange& exchange) {
  const net::RequestHead& request = exchange.request();
  if (request.method == "POST") {
    // Browsers say where a form was sent from. A page of anybody else must neither log a visitor in as somebody nor
    // log them out, and previews are no exception: their hosts are other origins, by path they have an opaque one.
    if (request.headers.count("Origin") != 1 || *request.headers.find("Origin") != origin_) {
      co_return page(403, "<p>This form was not sent from this server's own page. Log in at <a href=\"" +
                              proxy::escape_html(url_) + "/login\">" + proxy::escape_html(url_) + "/login</a>.</p>");
    }
    if (request.path == "/logout") co_return co_await log_out(request);
    co_return co_await log_in(exchange);
  }
  if (request.path == "/login" && (request.method == "GET" || request.method == "HEAD"))
    co_return co_await show(request);
  net::Response response = page(405, "<p>There is nothing to see here.</p>");
  response.headers.set("Allow", request.path == "/login" ? "GET, HEAD, POST" : "POST");
  co_return response;
}

asio::awaitable<void> LoginPages::handle(net::Exchange& exchange) {
  (void)co_await exchange.respond(co_await answer(exchange));
}

}  // namespace sebring::api
