#pragma once
// One request and its answer, carried between a client and a server in a sandbox. Both bodies stream at the same time
// with constant memory; either side going away ends the other at once.
#include <functional>

#include "net/exchange.h"
#include "proxy/live.h"
#include "proxy/upstream_pool.h"

namespace sebring::proxy {

struct Forward {
  // What is asked, finished but for framing: end-to-end headers only, nothing of ours in it.
  net::RequestHead request;
  // Sent as Connection/Upgrade; a 101 then turns both connections into a tunnel.
  std::optional<std::string> upgrade;
  // Last change of the answer's head before it goes out.
  std::function<void(net::ResponseHead&)> edit_answer;
  // Called first. `end` ends what is carried: with the error of what it is told while there is no answer, with a close
  // frame a WebSocket between two messages, else by cutting it. It may be called until forward() completes. May be
  // null.
  std::function<void(std::function<void(const Over&)> end)> on_begin;
  // Asked when a WebSocket's server breaks off without a close frame: what the client is told, nullopt for nothing. May
  // be null.
  std::function<asio::awaitable<std::optional<Over>>()> why_lost;
  // No idle connection older than this is used for a request that must not be sent twice.
  std::chrono::milliseconds fresh_enough{60'000};
};

// Success: an answer was sent, whole or cut together with the client's connection. An error means that nothing was
// sent: Errc::bad_gateway when the server broke off, Errc::unavailable when it could not be reached,
// Errc::cancelled when the client has gone.
// `upstream` and `what` must live until it completes; the request in `what` is used up.
asio::awaitable<Result<void>> forward(net::Exchange& exchange, UpstreamPool& pool, const Upstream& upstream,
                                      Forward& what);

}  // namespace sebring::proxy
