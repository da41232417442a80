#pragma once
// How much one sandbox and one organization may take.
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "model/sandbox.h"

namespace sebring::model {

// Per sandbox maxima and totals of an organization. A total of 0 is no limit: on machines of one's own the machine is
// the limit.
struct Limits {
  int cpu_per_sandbox = 4;
  int memory_gib_per_sandbox = 8;
  int disk_gib_per_sandbox = 10;
  int cpu_total = 0;
  int memory_gib_total = 0;
  int disk_gib_total = 0;
  int snapshots = 30;
  int snapshot_gib = 20;
  int volumes = 100;
};

Result<void> check_per_sandbox(const Resources& wanted, const Limits& limits);
// `used`: what the organization's other sandboxes take now.
Result<void> check_totals(const Resources& wanted, const Resources& used, const Limits& limits);

// --- intervals, in minutes ---
inline constexpr std::int64_t kArchiveIntervalMax = 43'200;
// A hundred years: past this a due time would mean nothing, and sums stay far from overflow.
inline constexpr std::int64_t kIntervalMax = 52'560'000;

Result<std::int64_t> check_stop_interval(std::int64_t minutes);
Result<std::int64_t> check_pause_interval(std::int64_t minutes);
// 0 and too large ones become the maximum.
Result<std::int64_t> check_archive_interval(std::int64_t minutes);
// Any negative one means never and becomes -1.
Result<std::int64_t> check_destroy_interval(std::int64_t minutes);
Result<std::int64_t> check_ttl(std::int64_t minutes);
// What must hold between them.
Result<void> check_together(const Intervals& intervals);

// What a resize asks; absent means as it is.
struct Resize {
  std::optional<int> cpu;
  std::optional<int> memory_gib;
  std::optional<int> disk_gib;
};
// The resources after it. Errc::invalid_argument with the reason: shrinking while running, disk while running, ...
Result<Resources> resized(const Sandbox& sandbox, const Resize& asked);

}  // namespace sebring::model
