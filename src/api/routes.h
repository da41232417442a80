#pragma once
#include <span>

#include "api/route.h"

namespace sebring::api {

// The whole API, in the order of the document.
std::span<const RouteEntry> routes();

}  // namespace sebring::api
