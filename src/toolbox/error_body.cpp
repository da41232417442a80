#include "toolbox/error_body.h"

#include "base/text.h"
#include "base/time.h"

namespace sebring::toolbox {
namespace {

struct Kind {
  Errc errc;
  int status;
  const char* code;
  const char* prefix;
};

constexpr Kind kKinds[] = {
    {Errc::invalid_argument, 400, "BAD_REQUEST", "bad request: "},
    {Errc::unauthorized, 401, "UNAUTHORIZED", "unauthorized: "},
    {Errc::forbidden, 403, "FORBIDDEN", "forbidden: "},
    {Errc::not_found, 404, "NOT_FOUND", "not found: "},
    {Errc::timed_out, 408, "REQUEST_TIMEOUT", "request timeout: "},
    {Errc::conflict, 409, "CONFLICT", "conflict: "},
    {Errc::gone, 410, "GONE", "gone: "},
    {Errc::too_large, 413, "BAD_REQUEST", "bad request: "},
    {Errc::unprocessable, 422, "UNPROCESSABLE_ENTITY", "unprocessable entity: "},
    {Errc::exhausted, 429, "TOO_MANY_REQUESTS", "too many requests: "},
    {Errc::cancelled, 408, "REQUEST_TIMEOUT", "request timeout: "},
    {Errc::internal, 500, "INTERNAL_SERVER_ERROR", "internal server error: "},
    {Errc::not_implemented, 501, "NOT_IMPLEMENTED", "not implemented: "},
    {Errc::bad_gateway, 502, "BAD_GATEWAY", "bad gateway: "},
    {Errc::unavailable, 503, "SERVICE_UNAVAILABLE", "service unavailable: "},
};

}  // namespace

WireError wire_error(const Error& error) {
  const Kind* kind = &kKinds[11];
  for (const Kind& candidate : kKinds) {
    if (candidate.errc == error.code()) kind = &candidate;
  }
  WireError wire{.status = kind->status, .code = error.tag().empty() ? kind->code : error.tag(), .message = {}};
  std::string_view prefix = kind->prefix;
  if (error.tag() == "INVALID_REQUEST_BODY") prefix = "invalid body request: ";
  if (!error.message().starts_with(prefix)) wire.message = prefix;
  wire.message += error.message();
  return wire;
}

std::string error_body(const WireError& error, std::string_view method, std::string_view path) {
  std::string body = "{\"statusCode\":" + std::to_string(error.status) + ",\"message\":";
  append_json_string(body, error.message);
  body += ",\"code\":";
  append_json_string(body, error.code);
  body += ",\"timestamp\":\"" + iso8601(system_clock().wall_ms()) + "\",\"path\":";
  append_json_string(body, path);
  body += ",\"method\":";
  append_json_string(body, method);
  body += ",\"source\":\"DAYTONA_DAEMON\"}";
  return body;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string mended;
  if (!is_valid_utf8(text)) {
    mended = to_valid_utf8(text);
    text = mended;
  }
  out += '"';
  std::size_t plain = 0;  // start of what needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  out.append(text.substr(plain));
  out += '"';
}

}  // namespace sebring::toolbox
