#include "cli/output.h"

#include <unistd.h>

#include <boost/json.hpp>

#include "cli/table.h"
#include "json/json.h"

namespace sebring::cli {
namespace bj = boost::json;
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

void pretty_to(std::string& out, const bj::value& value, std::size_t indent) {
  const std::string inner(indent + 2, ' ');
  bool first = true;
  auto separate = [&] {
    out += first ? "\n" : ",\n";
    out += inner;
    first = false;
  };
  if (value.is_object() && !value.get_object().empty()) {
    out += '{';
    for (const auto& [key, member] : value.get_object()) {
      separate();
      out += json::serialize(bj::value(key)) + ": ";
      pretty_to(out, member, indent + 2);
    }
    out += "\n" + std::string(indent, ' ') + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    out += '[';
    for (const bj::value& member : value.get_array()) {
      separate();
      pretty_to(out, member, indent + 2);
    }
    out += "\n" + std::string(indent, ' ') + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

std::string pretty(const bj::value& value) {
  std::string out;
  pretty_to(out, value, 0);
  return out;
}

bool Output::write(std::string_view text) const {
  if (write_all(STDOUT_FILENO, text)) return true;
  if (write_error && *write_error == 0 && errno != EPIPE) *write_error = errno;
  return false;
}

void Output::write_json(const bj::value& value) const { write(pretty(value) + "\n"); }

int Output::fail(const Error& error, int code) const {
  std::string text;
  for (char c : error.message()) text += c == '\n' ? ' ' : c;
  write_all(STDERR_FILENO, "sebring: " + printable(text) + "\n");
  return code;
}

}  // namespace sebring::cli
