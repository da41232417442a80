#pragma once
// Reading what a client sent: body, numbers, dates.
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"

namespace sebring::api {

// The body as a JSON object, whatever its Content-Type says; none at all is an empty object.
asio::awaitable<Result<boost::json::object>> read_body(ApiRequest& request);

net::Response json_response(int status, const boost::json::value& value);
net::Response json_response(int status, const boost::json::object& object);
net::Response json_response(int status, const boost::json::array& array);

// Collects what is wrong with query parameters, as the body's reader does.
class QueryReader {
 public:
  explicit QueryReader(const net::Query& query) : query_(query) {}
  std::optional<std::string> text(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  // Any whole number; the caller knows its range.
  std::optional<std::int64_t> number(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::optional<WallMs> date(std::string_view name);
  // One of `choices`.
  std::optional<std::string> choice(std::string_view name, std::initializer_list<std::string_view> choices);
  std::vector<std::string> texts(std::string_view name);
  void error(std::string message) { errors_.push_back(std::move(message)); }
  Result<void> finish() const;

 private:
  const net::Query& query_;
  std::vector<std::string> errors_;
};

// A number of the path. Errc::invalid_argument as the wire says it.
Result<std::int64_t> path_number(const ApiRequest& request, std::string_view name);

}  // namespace sebring::api
