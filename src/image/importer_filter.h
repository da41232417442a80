#pragma once
#include "base/result.h"
#include "image/importer_protocol.h"

namespace sebring::image {

// From here on this process may only do what its role needs; anything else ends it. For ever.
Result<void> restrict_system_calls(ImporterRole role);

}  // namespace sebring::image
