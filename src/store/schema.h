#pragma once
#include <span>

namespace sebring::store {

// Steps from an empty file to the present schema, for db::migrate. A released step never changes.
std::span<const char* const> schema_steps();

}  // namespace sebring::store
