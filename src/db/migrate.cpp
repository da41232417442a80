#include "db/migrate.h"

namespace sebring::db {

Result<void> migrate(Connection& connection, std::span<const char* const> steps) {
  std::int64_t version = 0;
  {
    SB_TRY(auto query, connection.query("PRAGMA user_version"));
    SB_CHECK(query.step());
    version = query.integer(0);
  }
  if (version > static_cast<std::int64_t>(steps.size())) {
    return fail(Errc::internal,
                "the database is of version " + std::to_string(version) + ", written by a newer release than this one");
  }
  for (auto step = static_cast<std::size_t>(version); step < steps.size(); ++step) {
    // user_version is written in the same transaction, so a step is taken once or not at all.
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(steps[step]) +
                            "; PRAGMA user_version=" + std::to_string(step + 1) + "; COMMIT;";
    if (auto done = connection.script(sql.c_str()); !done) {
      (void)connection.script("ROLLBACK");
      return fail(std::move(done).error().while_doing("schema step " + std::to_string(step + 1)));
    }
  }
  return {};
}

}  // namespace sebring::db
