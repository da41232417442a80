#include "toolbox_git/protocol.h"

#include <array>
#include <boost/json.hpp>

#include "base/text.h"
#include "json/json.h"

namespace sebring::toolbox_git {
namespace bj = boost::json;
namespace {

struct CodeName {
  Errc code;
  std::string_view name;
};

constexpr std::array kCodes = {
    CodeName{Errc::invalid_argument, "invalid_argument"},
    CodeName{Errc::unauthorized, "unauthorized"},
    CodeName{Errc::forbidden, "forbidden"},
    CodeName{Errc::not_found, "not_found"},
    CodeName{Errc::timed_out, "timed_out"},
    CodeName{Errc::conflict, "conflict"},
    CodeName{Errc::gone, "gone"},
    CodeName{Errc::too_large, "too_large"},
    CodeName{Errc::unprocessable, "unprocessable"},
    CodeName{Errc::exhausted, "exhausted"},
    CodeName{Errc::cancelled, "cancelled"},
    CodeName{Errc::internal, "internal"},
    CodeName{Errc::not_implemented, "not_implemented"},
    CodeName{Errc::bad_gateway, "bad_gateway"},
    CodeName{Errc::unavailable, "unavailable"},
};

std::string_view name_of(Errc code) {
  for (const auto& row : kCodes)
    if (row.code == code) return row.name;
  return "internal";
}

std::optional<Errc> code_of(std::string_view name) {
  for (const auto& row : kCodes)
    if (row.name == name) return row.code;
  return std::nullopt;
}

struct Encoder {
  bj::object operator()(const TargetEvent& event) const {
    return {{"target", {{"path", to_valid_utf8(event.path)}, {"existed", event.existed}}}};
  }
  bj::object operator()(const ProgressEvent& event) const {
    return {{"progress", {{"step", event.step}, {"done", event.done}, {"total", event.total}, {"bytes", event.bytes}}}};
  }
  bj::object operator()(const ErrorEvent& event) const {
    const auto& error = event.error;
    return {{"error",
             {{"code", name_of(error.code())}, {"tag", error.tag()}, {"message", to_valid_utf8(error.message())}}}};
  }
  bj::object operator()(const DoneEvent&) const { return {{"done", true}}; }
};

std::unexpected<Error> bad_line() { return fail(Errc::internal, "the git helper answered something unknown"); }

Result<Event> decode_error(const bj::object& fields) {
  json::ObjectReader reader(fields);
  const auto code = code_of(reader.required_text("code"));
  const auto tag = reader.text("tag").value_or("");
  const auto message = reader.required_text("message");
  if (!reader.finish() || !code) return bad_line();
  return ErrorEvent{Error(*code, message).tagged(tag)};
}

}  // namespace

std::string encode(const Event& event) { return json::serialize(std::visit(Encoder(), event)); }

Result<Event> decode(std::string_view line) {
  const auto object = json::parse_object(line);
  if (!object) return bad_line();
  json::ObjectReader reader(*object);
  if (const auto* target = reader.object("target")) {
    json::ObjectReader inner(*target);
    TargetEvent event{inner.required_text("path"), inner.boolean("existed").value_or(true)};
    if (!inner.finish()) return bad_line();
    return event;
  }
  if (const auto* progress = reader.object("progress")) {
    json::ObjectReader inner(*progress);
    ProgressEvent event{inner.text("step").value_or(""), inner.integer("done").value_or(0),
                        inner.integer("total").value_or(0), inner.integer("bytes").value_or(0)};
    if (!inner.finish()) return bad_line();
    return event;
  }
  if (const auto* error = reader.object("error")) return decode_error(*error);
  if (reader.boolean("done").value_or(false)) return DoneEvent{};
  return bad_line();
}

}  // namespace sebring::toolbox_git
