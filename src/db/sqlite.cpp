#include "db/sqlite.h"

#include <sqlite3.h>

namespace sebring::db {
namespace {

Error error_of(sqlite3* handle, std::string_view doing) {
  const int code = sqlite3_extended_errcode(handle);
  std::string message = std::string(doing) + ": " + sqlite3_errmsg(handle);
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
      return Error(Errc::conflict, std::move(message)).tagged("unique");
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(Errc::internal, std::move(message)).tagged("fatal");
    default:
      break;
  }
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return Error(Errc::unavailable, "The disk of the database is full").tagged("full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(Errc::unavailable, std::move(message));
    default:
      return Error(Errc::internal, std::move(message));
  }
}

constexpr const char* kCommonPragmas =
    "PRAGMA busy_timeout=5000;"
    "PRAGMA foreign_keys=ON;"
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA cache_size=-8192;"
    "PRAGMA temp_store=MEMORY;";

}  // namespace

bool is_fatal(const Error& error) { return error.tag() == "fatal"; }

// ---- Query ----------------------------------------------------------------------------------------------------------

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::bind(std::int64_t value) { SB_ASSERT(sqlite3_bind_int64(statement_, next_++, value) == SQLITE_OK); }

void Query::bind(std::string_view value) {
  // A null pointer would bind NULL instead of an empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  SB_ASSERT(sqlite3_bind_text64(statement_, next_++, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
}

void Query::bind(std::nullopt_t) { SB_ASSERT(sqlite3_bind_null(statement_, next_++) == SQLITE_OK); }

Result<bool> Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(error_of(sqlite3_db_handle(statement_), "database"));
}

bool Query::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::string> Query::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

std::optional<std::int64_t> Query::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

// ---- Connection -----------------------------------------------------------------------------------------------------

struct Connection::State {
  sqlite3* handle = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements;
  int wal_pages = 0;

  ~State() {
    for (auto& [sql, statement] : statements) sqlite3_finalize(statement);
    sqlite3_close(handle);
  }
};

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::open(const std::string& path, Mode mode) {
  auto state = std::make_unique<State>();
  const int flags = mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
  // One thread at a time uses a connection, so its mutex would only cost.
  const int code = sqlite3_open_v2(path.c_str(), &state->handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) return fail(error_of(state->handle, "open database " + path));
  sqlite3_extended_result_codes(state->handle, 1);
  Connection connection(std::move(state));
  SB_CHECK(connection.script(kCommonPragmas));
  if (mode == Mode::read) {
    SB_CHECK(connection.script("PRAGMA query_only=ON;"));
    return connection;
  }
  // The log is moved by the writer when nobody waits (checkpoint()), never inside somebody's commit.
  SB_CHECK(connection.script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"));
  State* pages = connection.state_.get();
  sqlite3_wal_hook(
      pages->handle,
      [](void* context, sqlite3*, const char*, int count) {
        static_cast<State*>(context)->wal_pages = count;
        return SQLITE_OK;
      },
      pages);
  return connection;
}

Result<Query> Connection::prepare(std::string_view sql) {
  auto& statements = state_->statements;
  std::string key(sql);
  auto found = statements.find(key);
  if (found == statements.end()) {
    // List queries are made of parts; past this many different ones the oldest habit is cheaper than the memory.
    constexpr std::size_t kStatementsMax = 512;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(state_->handle, key.c_str(), static_cast<int>(key.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                           &statement, nullptr) != SQLITE_OK) {
      return fail(error_of(state_->handle, "prepare"));
    }
    if (statements.size() >= kStatementsMax) {
      for (auto it = statements.begin(); it != statements.end();) {
        if (sqlite3_stmt_busy(it->second) != 0) {
          ++it;
          continue;
        }
        sqlite3_finalize(it->second);
        it = statements.erase(it);
      }
    }
    found = statements.emplace(std::move(key), statement).first;
  }
  SB_ASSERT(sqlite3_stmt_busy(found->second) == 0);
  return Query(found->second);
}

Result<std::int64_t> Connection::finish(Query query) {
  for (;;) {
    auto row = query.step();
    if (!row) return std::unexpected(std::move(row).error());
    if (!*row) return sqlite3_changes64(state_->handle);
  }
}

Result<void> Connection::script(const char* sql) {
  if (sqlite3_exec(state_->handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail(error_of(state_->handle, "database"));
  }
  return {};
}

int Connection::wal_pages() const { return state_->wal_pages; }

Result<void> Connection::checkpoint() {
  if (sqlite3_wal_checkpoint_v2(state_->handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) != SQLITE_OK) {
    return fail(error_of(state_->handle, "checkpoint"));
  }
  state_->wal_pages = 0;
  return {};
}

}  // namespace sebring::db
