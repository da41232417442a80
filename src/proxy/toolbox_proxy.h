#pragma once
// `/toolbox/{sandboxId}/...` and the deprecated `/api/toolbox/{sandboxId}/toolbox/...`: the daemon of a sandbox as
// clients see it.
#include <memory>

#include "net/exchange.h"
#include "net/open_counts.h"
#include "proxy/access.h"
#include "proxy/activity.h"
#include "proxy/headers.h"
#include "proxy/live.h"
#include "proxy/trusted.h"
#include "proxy/upstream_pool.h"

namespace sebring::proxy {

// What both proxies share. Lives as long as the process.
struct Shared {
  Access& access;
  UpstreamPool pool;
  ActivityKeeper activity;
  LiveUses live;
  net::OpenCounts open{4'000};  // by sandbox: 40 % of the connections that one listener accepts
  TrustedProxies trusted;

  Shared(asio::any_io_executor executor, Access& the_access, TrustedProxies the_trusted = {})
      : access(the_access),
        pool(executor),
        activity(executor, the_access),
        live(executor, the_access),
        trusted(std::move(the_trusted)) {}
};

// Who asks, as the sandbox's server may know: behind a trusted proxy what that says, else what we see.
ClientSide client_side_of(const Shared& shared, const net::RequestHead& request, const std::string& peer,
                          std::string scheme);

class ToolboxProxy {
 public:
  explicit ToolboxProxy(Shared& shared) : shared_(shared) {}

  // The whole of one request, whose path starts with one of the prefixes above; answers in every case. `scheme`: of the
  // listener it came in by.
  asio::awaitable<void> handle(net::Exchange& exchange, std::string scheme);

  // As preview port 2280, already authorised: `head` is the request with the toolbox's path.
  asio::awaitable<Result<void>> forward_as_preview(net::Exchange& exchange, Sandbox sandbox, Grant grant,
                                                   net::RequestHead head, std::string location_prefix,
                                                   ClientSide client);

 private:
  asio::awaitable<Result<void>> forward_to(net::Exchange& exchange, Sandbox sandbox, Grant grant, net::RequestHead head,
                                           std::string location_prefix);
  asio::awaitable<Result<void>> serve(net::Exchange& exchange, std::string scheme);
  Shared& shared_;
};

}  // namespace sebring::proxy
