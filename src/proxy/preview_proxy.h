#pragma once
// Previews: whatever listens on a port of a sandbox, at a host name or path of its own.
#include <memory>
#include <unordered_map>

#include "net/exchange.h"
#include "net/short_way.h"
#include "proxy/cookie.h"
#include "proxy/dial.h"
#include "proxy/preview_place.h"
#include "proxy/toolbox_proxy.h"

namespace sebring::proxy {

struct PreviewOptions {
  std::string domain = "preview.localhost";  // without port
  std::string port;                          // ":3000" where visitors need one: a login leads back there only
  std::string secret;                        // 32 bytes or more that survive restarts; signs cookies
  // "http://localhost:3000": where a visitor's login is known. Empty: private previews answer 401 to browsers too.
  std::string platform_url;
  // Where to send a visitor who is not logged in at all, with `?redirect=<url>` added. Empty: 401.
  std::string login_url;
  bool path_mode = true;
  // A person's browser sees the warning page first, for sandboxes that want it.
  bool warning = true;
  std::string version;
};

// The terminal's page and socket on port 22222; the request is authorised already. `set_cookie`: for the answer's
// Set-Cookie, when not empty.
class TerminalService {
 public:
  virtual ~TerminalService() = default;
  virtual asio::awaitable<Result<void>> serve(net::Exchange& exchange, Sandbox sandbox, Grant grant, std::string path,
                                              std::string set_cookie) = 0;
};

// Below what common servers keep idle connections for (Node and uvicorn: 5 s).
constexpr std::chrono::milliseconds kServerIdle{4'000};

// Whether the path, of a preview by host name, may be one of ours.
bool is_own_path(std::string_view path);

class PreviewProxy {
 public:
  PreviewProxy(Shared& shared, ToolboxProxy& toolbox, Dialer& dialer, TerminalService* terminal,
               PreviewOptions options);

  // Whether the request is for a preview: by its Host, or by path. Then it must go to handle(), whatever else it asks.
  bool wants(const net::RequestHead& request) const;
  // Answers in every case. `scheme`: of the listener it came in by.
  asio::awaitable<void> handle(net::Exchange& exchange, std::string scheme);

  // For the listener of that `scheme`: what of previews needs no handle(). Lives no longer than this.
  net::MakeShortWay short_way(std::string scheme);

  // `GET /preview-login?host=..&path=..&state=..` on the platform's own host: a logged-in visitor comes back to the
  // preview with a ticket, another goes to the login page. `at=<id>/<port>` instead of host: a preview by path, on this
  // very host, for which a cookie is enough. The control plane mounts it.
  asio::awaitable<void> handle_login(net::Exchange& exchange);

 private:
  struct Visit;
  asio::awaitable<Result<void>> serve(net::Exchange& exchange, Visit& visit);
  asio::awaitable<Result<void>> admit(net::Exchange& exchange, Visit& visit);
  asio::awaitable<Result<void>> admit_by_token(net::Exchange& exchange, Visit& visit);
  asio::awaitable<Result<void>> forward_visit(net::Exchange& exchange, Visit& visit);
  asio::awaitable<bool> answer_own_paths(net::Exchange& exchange, Visit& visit);
  asio::awaitable<void> redeem_ticket(net::Exchange& exchange, Visit& visit);
  asio::awaitable<void> refuse(net::Exchange& exchange, Visit& visit, Error error);
  net::Response send_to_login(const net::RequestHead& request, const Visit& visit) const;
  asio::awaitable<net::Response> come_back(const net::RequestHead& request, const net::Query& query);
  asio::awaitable<net::Response> come_back_by_path(const net::RequestHead& request, const net::Query& query,
                                                   std::string at);
  net::Response refuse_login(const net::RequestHead& request, Error error) const;
  std::string preview_cookie(const PreviewPlace& place, const std::string& sandbox_id, Grant grant,
                             std::chrono::seconds age) const;
  void remember_visitor(Visit& visit);
  bool needs_warning(const net::RequestHead& request, const Visit& visit) const;
  Visit make_visit(const net::RequestHead& request, const std::string& peer, std::string scheme) const;
  bool use_ticket(const std::string& ticket);

  Shared& shared_;
  ToolboxProxy& toolbox_;
  Dialer& dialer_;
  TerminalService* terminal_;
  PreviewOptions options_;
  PassSigner cookies_;
  PassSigner tickets_;
  std::unordered_map<std::string, WallMs> used_tickets_;  // until they would have expired anyway
};

}  // namespace sebring::proxy
