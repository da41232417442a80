#pragma once
// Strict reading of JSON that strangers send, and small helpers to write it.
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sebring::json {

namespace bj = boost::json;

// Strict UTF-8, no duplicate keys, at most 32 levels. Errc::invalid_argument with what and where.
Result<bj::value> parse(std::string_view text);
// The same, and an object is expected. An empty text is an empty object: many clients send no body at all.
Result<bj::object> parse_object(std::string_view text);

// Reads fields of one object. Wrong types and ranges are collected, named by field, and come out of finish() as one
// message joined by ", ". Absent and null are the same: nullopt. Unknown fields are ignored, as clients rely on it.
class ObjectReader {
 public:
  // `object` must outlive the reader. `prefix` stands before each field's name in messages: "buildInfo.".
  explicit ObjectReader(const bj::object& object, std::string prefix = "");

  std::optional<std::string> text(std::string_view name);
  std::string required_text(std::string_view name);  // "" after an error; empty text is an error too
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name,
                                      std::int64_t min = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t max = std::numeric_limits<std::int64_t>::max());
  std::optional<double> number(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name);
  // An object whose values are all strings, in order.
  std::optional<std::vector<std::pair<std::string, std::string>>> text_map(std::string_view name);
  const bj::object* object(std::string_view name);
  const bj::array* array(std::string_view name);
  bool has(std::string_view name) const;  // present and not null

  void error(std::string message) { errors_.push_back(std::move(message)); }
  Result<void> finish() const;

 private:
  const bj::value* find(std::string_view name) const;
  const bj::object& object_;
  std::string prefix_;
  std::vector<std::string> errors_;
};

std::string serialize(const bj::value& value);
std::string serialize(const bj::object& value);

}  // namespace sebring::json
