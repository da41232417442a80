#pragma once
// btrfs by ioctl: subvolumes, snapshots, limits. `directory` arguments are descriptors of directories opened for
// reading (not O_PATH); names are single components.
#include <cstdint>
#include <set>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os::btrfs {

enum class Quotas { none, classic, simple };

// The group of everything that users write in a pool of our own. Its limit keeps the pool from ever answering ENOSPC,
// which would hit metadata, and with it the runner's own work. Simple quotas only: a snapshot put into a group of
// classic quotas makes all accounting inconsistent, and limits silently stop.
inline constexpr std::uint64_t kUsersGroup = (std::uint64_t{1} << 48) | 1;

bool is_btrfs(int directory);
// Lower-case file system id as /sys/fs/btrfs writes it.
Result<std::string> file_system_id(int directory);
Quotas quota_mode(int directory);
// Simple where the kernel can, else classic. What is on already stays.
Result<Quotas> enable_quotas(int directory);
// Makes the group if needed and sets its limit.
Result<void> limit_users_group(int directory, std::uint64_t bytes);

Result<void> create_subvolume(int directory, const std::string& name);
struct SnapshotSpec {
  int source = -1;  // the subvolume's root
  bool read_only = false;
  std::uint64_t limit_bytes = 0;  // 0: none
  bool users_group = false;       // simple quotas only
};
// Commits before it returns: durable, and so is all data written to the source before.
Result<void> snapshot(int directory, const std::string& name, const SnapshotSpec& spec, Quotas quotas);
// Asynchronous in the kernel; drops the page cache synchronously. Missing is fine.
Result<void> destroy_subvolume(int directory, const std::string& name);
Result<bool> is_subvolume(int directory);

// The limit of the subvolume whose root `subvolume` is; 0 takes it away.
Result<void> set_limit(int subvolume, std::uint64_t bytes);
// Bytes referenced by it as of the last commit, and its limit (0: none).
struct Usage {
  std::uint64_t bytes = 0;
  std::uint64_t limit = 0;
};
Result<Usage> usage(int subvolume);

// Removes quota groups of subvolumes that are gone. Kernels before 6.11 leave every one behind, later ones that of a
// subvolume whose copies outlived it; in a pool of years they would be millions, which a mount reads one by one.
class UnusedQuotas {
 public:
  // Removes those that were without a subvolume and empty at the last look too: that of a subvolume which is just being
  // made looks the same for a moment. Returns how many.
  Result<std::size_t> remove(int directory);

 private:
  std::set<std::uint64_t> seen_;
};

// Commits everything; wakes the cleaner.
Result<void> sync(int directory);
// Metadata only: creates, deletes, limits.
Result<void> sync_metadata(int directory);
Result<void> resize_to_device(int directory);

}  // namespace sebring::os::btrfs
