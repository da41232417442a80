#pragma once
// The one place where an error becomes a status and the control plane's error body.
#include <string_view>

#include "base/time.h"
#include "net/http.h"

namespace sebring::api {

int status_of(Errc code);
// {"path","timestamp","statusCode","error","message","code","source"}. What lies inside an internal error is logged,
// not told.
net::Response error_response(const Error& error, std::string_view target, WallMs now);
// For what never was an Error: a head that the server could not read.
net::Response error_response(int status, std::string_view message, std::string_view target, WallMs now);

}  // namespace sebring::api
