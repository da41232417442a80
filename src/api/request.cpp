#include "api/request.h"

#include <boost/json.hpp>
#include <limits>

#include "base/text.h"
#include "json/json.h"

namespace sebring::api {
namespace {
// A create with a long Dockerfile and many variables stays far below; files never travel here.
constexpr std::size_t kBodyBytesMax = 1024 * 1024;
}  // namespace

asio::awaitable<Result<boost::json::object>> read_body(ApiRequest& request) {
  auto text = co_await request.exchange.read_all(kBodyBytesMax);
  if (!text && text.error().code() == Errc::too_large) co_return fail(Errc::too_large, "request entity too large");
  if (!text) co_return fail(text.error());
  co_return json::parse_object(*text);
}

net::Response json_response(int status, const boost::json::value& value) {
  return net::Response::json(status, json::serialize(value));
}

net::Response json_response(int status, const boost::json::object& object) {
  return net::Response::json(status, boost::json::serialize(object));
}

net::Response json_response(int status, const boost::json::array& array) {
  return net::Response::json(status, boost::json::serialize(array));
}

std::optional<std::string> QueryReader::text(std::string_view name) {
  auto found = query_.find(name);
  if (!found || found->empty()) return std::nullopt;
  return std::string(*found);
}

std::optional<std::int64_t> QueryReader::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  auto found = text(name);
  if (!found) return std::nullopt;
  const auto value = parse_integer(*found);
  if (!value) error(std::string(name) + " must be an integer number");
  if (value && *value > max) error(std::string(name) + " must not be greater than " + std::to_string(max));
  if (value && *value < min) error(std::string(name) + " must not be less than " + std::to_string(min));
  return value;
}

std::optional<std::int64_t> QueryReader::number(std::string_view name) {
  return integer(name, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}

std::optional<bool> QueryReader::boolean(std::string_view name) {
  auto found = text(name);
  if (!found) return std::nullopt;
  if (*found == "true" || *found == "1") return true;
  if (*found == "false" || *found == "0") return false;
  error(std::string(name) + " must be a boolean value");
  return std::nullopt;
}

std::optional<WallMs> QueryReader::date(std::string_view name) {
  auto found = text(name);
  if (!found) return std::nullopt;
  auto value = parse_iso8601(*found);
  if (!value) error(std::string(name) + " must be a valid ISO 8601 date");
  return value;
}

std::optional<std::string> QueryReader::choice(std::string_view name, std::initializer_list<std::string_view> choices) {
  auto found = text(name);
  if (!found) return std::nullopt;
  std::string all;
  for (std::string_view choice : choices) {
    if (choice == *found) return found;
    if (!all.empty()) all += ", ";
    all += choice;
  }
  error(std::string(name) + " must be one of the following values: " + all);
  return std::nullopt;
}

std::vector<std::string> QueryReader::texts(std::string_view name) {
  std::vector<std::string> list;
  for (std::string_view value : query_.all(name)) {
    // Both habits are about: the name repeated, and one value with commas.
    for (std::string_view part : split(value, ',')) {
      if (!part.empty()) list.emplace_back(part);
    }
  }
  return list;
}

Result<void> QueryReader::finish() const {
  if (errors_.empty()) return {};
  return fail(Errc::invalid_argument, join(errors_, ", "));
}

Result<std::int64_t> path_number(const ApiRequest& request, std::string_view name) {
  auto value = parse_integer(request.path[name]);
  if (!value) return fail(Errc::invalid_argument, "Validation failed (numeric string is expected)");
  return *value;
}

}  // namespace sebring::api
