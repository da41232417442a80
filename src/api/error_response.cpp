#include "api/error_response.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "control/log.h"
#include "json/json.h"

namespace sebring::api {
namespace {

// NOT_FOUND, BAD_REQUEST, ...: the phrase of the status, as the newest clients read it.
std::string code_of(int status) {
  std::string code;
  for (char c : net::reason_phrase(status)) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    const bool keep = c >= 'A' && c <= 'Z';
    if (keep) code += c;
    if (!keep && !code.empty() && code.back() != '_') code += '_';
  }
  return code;
}

bool is_wire_tag(std::string_view tag) { return !tag.empty() && tag[0] >= 'A' && tag[0] <= 'Z'; }

net::Response render(int status, std::string_view message, std::string code, std::string_view target, WallMs now) {
  const boost::json::object body{{"path", to_valid_utf8(target)},
                                 {"timestamp", iso8601(now)},
                                 {"statusCode", status},
                                 {"error", std::string(net::reason_phrase(status))},
                                 {"message", to_valid_utf8(message)},
                                 {"code", std::move(code)},
                                 {"source", "DAYTONA_API"}};
  return net::Response::json(status, json::serialize(body));
}

}  // namespace

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return 400;
    case Errc::unauthorized:
      return 401;
    case Errc::forbidden:
      return 403;
    case Errc::not_found:
      return 404;
    case Errc::timed_out:
      return 408;
    case Errc::conflict:
      return 409;
    case Errc::gone:
      return 410;
    case Errc::too_large:
      return 413;
    case Errc::unprocessable:
      return 422;
    case Errc::exhausted:
      return 429;
    case Errc::cancelled:
    case Errc::internal:
      return 500;
    case Errc::not_implemented:
      return 501;
    case Errc::bad_gateway:
      return 502;
    case Errc::unavailable:
      return 503;
  }
  return 500;
}

net::Response error_response(const Error& error, std::string_view target, WallMs now) {
  const int status = status_of(error.code());
  if (status == 500) {
    control::log_error(std::string(target) + ": " + error.message());
    return render(status, "An unexpected error occurred.", code_of(status), target, now);
  }
  std::string code = is_wire_tag(error.tag()) ? error.tag() : code_of(status);
  net::Response response = render(status, error.message(), std::move(code), target, now);
  if (error.tag() == "retry_after" || error.code() == Errc::exhausted) response.headers.add("Retry-After", "1");
  return response;
}

net::Response error_response(int status, std::string_view message, std::string_view target, WallMs now) {
  return render(status, message, code_of(status), target, now);
}

}  // namespace sebring::api
