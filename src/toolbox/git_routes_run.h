#pragma once
// One git operation: starts the helper as the sandbox's user, follows it, answers the client.
#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>
#include <string>

#include "net/exchange.h"
#include "toolbox/context.h"

namespace sebring::toolbox {

struct GitCall {
  std::string operation;  // toolbox_git/request.h
  boost::json::object fields;
  int success_status = 200;
};

// Answers the exchange, whose body must have been read, unless it returns an error before anything was sent. The helper
// is killed when the client goes away or when it makes no progress, and a half-made clone is then removed.
asio::awaitable<Result<void>> run_git(Context& context, net::Exchange& exchange, GitCall call);

// The path as the helper gets it: absolute, resolved against the working directory and the home.
Result<void> resolve_git_path(boost::json::object& fields, const Context& context);

}  // namespace sebring::toolbox
