#pragma once
// What an HTTP/1 message is made of (RFC 9110, RFC 9112), without how it travels.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sebring::net {

// Views into the Headers that it is part of.
struct Header {
  std::string_view name;
  std::string_view value;
};

// Headers in the order of the wire; names compare without case. What they say lies in one piece of memory, or few, and
// stays where it is until they end or are assigned to, also when they are moved: a head costs two allocations.
class Headers {
 public:
  Headers() = default;
  Headers(const Headers& other) { copy(other); }
  Headers(Headers&& other) noexcept { swap(other); }
  Headers& operator=(Headers other) noexcept {
    swap(other);
    return *this;
  }
  ~Headers();

  // The first one of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // Whether one of the comma-separated values is `token`, without case: Connection: keep-alive, Upgrade.
  bool has_token(std::string_view name, std::string_view token) const;
  void add(std::string_view name, std::string_view value);
  // Replaces all of that name.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  // All for which `unwanted` says so.
  template <class Unwanted>
  void remove_if(Unwanted unwanted) {
    std::erase_if(list_, unwanted);
  }

  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  bool empty() const { return list_.empty(); }

 private:
  struct Block;
  std::string_view keep(std::string_view text);
  void copy(const Headers& other);
  void swap(Headers& other) noexcept;

  std::vector<Header> list_;
  Block* blocks_ = nullptr;  // the newest; each knows the one before
  char* free_ = nullptr;     // in the newest
  std::size_t left_ = 0;
};

// Of a query, or a field with text of its own.
struct Parameter {
  std::string name;
  std::string value;
};

// Decoded parameters of a query string. Bad escapes are kept as they stand.
class Query {
 public:
  Query() = default;
  explicit Query(std::string_view raw);
  std::optional<std::string_view> find(std::string_view name) const;
  // All values of `name` and of `name[]`: both spellings of a repeated parameter are in use.
  std::vector<std::string_view> all(std::string_view name) const;
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }

 private:
  std::vector<Parameter> list_;
};

class ByteStream;

// A body of known length that may be moved past this library: bytes of `stream`, `*left` of which remain. Who moves
// some subtracts them. stream is nullptr while that is not possible (chunked, or bytes still buffered).
struct RawBody {
  ByteStream* stream = nullptr;
  std::uint64_t* left = nullptr;
};

struct RequestHead {
  std::string method;     // upper case as sent, for example "GET"
  std::string target;     // as on the wire: origin form, "/path?query"
  std::string path;       // of target, still percent-encoded, never empty
  std::string query;      // of target, without '?', still encoded
  int version_minor = 1;  // HTTP/1.0 or HTTP/1.1
  Headers headers;
};

struct ResponseHead {
  int status = 200;
  std::string reason;  // empty: the usual phrase for the status
  int version_minor = 1;
  Headers headers;
};

struct Response {
  int status = 200;
  Headers headers;  // Content-Length and Connection are added when it is sent
  std::string body;

  static Response json(int status, std::string body);
  static Response text(int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
  static Response empty(int status);
};

// "Not Found". Unknown numbers give "Status".
std::string_view reason_phrase(int status);

// Sets path and query from target.
void split_target(RequestHead& head);

// "/a/b%20c" -> {"a", "b c"}. nullopt for a bad escape or NUL. A trailing slash gives no empty last part.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

}  // namespace sebring::net
