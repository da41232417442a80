// Finding, making, mounting and configuring the file system of a pool.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "image/pool.h"
#include "image/seed.h"
#include "os/file.h"
#include "os/loop.h"
#include "os/program.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kStep = 4 * kGiB;
// Below this, data chunks may eat all unallocated space, and metadata gets ENOSPC in an empty pool.
constexpr std::uint64_t kFirstSize = 16 * kGiB;
constexpr std::uint64_t kSmallest = 1 * kGiB;
// Preallocated: blocks that btrfs frees stay ours, so no discard. One disk below: duplicated metadata would only double
// the work of a flush.
constexpr char kOptions[] = "nodiscard,metadata_ratio=4,compress=zstd:1";
constexpr std::uint64_t kDirtyBytesMax = 128 << 20;  // bounds how long a fork writes out its parent's dirty pages

std::uint64_t host_free(const std::string& directory) {
  struct statvfs status;
  if (::statvfs(directory.c_str(), &status) < 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::uint64_t host_total(const std::string& directory) {
  struct statvfs status;
  if (::statvfs(directory.c_str(), &status) < 0) return 0;
  return std::uint64_t{status.f_blocks} * status.f_frsize;
}

}  // namespace

bool is_pool_name(std::string_view name) {
  if (name.empty() || name.size() > 128 || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

Result<std::unique_ptr<Pool>> Pool::open(PoolConfig config) {
  if (!is_pool_name(config.instance)) return fail(Errc::invalid_argument, "not an instance's name: " + config.instance);
  std::unique_ptr<Pool> pool(new Pool(std::move(config)));
  SB_CHECK(pool->open_root());
  SB_CHECK(pool->configure_file_system());
  SB_CHECK(pool->make_layout());
  return pool;
}

Pool::Pool(PoolConfig config) : config_(std::move(config)) {}
Pool::~Pool() { seeds_.reset(); }

Result<void> Pool::open_root() {
  SB_CHECK(os::make_dirs(config_.directory, 0755));
  SB_TRY(auto directory, os::open_dir(config_.directory));
  if (os::btrfs::is_btrfs(directory.get())) {
    kind_ = PoolKind::btrfs;
    root_ = std::move(directory);
    return {};
  }
  // What holds sandboxes already stays what it is: of another kind, the pool would seem empty.
  bool loop_before = os::exists_at(directory.get(), "pool.img");
  bool directories_before = !loop_before && os::exists_at(directory.get(), "i");
  if (!config_.allow_loop) {
    complaint_ = "a loop pool is switched off";
  } else if (directories_before) {
    complaint_ = "the pool was made of plain directories";
  } else {
    auto opened = open_loop();
    if (opened) return {};
    if (loop_before) return std::unexpected(std::move(opened).error());
    complaint_ = opened.error().message();
    (void)os::unlink_at(directory.get(), "pool.img");
  }
  kind_ = PoolKind::directories;
  root_ = std::move(directory);
  return {};
}

Result<void> Pool::make_image_file(const std::string& path) {
  std::uint64_t room = host_free(config_.directory);
  std::uint64_t size = std::min({config_.size_bytes, kFirstSize, room - room / 5}) / kGiB * kGiB;
  if (size < kSmallest) return fail(Errc::unavailable, "make a pool: less than 1 GiB to spare in " + config_.directory);
  std::string temporary = path + ".new";
  SB_TRY(auto file, os::open_at(AT_FDCWD, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (::fallocate(file.get(), 0, 0, static_cast<off_t>(size)) < 0) return fail_errno(errno, "allocate " + temporary);
  SB_TRY(auto said, os::run_program_checked({"mkfs.btrfs", "-q", "-K", "-f", "-m", "single", temporary}));
  if (::rename(temporary.c_str(), path.c_str()) < 0) return fail_errno(errno, "rename to " + path);
  return {};
}

Result<void> Pool::open_loop() {
  // Held while the device is being found or made: two devices on one file would be two owners of one file system.
  SB_TRY(auto lock, os::open_at(AT_FDCWD, config_.directory + "/pool.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX) < 0) return fail_errno(errno, "lock the pool");
  std::string path = config_.directory + "/pool.img";
  if (!os::exists_at(AT_FDCWD, path)) SB_CHECK(make_image_file(path));
  SB_TRY(image_file_, os::open_at(AT_FDCWD, path, O_RDWR | O_NOFOLLOW));
  SB_TRY(auto loop, os::attach_loop(image_file_.get()));
  if (::mount(loop.path.c_str(), config_.mount_point.c_str(), "btrfs", MS_NOATIME | MS_NOSUID | MS_NODEV, kOptions) < 0)
    return fail_errno(errno, "mount " + loop.path + " of " + path);
  loop_ = std::move(loop.device);
  SB_TRY(root_, os::open_dir(config_.mount_point));
  struct statvfs status;
  if (::fstatvfs(root_.get(), &status) < 0 || (status.f_flag & ST_RDONLY))
    return fail(Errc::unavailable, "the pool came up read-only; free space, stop all sandboxes, mount it again");
  kind_ = PoolKind::loop;
  own_file_system_ = true;
  return {};
}

Result<void> Pool::configure_file_system() {
  if (kind_ == PoolKind::directories) return {};
  SB_TRY(quotas_, os::btrfs::enable_quotas(root()));
  if (!own_file_system_) return {};
  SB_TRY(auto now, space());
  if (quotas_ == os::btrfs::Quotas::simple) SB_CHECK(os::btrfs::limit_users_group(root(), now.total_bytes / 10 * 9));
  SB_TRY(auto id, os::btrfs::file_system_id(root()));
  std::string base = "/sys/fs/btrfs/" + id;
  for (auto knob : {"/allocation/data/dynamic_reclaim", "/allocation/data/periodic_reclaim", "/bdi/strict_limit"})
    (void)os::write_at(AT_FDCWD, base + knob, "1");  // 6.11, 6.2: without them it works, less evenly
  (void)os::write_at(AT_FDCWD, base + "/bdi/max_bytes", std::to_string(kDirtyBytesMax));
  return {};
}

Result<void> Pool::make_layout() {
  bool btrfs = kind_ != PoolKind::directories;
  if (!os::exists_at(root(), "layers")) {
    SB_CHECK(btrfs ? os::btrfs::create_subvolume(root(), "layers") : os::make_dir_at(root(), "layers", 0755));
  }
  std::string instance = "i/" + config_.instance;
  // 0755: the mounter's file system id is a sandbox's own while it looks these up.
  for (const auto& name : {std::string("i"), instance, instance + "/sb", instance + "/snap", std::string("seeds")})
    SB_CHECK(os::make_dir_at(root(), name, 0755));
  SB_TRY(layers_, os::open_at(root(), "layers", O_RDONLY | O_DIRECTORY));
  SB_TRY(instance_, os::open_at(root(), instance, O_RDONLY | O_DIRECTORY));
  for (std::size_t group = 0; group < kUpperGroups; ++group) {
    const std::string name = "sb/" + std::to_string(group);
    SB_CHECK(os::make_dir_at(instance_.get(), name, 0755));
    SB_TRY(upper_parents_[group], os::open_at(instance_.get(), name, O_RDONLY | O_DIRECTORY));
  }
  SB_TRY(snapshots_, os::open_at(instance_.get(), "snap", O_RDONLY | O_DIRECTORY));
  if (!btrfs) return {};
  seeds_ = std::make_unique<Seeds>(root(), [this](std::uint64_t) { (void)make_instance_seed(); });
  return layers_grew();
}

Result<Space> Pool::space() const {
  struct statvfs status;
  if (::fstatvfs(root(), &status) < 0) return fail_errno(errno, "read the pool's free space");
  return Space{std::uint64_t{status.f_blocks} * status.f_frsize, std::uint64_t{status.f_bavail} * status.f_frsize};
}

Result<std::uint64_t> Pool::room() const {
  SB_TRY(auto now, space());
  std::uint64_t more = 0;
  struct stat status;
  if (kind_ == PoolKind::loop && ::fstat(image_file_.get(), &status) == 0) {
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t kept = host_total(config_.directory) / 10, free = host_free(config_.directory);
    more = std::min(config_.size_bytes - std::min(size, config_.size_bytes), free - std::min(free, kept));
  }
  const std::uint64_t all = now.free_bytes + more / kStep * kStep, reserve = std::min(now.total_bytes / 20, kGiB);
  return all - std::min(all, reserve);
}

Result<bool> Pool::grow_if_needed() {
  if (kind_ != PoolKind::loop) return false;
  struct stat status;
  if (::fstat(image_file_.get(), &status) < 0) return fail_errno(errno, "stat the pool's file");
  auto size = static_cast<std::uint64_t>(status.st_size);
  SB_TRY(auto now, space());
  std::uint64_t room = host_free(config_.directory);
  bool wanted = now.free_bytes < std::max(2 * kGiB, now.total_bytes / 5);
  if (!wanted || size + kStep > config_.size_bytes || room < kStep + host_total(config_.directory) / 10) return false;
  SB_TRY(auto lock, os::open_at(AT_FDCWD, config_.directory + "/pool.lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX) < 0) return fail_errno(errno, "lock the pool");
  if (::fallocate(image_file_.get(), 0, static_cast<off_t>(size), static_cast<off_t>(kStep)) < 0)
    return fail_errno(errno, "grow the pool's file");
  SB_CHECK(os::refresh_loop_size(loop_.get()));
  SB_CHECK(os::btrfs::resize_to_device(root()));
  SB_TRY(now, space());
  if (quotas_ == os::btrfs::Quotas::simple) SB_CHECK(os::btrfs::limit_users_group(root(), now.total_bytes / 10 * 9));
  return true;
}

}  // namespace sebring::image
