// Data directory, pool and run directory.
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <string_view>

#include "cli/doctor.h"

namespace sebring::cli {
namespace {

constexpr long kBtrfsMagic = 0x9123683e;
constexpr long kTmpfsMagic = 0x01021994;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

std::string_view name_of(long type) {
  switch (type) {
    case kBtrfsMagic:
      return "btrfs";
    case kTmpfsMagic:
      return "tmpfs";
    case 0xef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x794c7630:
      return "overlay";
    default:
      return "another file system";
  }
}

long type_of(const std::string& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 ? static_cast<long>(status.f_type) : 0;
}

Finding pool(const config::Config& config) {
  const std::string place = config.pool_dir.empty() ? config.data_dir + "/pool" : config.pool_dir;
  const long type = type_of(existing_parent(place));
  Finding out{"storage", "pool", Severity::good, place + " on " + std::string(name_of(type)), "", ""};
  if (type == kBtrfsMagic) return out;
  out.found += ", a btrfs loop file of " + std::to_string(config.pool_size_gib) + " GiB is used";
  if (type == kTmpfsMagic || type == 0x794c7630) {
    out.severity = Severity::degraded;
    out.cost = type == kTmpfsMagic ? "disks of sandboxes are gone after a reboot, and take memory"
                                   : "a loop file in an overlay (a container's root) is slow and may not work";
    out.mend = "put the data directory on a disk: --data-dir";
  }
  return out;
}

Finding space(const config::Config& config) {
  const std::string place = existing_parent(config.data_dir);
  struct statvfs status{};
  Finding out{"storage", "free space", Severity::good, "", "", ""};
  if (::statvfs(place.c_str(), &status) != 0) {
    out.severity = Severity::missing;
    out.found = "can not look at " + place;
    out.cost = "no place for the data directory";
    out.mend = "choose another one: --data-dir";
    return out;
  }
  const std::uint64_t free = status.f_bavail * status.f_frsize / kGiB;
  const auto wanted = static_cast<std::uint64_t>(config.pool_size_gib);
  out.found = std::to_string(free) + " GiB at " + place;
  if (free >= wanted) return out;
  out.severity = free < 4 ? Severity::missing : Severity::degraded;
  out.cost = free < 4 ? "the default snapshot alone unpacks to about 2 GiB"
                      : "the pool may grow to " + std::to_string(wanted) + " GiB and would fill the disk first";
  out.mend = "free some space, choose another place with --data-dir, or a smaller --pool-size-gib";
  return out;
}

Finding run_directory(const config::Config& config) {
  const bool chosen = !config.run_dir.empty();
  std::string place = existing_parent(chosen ? config.run_dir : "/run");
  if (!chosen && type_of(place) != kTmpfsMagic && type_of("/dev/shm") == kTmpfsMagic) place = "/dev/shm";
  Finding out{"storage", "run directory", Severity::good, place + " is a tmpfs", "", ""};
  if (type_of(place) == kTmpfsMagic) return out;
  out.severity = Severity::advice;
  out.found = place + " is no tmpfs";
  out.cost = "sockets on a disk make creates slower, and are left over after a reboot";
  out.mend = "mount -t tmpfs -o mode=755 tmpfs /run, or --run-dir on a tmpfs";
  return out;
}

}  // namespace

std::vector<Finding> examine_storage(const config::Config& config) {
  return {pool(config), space(config), run_directory(config)};
}

}  // namespace sebring::cli
