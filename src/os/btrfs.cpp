#include "os/btrfs.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <vector>

#include "os/file.h"

#ifndef BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA
#define BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA 4  // headers before 6.7
#endif

namespace sebring::os::btrfs {
namespace {

void copy_name(char* into, std::size_t space, const std::string& name) {
  std::memset(into, 0, space);
  name.copy(into, space - 1);
}

Result<std::uint64_t> subvolume_id(int subvolume) {
  btrfs_ioctl_ino_lookup_args arguments{};
  arguments.objectid = BTRFS_FIRST_FREE_OBJECTID;
  if (::ioctl(subvolume, BTRFS_IOC_INO_LOOKUP, &arguments) < 0) return fail_errno(errno, "look up a subvolume's id");
  return arguments.treeid;
}

// One item of the quota tree. Constant time, no path walked.
Result<bool> quota_item(int directory, std::uint8_t type, std::uint64_t group, void* into, std::size_t bytes) {
  btrfs_ioctl_search_args arguments{};
  arguments.key.tree_id = BTRFS_QUOTA_TREE_OBJECTID;
  arguments.key.min_type = arguments.key.max_type = type;
  arguments.key.min_offset = arguments.key.max_offset = group;
  arguments.key.max_transid = ~std::uint64_t{0};
  arguments.key.nr_items = 1;
  if (::ioctl(directory, BTRFS_IOC_TREE_SEARCH, &arguments) < 0) {
    if (errno == ENOENT) return false;  // quotas are off
    return fail_errno(errno, "read the quota tree");
  }
  if (arguments.key.nr_items == 0) return false;
  std::memcpy(into, arguments.buf + sizeof(btrfs_ioctl_search_header), bytes);
  return true;
}

}  // namespace

bool is_btrfs(int directory) {
  struct statfs status;
  return ::fstatfs(directory, &status) == 0 && status.f_type == BTRFS_SUPER_MAGIC;
}

Result<std::string> file_system_id(int directory) {
  btrfs_ioctl_fs_info_args arguments{};
  if (::ioctl(directory, BTRFS_IOC_FS_INFO, &arguments) < 0) return fail_errno(errno, "read the pool's id");
  std::string id;
  for (int i = 0; i < BTRFS_FSID_SIZE; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x", arguments.fsid[i]);
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += hex;
  }
  return id;
}

Quotas quota_mode(int directory) {
  auto id = file_system_id(directory);
  if (!id) return Quotas::none;
  std::string base = "/sys/fs/btrfs/" + *id + "/qgroups";
  if (!exists_at(AT_FDCWD, base)) return Quotas::none;
  auto mode = read_at(AT_FDCWD, base + "/mode", 32);  // 6.7; before, only classic ones exist
  return mode && mode->starts_with("squota") ? Quotas::simple : Quotas::classic;
}

Result<Quotas> enable_quotas(int directory) {
  if (Quotas mode = quota_mode(directory); mode != Quotas::none) return mode;
  btrfs_ioctl_quota_ctl_args arguments{};
  arguments.cmd = BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA;
  if (::ioctl(directory, BTRFS_IOC_QUOTA_CTL, &arguments) < 0) {
    arguments.cmd = BTRFS_QUOTA_CTL_ENABLE;
    if (::ioctl(directory, BTRFS_IOC_QUOTA_CTL, &arguments) < 0) return fail_errno(errno, "enable quotas of the pool");
  }
  return quota_mode(directory);  // success of the call alone says nothing
}

namespace {

Result<void> limit_group(int directory, std::uint64_t group, std::uint64_t bytes) {
  btrfs_ioctl_qgroup_limit_args arguments{};
  arguments.qgroupid = group;  // 0: the subvolume of the descriptor
  arguments.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  arguments.lim.max_rfer = bytes ? bytes : ~std::uint64_t{0};
  if (::ioctl(directory, BTRFS_IOC_QGROUP_LIMIT, &arguments) < 0) return fail_errno(errno, "set a disk limit");
  return {};
}

}  // namespace

Result<void> limit_users_group(int directory, std::uint64_t bytes) {
  btrfs_ioctl_qgroup_create_args arguments{};
  arguments.create = 1;
  arguments.qgroupid = kUsersGroup;
  if (::ioctl(directory, BTRFS_IOC_QGROUP_CREATE, &arguments) < 0 && errno != EEXIST)
    return fail_errno(errno, "make the users' quota group");
  return limit_group(directory, kUsersGroup, bytes);
}

Result<void> create_subvolume(int directory, const std::string& name) {
  btrfs_ioctl_vol_args arguments{};
  copy_name(arguments.name, sizeof arguments.name, name);
  if (::ioctl(directory, BTRFS_IOC_SUBVOL_CREATE, &arguments) < 0) return fail_errno(errno, "make subvolume " + name);
  return {};
}

// With simple quotas limit and group are part of the same transaction as the snapshot: no moment without a limit, none
// after a crash. Classic ones take the limits of the source instead, so theirs is set behind it.
Result<void> snapshot(int directory, const std::string& name, const SnapshotSpec& spec, Quotas quotas) {
  btrfs_ioctl_vol_args_v2 arguments{};
  arguments.fd = spec.source;
  copy_name(arguments.name, sizeof arguments.name, name);
  if (spec.read_only) arguments.flags |= BTRFS_SUBVOL_RDONLY;
  alignas(btrfs_qgroup_inherit) char space[sizeof(btrfs_qgroup_inherit) + sizeof(std::uint64_t)] = {};
  if (quotas == Quotas::simple && (spec.limit_bytes || spec.users_group)) {
    auto* inherit = reinterpret_cast<btrfs_qgroup_inherit*>(space);
    if (spec.limit_bytes) {
      inherit->flags = BTRFS_QGROUP_INHERIT_SET_LIMITS;
      inherit->lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
      inherit->lim.max_rfer = spec.limit_bytes;
    }
    if (spec.users_group) {
      inherit->num_qgroups = 1;
      inherit->qgroups[0] = kUsersGroup;
    }
    arguments.flags |= BTRFS_SUBVOL_QGROUP_INHERIT;
    arguments.size = sizeof(btrfs_qgroup_inherit) + (spec.users_group ? sizeof(std::uint64_t) : 0);
    arguments.qgroup_inherit = inherit;
  }
  if (::ioctl(directory, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0) return fail_errno(errno, "make snapshot " + name);
  if (quotas != Quotas::classic) return {};
  SB_TRY(auto made, open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return set_limit(made.get(), spec.limit_bytes);
}

Result<void> destroy_subvolume(int directory, const std::string& name) {
  btrfs_ioctl_vol_args arguments{};
  copy_name(arguments.name, sizeof arguments.name, name);
  if (::ioctl(directory, BTRFS_IOC_SNAP_DESTROY, &arguments) < 0 && errno != ENOENT)
    return fail_errno(errno, "delete subvolume " + name);
  return {};
}

Result<bool> is_subvolume(int directory) {
  struct stat status;
  if (::fstat(directory, &status) < 0) return fail_errno(errno, "stat a subvolume");
  return status.st_ino == BTRFS_FIRST_FREE_OBJECTID && is_btrfs(directory);
}

Result<void> set_limit(int subvolume, std::uint64_t bytes) { return limit_group(subvolume, 0, bytes); }

Result<Usage> usage(int subvolume) {
  SB_TRY(auto id, subvolume_id(subvolume));
  Usage usage;
  btrfs_qgroup_info_item info{};
  SB_TRY(bool counted, quota_item(subvolume, BTRFS_QGROUP_INFO_KEY, id, &info, sizeof info));
  if (counted) usage.bytes = le64toh(info.rfer);
  btrfs_qgroup_limit_item limit{};
  SB_TRY(bool limited, quota_item(subvolume, BTRFS_QGROUP_LIMIT_KEY, id, &limit, sizeof limit));
  if (limited && (le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER)) usage.limit = le64toh(limit.max_rfer);
  if (usage.limit == ~std::uint64_t{0}) usage.limit = 0;
  return usage;
}

namespace {

// The next groups of subvolumes from `from` on that are empty; `from` becomes the one behind the last that was looked
// at, 0 at the end.
Result<std::vector<std::uint64_t>> empty_groups(int directory, std::uint64_t& from) {
  constexpr std::uint64_t kLast = (std::uint64_t{1} << 48) - 1;  // above: groups of groups
  btrfs_ioctl_search_args arguments{};
  arguments.key.tree_id = BTRFS_QUOTA_TREE_OBJECTID;
  arguments.key.min_type = arguments.key.max_type = BTRFS_QGROUP_INFO_KEY;
  arguments.key.min_offset = from;
  arguments.key.max_offset = kLast;
  arguments.key.max_transid = ~std::uint64_t{0};
  arguments.key.nr_items = 4096;  // as many as the buffer takes
  from = 0;
  if (::ioctl(directory, BTRFS_IOC_TREE_SEARCH, &arguments) < 0) {
    if (errno == ENOENT) return std::vector<std::uint64_t>{};  // quotas are off
    return fail_errno(errno, "read the quota tree");
  }
  std::vector<std::uint64_t> empty;
  const char* at = arguments.buf;
  for (std::uint32_t i = 0; i < arguments.key.nr_items; ++i) {
    btrfs_ioctl_search_header header;
    std::memcpy(&header, at, sizeof header);
    btrfs_qgroup_info_item info{};
    std::memcpy(&info, at + sizeof header, std::min<std::size_t>(sizeof info, header.len));
    at += sizeof header + header.len;
    if (info.rfer == 0 && info.excl == 0) empty.push_back(header.offset);
    from = header.offset + 1;
  }
  return empty;
}

Result<bool> has_subvolume(int directory, std::uint64_t id) {
  btrfs_ioctl_search_args arguments{};
  arguments.key.tree_id = BTRFS_ROOT_TREE_OBJECTID;
  arguments.key.min_objectid = arguments.key.max_objectid = id;
  arguments.key.min_type = arguments.key.max_type = BTRFS_ROOT_ITEM_KEY;
  arguments.key.max_offset = arguments.key.max_transid = ~std::uint64_t{0};
  arguments.key.nr_items = 1;
  if (::ioctl(directory, BTRFS_IOC_TREE_SEARCH, &arguments) < 0) return fail_errno(errno, "look for a subvolume");
  return arguments.key.nr_items > 0;
}

}  // namespace

Result<std::size_t> UnusedQuotas::remove(int directory) {
  std::set<std::uint64_t> unused;
  std::uint64_t from = BTRFS_FIRST_FREE_OBJECTID;
  do {
    SB_TRY(auto groups, empty_groups(directory, from));
    for (const std::uint64_t group : groups) {
      SB_TRY(const bool used, has_subvolume(directory, group));
      if (!used) unused.insert(group);
    }
  } while (from != 0);
  std::size_t removed = 0;
  for (auto one = unused.begin(); one != unused.end();) {
    btrfs_ioctl_qgroup_create_args arguments{};
    arguments.create = 0;
    arguments.qgroupid = *one;
    const bool gone = seen_.contains(*one) && ::ioctl(directory, BTRFS_IOC_QGROUP_CREATE, &arguments) == 0;
    removed += gone;
    one = gone ? unused.erase(one) : std::next(one);
  }
  seen_ = std::move(unused);
  return removed;
}

Result<void> sync(int directory) {
  if (::ioctl(directory, BTRFS_IOC_SYNC) < 0) return fail_errno(errno, "sync the pool");
  return {};
}

Result<void> sync_metadata(int directory) {
  std::uint64_t transaction = 0;
  if (::ioctl(directory, BTRFS_IOC_START_SYNC, &transaction) < 0 ||
      ::ioctl(directory, BTRFS_IOC_WAIT_SYNC, &transaction) < 0)
    return fail_errno(errno, "sync the pool's metadata");
  return {};
}

Result<void> resize_to_device(int directory) {
  btrfs_ioctl_vol_args arguments{};
  copy_name(arguments.name, sizeof arguments.name, "max");
  if (::ioctl(directory, BTRFS_IOC_RESIZE, &arguments) < 0) return fail_errno(errno, "grow the pool");
  return {};
}

}  // namespace sebring::os::btrfs
