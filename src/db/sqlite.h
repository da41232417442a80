#pragma once
// SQLite with lifetimes. A connection belongs to one thread at a time.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sebring::db {

// One use of a prepared statement; gives it back, reset, when destroyed. Columns count from 0.
class Query {
 public:
  Query(Query&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)), next_(other.next_) {}
  Query& operator=(Query&&) = delete;
  ~Query();

  // Binds the next parameter.
  void bind(std::int64_t value);
  void bind(int value) { bind(static_cast<std::int64_t>(value)); }
  void bind(bool value) { bind(static_cast<std::int64_t>(value ? 1 : 0)); }
  void bind(std::string_view value);
  void bind(const std::string& value) { bind(std::string_view(value)); }
  void bind(const char* value) { bind(std::string_view(value)); }
  void bind(std::nullopt_t);
  template <class T>
  void bind(const std::optional<T>& value) {
    value ? bind(*value) : bind(std::nullopt);
  }

  // True when there is a row, false at the end.
  Result<bool> step();
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  std::string text(int column) const;
  std::optional<std::string> optional_text(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;

 private:
  friend class Connection;
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_;
  int next_ = 1;
};

class Connection {
 public:
  enum class Mode { read, write };
  // Creates the file in write mode (0600 by the process' umask).
  static Result<Connection> open(const std::string& path, Mode mode);
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  // Prepares once per text and binds `values` in order. A unique constraint that does not hold is Errc::conflict with
  // tag "unique", a full disk Errc::unavailable, anything else Errc::internal.
  template <class... Values>
  Result<Query> query(std::string_view sql, const Values&... values) {
    auto found = prepare(sql);
    if (!found) return std::unexpected(std::move(found).error());
    Query query = *std::move(found);
    (query.bind(values), ...);
    return query;
  }
  // Runs to the end; the number of rows changed.
  template <class... Values>
  Result<std::int64_t> run(std::string_view sql, const Values&... values) {
    auto used = query(sql, values...);
    if (!used) return std::unexpected(std::move(used).error());
    return finish(*std::move(used));
  }
  // Several statements without parameters.
  Result<void> script(const char* sql);
  // Pages in the write-ahead log after the last commit.
  int wal_pages() const;
  // Moves what it can from the log to the database file without waiting for readers.
  Result<void> checkpoint();

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  Result<Query> prepare(std::string_view sql);
  Result<std::int64_t> finish(Query query);
  std::unique_ptr<State> state_;
};

// Whether after this error nothing written since the last commit may be trusted (fsync failed, file damaged).
bool is_fatal(const Error& error);

}  // namespace sebring::db
