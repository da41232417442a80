#pragma once
// `/toolbox/{sandboxId}/...` and the deprecated `/api/toolbox/{sandboxId}/toolbox/...`: the daemon of a sandbox as
// clients see it.
#include <memory>

#include "net/exchange.h"
#include "proxy/access.h"
#include "proxy/activity.h"
#include "proxy/live.h"
#include "proxy/upstream_pool.h"

namespace sebring::proxy {

// What both proxies share. Lives as long as the process.
struct Shared {
  Access& access;
  UpstreamPool pool;
  ActivityKeeper activity;
  LiveUses live;

  Shared(asio::any_io_executor executor, Access& the_access)
      : access(the_access), pool(executor), activity(executor, the_access), live(executor, the_access) {}
};

class ToolboxProxy {
 public:
  explicit ToolboxProxy(Shared& shared) : shared_(shared) {}

  // The whole of one request, whose path starts with one of the prefixes above; answers in every case. `scheme`: of the
  // listener it came in by.
  asio::awaitable<void> handle(net::Exchange& exchange, std::string scheme);

  // As preview port 2280, already authorised: `target` is the toolbox's path and query.
  asio::awaitable<Result<void>> forward_to(net::Exchange& exchange, Sandbox sandbox, Grant grant, net::RequestHead head,
                                           std::string location_prefix);

 private:
  asio::awaitable<Result<void>> serve(net::Exchange& exchange, std::string scheme);
  Shared& shared_;
};

}  // namespace sebring::proxy
