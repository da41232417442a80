#pragma once
// What one line of the route table says, and what a handler gets.
#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/access.h"
#include "control/api_keys.h"
#include "control/authenticate.h"
#include "control/control.h"
#include "control/reconcile.h"
#include "net/exchange.h"
#include "net/http.h"
#include "net/router.h"

namespace sebring::api {

namespace asio = boost::asio;

struct ApiContext {
  control::Control& control;
  control::Authenticator& authenticator;
  control::AccessControl& access;
  const control::Reconciler& reconciler;
};

struct ApiRequest {
  net::Exchange& exchange;
  const net::PathParameters& path;
  net::Query query;
  control::Caller caller;  // empty on open routes
};

// Answers 2xx; everything else is an error, rendered in one place.
using ApiHandler = asio::awaitable<Result<net::Response>> (*)(ApiContext&, ApiRequest&);

enum class Auth {
  open,     // anybody
  key,      // an API key with the permission, if one is named
  service,  // services of the original's own make, which do not exist here
  admin,    // administrators, who use the administration socket here
};

struct RouteEntry {
  std::string_view method;
  std::string_view pattern;    // below /api
  std::string_view operation;  // what generators of clients call it; nobody else has this name
  Auth auth;
  std::string_view permission;  // any of those named, separated by '|'; "-": membership is enough
  int status;                   // of success
  std::string_view summary;
  std::string_view query;     // names, separated by spaces
  std::string_view body;      // schema; empty: none
  std::string_view response;  // schema, "X[]" for a list, "" for no body
  ApiHandler handler;         // null: answers 501
};

}  // namespace sebring::api
