#include "json/json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <set>

#include "base/text.h"

namespace sebring::json {
namespace {

constexpr std::size_t kDepthMax = 32;

// Builds values as Boost's own parser does, and refuses an object that has a key twice: two readers of such a text may
// see different values.
struct Handler {
  static constexpr std::size_t max_object_size = 1U << 20;
  static constexpr std::size_t max_array_size = 1U << 22;
  static constexpr std::size_t max_key_size = 1U << 20;
  static constexpr std::size_t max_string_size = std::size_t(-1) >> 1;

  bj::value_stack stack;
  std::vector<std::set<std::string, std::less<>>> keys;
  std::string key;
  std::string duplicate;

  using error_code = bj::error_code;
  using string_view = bj::string_view;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    keys.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t count, error_code&) {
    keys.pop_back();
    stack.push_object(count);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t count, error_code&) {
    stack.push_array(count);
    return true;
  }
  bool on_key_part(string_view text, std::size_t, error_code&) {
    key.append(text.data(), text.size());
    stack.push_chars(text);
    return true;
  }
  bool on_key(string_view text, std::size_t, error_code& code) {
    key.append(text.data(), text.size());
    stack.push_key(text);
    if (!keys.back().insert(key).second) {
      duplicate = key;
      code = bj::error::extra_data;
      return false;
    }
    key.clear();
    return true;
  }
  bool on_string_part(string_view text, std::size_t, error_code&) {
    stack.push_chars(text);
    return true;
  }
  bool on_string(string_view text, std::size_t, error_code&) {
    stack.push_string(text);
    return true;
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, string_view, error_code&) {
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, string_view, error_code&) {
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double value, string_view, error_code&) {
    stack.push_double(value);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

std::string range_text(std::int64_t min, std::int64_t max) {
  if (min == std::numeric_limits<std::int64_t>::min()) return "must not be greater than " + std::to_string(max);
  if (max == std::numeric_limits<std::int64_t>::max()) return "must not be less than " + std::to_string(min);
  return "must be between " + std::to_string(min) + " and " + std::to_string(max);
}

}  // namespace

Result<bj::value> parse(std::string_view text) {
  bj::parse_options options;
  options.max_depth = kDepthMax;
  bj::basic_parser<Handler> parser(options);
  parser.handler().stack.reset();
  bj::error_code code;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), code);
  if (!code && !trim(text.substr(used)).empty()) code = bj::error::extra_data;
  if (!code && !parser.done()) code = bj::error::incomplete;
  if (code) {
    if (!parser.handler().duplicate.empty()) {
      return fail(Errc::invalid_argument, "Invalid JSON: key \"" + parser.handler().duplicate + "\" is there twice");
    }
    return fail(Errc::invalid_argument, "Invalid JSON: " + code.message() + " near byte " + std::to_string(used));
  }
  return parser.handler().stack.release();
}

Result<bj::object> parse_object(std::string_view text) {
  if (trim(text).empty()) return bj::object();
  SB_TRY(bj::value value, parse(text));
  if (!value.is_object()) return fail(Errc::invalid_argument, "Invalid JSON: expected an object");
  return std::move(value.get_object());
}

ObjectReader::ObjectReader(const bj::object& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

const bj::value* ObjectReader::find(std::string_view name) const {
  const bj::value* value = object_.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool ObjectReader::has(std::string_view name) const { return find(name) != nullptr; }

std::optional<std::string> ObjectReader::text(std::string_view name) {
  const bj::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const bj::string* string = value->if_string()) return std::string(string->data(), string->size());
  error(prefix_ + std::string(name) + " must be a string");
  return std::nullopt;
}

std::string ObjectReader::required_text(std::string_view name) {
  if (find(name) == nullptr) {
    error(prefix_ + std::string(name) + " must be a string");
    return {};
  }
  auto value = text(name);
  if (value && value->empty()) error(prefix_ + std::string(name) + " should not be empty");
  return value.value_or(std::string());
}

std::optional<bool> ObjectReader::boolean(std::string_view name) {
  const bj::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const bool* flag = value->if_bool()) return *flag;
  error(prefix_ + std::string(name) + " must be a boolean value");
  return std::nullopt;
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view name, std::int64_t min, std::int64_t max) {
  const bj::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (const std::int64_t* whole = value->if_int64()) number = *whole;
  // 2.0 is what some languages write for 2.
  if (const double* real = value->if_double(); real && std::trunc(*real) == *real && std::abs(*real) < 9.0e15) {
    number = static_cast<std::int64_t>(*real);
  }
  if (!number) {
    error(prefix_ + std::string(name) + " must be an integer number");
    return std::nullopt;
  }
  if (*number < min || *number > max) {
    error(prefix_ + std::string(name) + " " + range_text(min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<double> ObjectReader::number(std::string_view name) {
  const bj::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->to_number<double>();
  error(prefix_ + std::string(name) + " must be a number");
  return std::nullopt;
}

std::optional<std::vector<std::string>> ObjectReader::texts(std::string_view name) {
  const bj::array* list = array(name);
  if (list == nullptr) return std::nullopt;
  std::vector<std::string> result;
  for (const bj::value& value : *list) {
    const bj::string* string = value.if_string();
    if (string == nullptr) {
      error("each value in " + prefix_ + std::string(name) + " must be a string");
      return std::nullopt;
    }
    result.emplace_back(string->data(), string->size());
  }
  return result;
}

std::optional<std::vector<std::pair<std::string, std::string>>> ObjectReader::text_map(std::string_view name) {
  const bj::object* map = object(name);
  if (map == nullptr) return std::nullopt;
  std::vector<std::pair<std::string, std::string>> result;
  for (const auto& [key, value] : *map) {
    const bj::string* string = value.if_string();
    if (string == nullptr) {
      error(prefix_ + std::string(name) + " must be an object with string values");
      return std::nullopt;
    }
    result.emplace_back(std::string(key.data(), key.size()), std::string(string->data(), string->size()));
  }
  return result;
}

const bj::object* ObjectReader::object(std::string_view name) {
  const bj::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (const bj::object* object = value->if_object()) return object;
  error(prefix_ + std::string(name) + " must be an object");
  return nullptr;
}

const bj::array* ObjectReader::array(std::string_view name) {
  const bj::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (const bj::array* array = value->if_array()) return array;
  error(prefix_ + std::string(name) + " must be an array");
  return nullptr;
}

Result<void> ObjectReader::finish() const {
  if (errors_.empty()) return {};
  return fail(Errc::invalid_argument, join(errors_, ", "));
}

std::string serialize(const bj::value& value) { return bj::serialize(value); }
std::string serialize(const bj::object& value) { return bj::serialize(value); }

}  // namespace sebring::json
