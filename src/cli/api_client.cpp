#include "cli/api_client.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

Errc errc_of(int status) {
  switch (status) {
    case 400:
      return Errc::invalid_argument;
    case 401:
      return Errc::unauthorized;
    case 403:
      return Errc::forbidden;
    case 404:
      return Errc::not_found;
    case 408:
    case 504:
      return Errc::timed_out;
    case 409:
      return Errc::conflict;
    case 410:
      return Errc::gone;
    case 413:
      return Errc::too_large;
    case 422:
      return Errc::unprocessable;
    case 429:
      return Errc::exhausted;
    case 501:
      return Errc::not_implemented;
    case 502:
      return Errc::bad_gateway;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

std::string first_of(const bj::object& answer, std::string_view name) {
  const bj::value* list = answer.if_contains(name);
  if (!list || !list->is_array() || list->get_array().empty() || !list->get_array()[0].is_string()) return {};
  std::string text(list->get_array()[0].get_string());
  if (list->get_array().size() > 1) text += " (and " + std::to_string(list->get_array().size() - 1) + " more)";
  return text;
}

}  // namespace

std::string field(const bj::object& object, std::string_view name) {
  const bj::value* value = object.if_contains(name);
  if (!value || value->is_null()) return {};
  if (value->is_string()) return std::string(value->as_string());
  return json::serialize(*value);
}

std::string body_text(const bj::value& body) { return body.is_null() ? std::string() : json::serialize(body); }

Result<bj::value> read_answer(const net::Response& response) {
  if (response.status >= 200 && response.status < 300) {
    if (response.body.empty()) return bj::value();
    auto value = json::parse(response.body);
    if (!value)
      return fail(Errc::bad_gateway, "the answer is not JSON; does the URL point at the API (it ends in /api)?");
    return value;
  }
  std::string message;
  if (auto object = json::parse_object(response.body)) {
    message = field(*object, "message");
    if (message.empty()) message = first_of(*object, "errors");  // of several files, some of which went well
  }
  if (message.empty())
    message = std::to_string(response.status) + " " + std::string(net::reason_phrase(response.status));
  return fail(errc_of(response.status), std::move(message));
}

Result<ApiClient> ApiClient::make(Profile profile) {
  auto url = parse_url(profile.url);
  if (!url) return fail(std::move(url).error().while_doing(profile.source));
  SB_TRY(Caller caller, Caller::to_url(*url));
  return ApiClient(std::move(profile), *std::move(url), std::move(caller));
}

net::Headers ApiClient::headers(bool with_body) const {
  net::Headers out;
  if (!profile_.key.empty()) out.add("Authorization", "Bearer " + profile_.key);
  out.add("Accept", "application/json");
  out.add("X-Daytona-Source", "cli");
  if (with_body) out.add("Content-Type", "application/json");
  return out;
}

Error ApiClient::explain(Error error, const std::string& url) const {
  const std::string from = profile_.source.empty() ? "" : " (from " + profile_.source + ")";
  if (error.code() == Errc::unauthorized)
    return Error(Errc::unauthorized, profile_.key.empty()
                                         ? "no API key for " + url + from + ": set SEBRING_API_KEY or give --api-key"
                                         : "the server at " + url + " does not take this API key" + from +
                                               ". `sebring key create NAME` on its machine makes another");
  return error;
}

Result<bj::value> ApiClient::call(std::string method, std::string path, const bj::value& body) {
  auto response =
      caller_.ask(std::move(method), url_.base_path + path, headers(!body.is_null()), body_text(body), kApiDeadline);
  if (!response)
    return fail(Errc::unavailable, "no server answers at " + url_.text() +
                                       (profile_.source.empty() ? "" : " (from " + profile_.source + ")") + ": " +
                                       response.error().message() +
                                       ". Start one with `sebring up`, or name another with --url");
  auto value = read_answer(*response);
  if (!value) return fail(explain(std::move(value).error(), url_.text()));
  return value;
}

Result<bj::value> ApiClient::get(std::string path) { return call("GET", std::move(path), {}); }
Result<bj::value> ApiClient::post(std::string path, const bj::value& body) {
  return call("POST", std::move(path), body);
}
Result<bj::value> ApiClient::erase(std::string path) { return call("DELETE", std::move(path), {}); }

}  // namespace sebring::cli
