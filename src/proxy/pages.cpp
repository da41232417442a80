#include "proxy/pages.h"

#include "base/text.h"
#include "proxy/errors.h"

namespace sebring::proxy {
namespace {

constexpr std::string_view kStyle =
    "body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f6f7f9;color:#1c2430;"
    "font:16px/1.5 system-ui,sans-serif}main{max-width:34rem;margin:1rem;padding:2rem;background:#fff;"
    "border:1px solid #dde1e7;border-radius:12px}h1{font-size:1.25rem;margin:0 0 .75rem}p{margin:.5rem 0;"
    "overflow-wrap:anywhere}button{font:inherit;margin-top:1rem;padding:.5rem 1rem;border:0;border-radius:8px;"
    "background:#1f5eff;color:#fff;cursor:pointer}code{background:#eef0f4;padding:.1rem .3rem;border-radius:4px}"
    "@media(prefers-color-scheme:dark){body{background:#12161c;color:#e6e9ee}main{background:#1a2028;"
    "border-color:#2c343f}code{background:#2c343f}}";

net::Response page(int status, std::string_view title, std::string_view content, std::string_view form_action) {
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>";
  html += escape_html(title);
  html += "</title><style>";
  html += kStyle;
  html += "</style></head><body><main><h1>";
  html += escape_html(title);
  html += "</h1>";
  html += content;
  html += "</main></body></html>\n";
  net::Response response = net::Response::text(status, std::move(html), "text/html; charset=utf-8");
  std::string policy =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors *; form-action ";
  policy += form_action;
  response.headers.set("Content-Security-Policy", std::move(policy));
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "no-referrer");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

std::string_view title_of(Errc code) {
  switch (code) {
    case Errc::unauthorized:
    case Errc::forbidden:
      return "This preview is private";
    case Errc::not_found:
      return "There is no such preview";
    case Errc::invalid_argument:
    case Errc::conflict:
      return "This sandbox is not running";
    case Errc::unavailable:
    case Errc::bad_gateway:
    case Errc::timed_out:
      return "The preview does not answer";
    case Errc::exhausted:
      return "Too many requests";
    default:
      return "The preview cannot be shown";
  }
}

std::string_view advice_of(Errc code) {
  switch (code) {
    case Errc::unauthorized:
    case Errc::forbidden:
      return "Log in with your browser, or ask its owner for a signed preview link. Programs send an API key or the "
             "header "
             "X-Daytona-Preview-Token.";
    case Errc::not_found:
      return "The sandbox may have been deleted. Check the address.";
    case Errc::unavailable:
    case Errc::bad_gateway:
    case Errc::timed_out:
      return "Start a server in the sandbox that listens on this port, then reload the page.";
    case Errc::exhausted:
      return "Wait a moment and reload the page.";
    default:
      return "";
  }
}

}  // namespace

bool is_browser(const net::RequestHead& request) {
  return request.headers.find("User-Agent").value_or("").find("Mozilla/") != std::string_view::npos;
}

bool wants_page(const net::RequestHead& request) {
  if (request.method != "GET" && request.method != "HEAD") return false;
  if (request.headers.find("Upgrade") || request.headers.find("X-Requested-With")) return false;
  if (auto mode = request.headers.find("Sec-Fetch-Mode"); mode && *mode != "navigate") return false;
  return request.headers.find("Accept").value_or("").find("text/html") != std::string_view::npos;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

net::Response message_page(int status, std::string_view title, std::string_view text) {
  return page(status, title, "<p>" + escape_html(text) + "</p>", "'none'");
}

net::Response platform_page(int status, std::string_view title, std::string_view content) {
  return page(status, title, content, "'none'");
}

net::Response error_page(const Error& error) {
  std::string content = "<p>" + escape_html(error.message()) + ".</p>";
  if (const auto advice = advice_of(error.code()); !advice.empty()) content += "<p>" + escape_html(advice) + "</p>";
  return page(status_of(error.code()), title_of(error.code()), content, "'none'");
}

net::Response warning_page(std::string_view host, std::string_view action) {
  std::string content = "<p>You are about to open a preview served by a sandbox at <code>";
  content += escape_html(host);
  content +=
      "</code>. What it shows is made by whoever runs that sandbox. Go on only if you trust them, and enter no "
      "passwords or other personal data.</p><form method=\"post\" action=\"";
  content += escape_html(action);
  content += "\"><button type=\"submit\">I understand, continue</button></form>";
  return page(200, "Preview of a sandbox", content, "'self'");
}

}  // namespace sebring::proxy
