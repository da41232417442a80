#pragma once
// The file system that holds layers and uppers of one or more instances.
//
//   layers/<digest>/          one subvolume for all layers, so that inode numbers in it are unique
//   seeds/<number>/{u,w}      subvolumes whose inode counter is above <number>
//   i/<instance>/seed         snapshot of the best one, with this instance's first files in u
//   i/<instance>/sb/<group>/<upper>   a sandbox's disk: u is overlayfs' upper, w its work directory
//   i/<instance>/snap/<name>  read-only copies of disks
#include <array>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "os/btrfs.h"

namespace sebring::image {

class Seeds;

enum class PoolKind {
  btrfs,       // the directory given lies on btrfs already
  loop,        // btrfs in a preallocated file
  directories  // ext4, xfs: no hard limit, fork by copying
};

struct PoolConfig {
  std::string directory;     // holds pool.img, or the pool itself
  std::string mount_point;   // in this process's private mount namespace, for `loop`
  std::string instance;      // [a-z0-9-]{1,32}
  std::uint64_t size_bytes;  // at most this; grown in steps of 4 GiB
  bool allow_loop = true;
};

struct FirstFile {
  std::string path;  // below u: "etc/hosts"; parents are made
  std::string text;
};

struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

class Pool {
 public:
  // Makes, mounts and configures what is missing. Slow the first time (seconds).
  static Result<std::unique_ptr<Pool>> open(PoolConfig config);
  ~Pool();

  PoolKind kind() const { return kind_; }
  // Why it is only directories; empty otherwise.
  const std::string& complaint() const { return complaint_; }
  bool hard_limits() const { return quotas_ != os::btrfs::Quotas::none; }
  os::btrfs::Quotas quotas() const { return quotas_; }
  // The pool's root, attached in this mount namespace.
  int root() const { return root_.get(); }
  // Descriptor of `layers`.
  int layers() const { return layers_.get(); }
  Result<Space> space() const;
  // What one import or restore may write: what is free and what growing would add, less a reserve that keeps the
  // sandboxes that run alive.
  Result<std::uint64_t> room() const;

  // Files that every new upper begins with. Makes this instance's seed; call once before create_upper().
  Result<void> set_first_files(std::vector<FirstFile> files);

  // --- uppers; names are [a-z0-9-]+ -------------------------------------------------------------------------------
  Result<void> create_upper(const std::string& name, std::uint64_t limit_bytes);
  // A copy as of now, with what was written before. Durable on return (btrfs).
  Result<void> copy_upper(const std::string& from, const std::string& to, std::uint64_t limit_bytes);
  // The page cache of a large upper makes this slow: never in a path that somebody waits for. Missing is fine.
  Result<void> destroy_upper(const std::string& name);
  Result<void> set_limit(const std::string& name, std::uint64_t bytes);
  // Bytes written, as of the last commit; slow (a walk) on `directories`.
  Result<std::uint64_t> usage(const std::string& name);
  // After a fork the parent still pays for what its child holds: raises its limit so that it may write its plan again.
  Result<void> extend_limit_after_fork(const std::string& name, std::uint64_t plan_bytes);
  std::vector<std::string> uppers() const;
  bool has_upper(const std::string& name) const;
  // Path below root() of the upper's directory that holds u and w.
  std::string upper_path(const std::string& name) const;

  // --- read-only copies -------------------------------------------------------------------------------------------
  Result<void> make_snapshot(const std::string& upper, const std::string& snapshot);
  Result<void> create_upper_from_snapshot(const std::string& snapshot, const std::string& upper,
                                          std::uint64_t limit_bytes);
  Result<void> destroy_snapshot(const std::string& snapshot);
  bool has_snapshot(const std::string& snapshot) const;
  std::vector<std::string> snapshots() const;
  std::string snapshot_path(const std::string& name) const { return "i/" + config_.instance + "/snap/" + name; }

  // Removes everything of this instance.
  void remove_instance();
  // Commits deletes and wakes the cleaner; one call per batch.
  Result<void> sync();
  // Grows the file when little is free and the host has room. True when it grew.
  Result<bool> grow_if_needed();
  // In a file system of its own: removes quota groups that were unused at the last call too. How many; one call at a
  // time.
  Result<std::size_t> remove_unused_quotas();
  // Inode numbers in `layers` must stay below the seed's: call after an import.
  Result<void> layers_grew();

 private:
  friend class Seeds;
  explicit Pool(PoolConfig config);
  Result<void> open_root();
  Result<void> open_loop();
  Result<void> make_image_file(const std::string& path);
  Result<void> configure_file_system();
  Result<void> make_layout();
  Result<void> make_instance_seed();
  Result<void> make_directory_upper(int parent, const std::string& name);
  Result<void> copy_tree(const std::string& from, const std::string& to);
  Result<void> snapshot(const std::string& from, int into, const std::string& name, std::uint64_t limit,
                        bool read_only);

  PoolConfig config_;
  PoolKind kind_ = PoolKind::directories;
  os::btrfs::Quotas quotas_ = os::btrfs::Quotas::none;
  bool own_file_system_ = false;
  os::btrfs::UnusedQuotas unused_quotas_;
  std::string complaint_;
  UniqueFd image_file_;
  UniqueFd loop_;
  UniqueFd root_;
  UniqueFd layers_;
  UniqueFd instance_;
  // btrfs holds the parent's lock while it commits a snapshot: in one directory each would wait for all before it.
  static constexpr std::size_t kUpperGroups = 16;
  static std::size_t upper_group(const std::string& name);
  int upper_parent(const std::string& name) const { return upper_parents_[upper_group(name)].get(); }
  std::array<UniqueFd, kUpperGroups> upper_parents_;
  UniqueFd snapshots_;
  std::vector<FirstFile> first_files_;
  mutable std::shared_mutex seed_mutex_;  // guards seed_ and seed_number_
  UniqueFd seed_;                         // this instance's, opened
  std::uint64_t seed_number_ = 0;
  std::uint64_t layers_top_ = 0;
  std::unique_ptr<Seeds> seeds_;
};

bool is_pool_name(std::string_view name);

}  // namespace sebring::image
