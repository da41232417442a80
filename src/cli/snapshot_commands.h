#pragma once
#include <cstdint>
#include <string>

#include "cli/api_client.h"
#include "cli/output.h"

namespace sebring::cli {

struct SnapshotListOptions {
  std::int64_t page = 1;
  std::int64_t limit = 100;
  std::string name;  // part of it
};
int list_snapshots(ApiClient& api, const Output& output, const SnapshotListOptions& options);

}  // namespace sebring::cli
