#include "net/http.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/text.h"

namespace sebring::net {
namespace {

// Most names differ in their length, and a request asks for dozens.
bool same_name(const Header& header, std::string_view name) {
  return header.name.size() == name.size() && equals_ignore_case(header.name, name);
}

constexpr std::size_t kUsualHeaders = 12;
constexpr std::size_t kUsualText = 1024;

}  // namespace

// Its text lies behind it.
struct Headers::Block {
  Block* before;
};

Headers::~Headers() {
  while (blocks_) ::operator delete(std::exchange(blocks_, blocks_->before));
}

void Headers::swap(Headers& other) noexcept {
  list_.swap(other.list_);
  std::swap(blocks_, other.blocks_);
  std::swap(free_, other.free_);
  std::swap(left_, other.left_);
}

void Headers::copy(const Headers& other) {
  for (const Header& header : other) add(header.name, header.value);
}

std::string_view Headers::keep(std::string_view text) {
  if (text.size() > left_) {
    const std::size_t room = std::max(kUsualText - sizeof(Block), text.size());
    blocks_ = new (::operator new(sizeof(Block) + room)) Block{blocks_};
    free_ = reinterpret_cast<char*>(blocks_ + 1);
    left_ = room;
  }
  if (!text.empty()) std::memcpy(free_, text.data(), text.size());
  const std::string_view kept(free_, text.size());
  free_ += text.size();
  left_ -= text.size();
  return kept;
}

void Headers::add(std::string_view name, std::string_view value) {
  if (list_.capacity() == 0) list_.reserve(kUsualHeaders);
  const std::string_view kept_name = keep(name);
  list_.push_back({kept_name, keep(value)});
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& header : list_) {
    if (same_name(header, name)) return header.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(list_.begin(), list_.end(), [&](const Header& h) { return same_name(h, name); }));
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Header& header : list_) {
    if (!same_name(header, name)) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (equals_ignore_case(trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(list_, [&](const Header& h) { return same_name(h, name); });
}

Query::Query(std::string_view raw) {
  if (raw.empty()) return;
  for (std::string_view pair : split(raw, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::string_view name = pair.substr(0, equals);
    std::string_view value = equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    list_.push_back({percent_decode(name, true).value_or(std::string(name)),
                     percent_decode(value, true).value_or(std::string(value))});
  }
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const Parameter& pair : list_) {
    if (pair.name == name) return pair.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Parameter& pair : list_) {
    const bool bracketed =
        pair.name.size() == name.size() + 2 && pair.name.ends_with("[]") && pair.name.starts_with(name);
    if (pair.name == name || bracketed) values.push_back(pair.value);
  }
  return values;
}

Response Response::json(int status, std::string body) {
  Response response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("Content-Type", "application/json; charset=utf-8");
  return response;
}

Response Response::text(int status, std::string body, std::string content_type) {
  Response response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("Content-Type", std::move(content_type));
  return response;
}

Response Response::empty(int status) { return {.status = status, .headers = {}, .body = {}}; }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Entity";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

void split_target(RequestHead& head) {
  const std::size_t mark = head.target.find('?');
  head.path = head.target.substr(0, mark);
  head.query = mark == std::string::npos ? std::string() : head.target.substr(mark + 1);
  if (head.path.empty()) head.path = "/";
}

std::optional<std::vector<std::string>> path_segments(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return segments;
  for (std::string_view part : split(path, '/')) {
    auto decoded = percent_decode(part);
    if (!decoded || decoded->find('\0') != std::string::npos) return std::nullopt;
    segments.push_back(std::move(*decoded));
  }
  return segments;
}

}  // namespace sebring::net
