#pragma once
// Schema versions. PRAGMA user_version holds how many steps were taken.
#include <span>

#include "db/sqlite.h"

namespace sebring::db {

// Takes the missing steps, each in its own transaction. Errc::internal when the file is from a newer program.
Result<void> migrate(Connection& connection, std::span<const char* const> steps);

}  // namespace sebring::db
