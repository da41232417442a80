#include "image/pool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "image/seed.h"
#include "os/file.h"
#include "os/program.h"

namespace sebring::image {
namespace {

// Bytes of a tree, hard links counted once per name: an estimate, for pools without quotas.
std::uint64_t tree_bytes(int dir, int depth) {
  if (depth > 128) return 0;
  std::uint64_t total = 0;
  auto names = os::list_dir_at(dir, ".");
  if (!names) return 0;
  for (const auto& name : *names) {
    struct stat status;
    if (::fstatat(dir, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    total += static_cast<std::uint64_t>(status.st_blocks) * 512;
    if (!S_ISDIR(status.st_mode)) continue;
    auto child = os::open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (child) total += tree_bytes(child->get(), depth + 1);
  }
  return total;
}

Result<void> write_first_files(int upper, const std::vector<FirstFile>& files) {
  for (const auto& file : files) {
    std::string path = "u/" + file.path;
    for (auto slash = path.find('/', 2); slash != std::string::npos; slash = path.find('/', slash + 1))
      SB_CHECK(os::make_dir_at(upper, path.substr(0, slash), 0755));
    SB_CHECK(os::put_file_at(upper, path, file.text, 0644));
  }
  return {};
}

}  // namespace

std::size_t Pool::upper_group(const std::string& name) {
  return name.empty() ? 0 : static_cast<unsigned char>(name.back()) % kUpperGroups;
}

std::string Pool::upper_path(const std::string& name) const {
  return "i/" + config_.instance + "/sb/" + std::to_string(upper_group(name)) + "/" + name;
}

Result<void> Pool::set_first_files(std::vector<FirstFile> files) {
  first_files_ = std::move(files);
  return kind_ == PoolKind::directories ? Result<void>{} : make_instance_seed();
}

// Replaces this instance's seed by a snapshot of the pool's best one. The old one stays usable through its descriptor
// until nobody snapshots it any more.
Result<void> Pool::make_instance_seed() {
  std::lock_guard lock(seed_mutex_);
  SB_TRY(auto number, seeds_->best());
  // Each snapshot is a commit, which a busy disk makes slow; most starts find what they would make.
  std::string description = std::to_string(number) + "\n";
  for (const auto& file : first_files_) description += file.path + "\n" + file.text;
  auto existing = os::read_at(instance_.get(), "seed.made-of", 1 << 20);
  if (existing && *existing == description && os::exists_at(instance_.get(), "seed/u")) {
    SB_TRY(seed_, os::open_at(instance_.get(), "seed", O_RDONLY | O_DIRECTORY));
    seed_number_ = number;
    return {};
  }
  SB_TRY(auto source, os::open_at(root(), Seeds::path(number), O_RDONLY | O_DIRECTORY));
  seed_.reset();
  SB_CHECK(os::unlink_at(instance_.get(), "seed.made-of"));
  SB_CHECK(os::btrfs::destroy_subvolume(instance_.get(), "seed"));
  SB_CHECK(os::btrfs::snapshot(instance_.get(), "seed", {.source = source.get()}, quotas_));
  SB_TRY(seed_, os::open_at(instance_.get(), "seed", O_RDONLY | O_DIRECTORY));
  seed_number_ = number;
  SB_CHECK(write_first_files(seed_.get(), first_files_));
  return os::replace_file_at(instance_.get(), "seed.made-of", description, 0600, false);
}

Result<void> Pool::layers_grew() {
  if (kind_ == PoolKind::directories) return {};
  struct stat status;
  // The counter shows in what is made next.
  if (::mknodat(layers(), ".number", S_IFREG | 0400, 0) < 0 && errno != EEXIST)
    return fail_errno(errno, "number the layers");
  if (::fstatat(layers(), ".number", &status, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(errno, "number the layers");
  ::unlinkat(layers(), ".number", 0);
  std::lock_guard lock(seed_mutex_);
  layers_top_ = std::max<std::uint64_t>(layers_top_, status.st_ino);
  std::uint64_t wanted = 1 << 21;
  while (wanted < layers_top_ + layers_top_ / 2) wanted *= 2;
  if (seed_number_ && seed_number_ < wanted) seeds_->want(wanted, layers_top_);
  return {};
}

Result<void> Pool::snapshot(const std::string& from, int into, const std::string& name, std::uint64_t limit,
                            bool read_only) {
  SB_TRY(auto source, os::open_at(root(), from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  os::btrfs::SnapshotSpec spec{
      .source = source.get(), .read_only = read_only, .limit_bytes = limit, .users_group = own_file_system_};
  return os::btrfs::snapshot(into, name, spec, quotas_);
}

Result<void> Pool::make_directory_upper(int parent, const std::string& name) {
  SB_CHECK(os::make_dir_at(parent, name, 0755));
  for (auto part : {"/u", "/w"}) SB_CHECK(os::make_dir_at(parent, name + part, 0755));
  return {};
}

Result<void> Pool::create_upper(const std::string& name, std::uint64_t limit_bytes) {
  if (kind_ == PoolKind::directories) {
    SB_CHECK(make_directory_upper(upper_parent(name), name));
    SB_TRY(auto upper, os::open_at(upper_parent(name), name, O_RDONLY | O_DIRECTORY));
    return write_first_files(upper.get(), first_files_);
  }
  // Shared: snapshots made at the same time share a commit.
  std::shared_lock lock(seed_mutex_);
  if (seed_number_ <= layers_top_)
    return fail(Errc::unavailable, "the pool still counts inode numbers up to those of its images (some seconds)");
  os::btrfs::SnapshotSpec spec{.source = seed_.get(), .limit_bytes = limit_bytes, .users_group = own_file_system_};
  return os::btrfs::snapshot(upper_parent(name), name, spec, quotas_);
}

// No instant copy here. `cp` keeps hard links, holes, attributes and, on xfs, shares the blocks.
Result<void> Pool::copy_tree(const std::string& from, const std::string& to) {
  std::string base = config_.directory + "/";
  SB_TRY(auto said, os::run_program_checked(
                        {"cp", "-a", "--reflink=auto", "--sparse=auto", "--", base + from, base + to + ".part"}));
  if (::renameat(root(), (to + ".part").c_str(), root(), to.c_str()) < 0) return fail_errno(errno, "rename the copy");
  return {};
}

Result<void> Pool::copy_upper(const std::string& from, const std::string& to, std::uint64_t limit_bytes) {
  if (kind_ == PoolKind::directories) return copy_tree(upper_path(from), upper_path(to));
  return snapshot(upper_path(from), upper_parent(to), to, limit_bytes, false);
}

Result<void> Pool::destroy_upper(const std::string& name) {
  if (kind_ == PoolKind::directories) return os::remove_tree_at(upper_parent(name), name);
  return os::btrfs::destroy_subvolume(upper_parent(name), name);
}

Result<void> Pool::set_limit(const std::string& name, std::uint64_t bytes) {
  if (!hard_limits()) return {};
  SB_TRY(auto upper, os::open_at(upper_parent(name), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return os::btrfs::set_limit(upper.get(), bytes);
}

Result<std::uint64_t> Pool::usage(const std::string& name) {
  SB_TRY(auto upper, os::open_at(upper_parent(name), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!hard_limits()) return tree_bytes(upper.get(), 0);
  SB_TRY(auto usage, os::btrfs::usage(upper.get()));
  return usage.bytes;
}

Result<void> Pool::extend_limit_after_fork(const std::string& name, std::uint64_t plan_bytes) {
  if (quotas_ != os::btrfs::Quotas::simple) return {};  // classic ones count what is shared exactly
  SB_TRY(auto upper, os::open_at(upper_parent(name), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  SB_TRY(auto usage, os::btrfs::usage(upper.get()));
  return os::btrfs::set_limit(upper.get(), plan_bytes + usage.bytes);
}

std::vector<std::string> Pool::uppers() const {
  std::vector<std::string> all;
  for (const auto& parent : upper_parents_)
    if (auto names = os::list_dir_at(parent.get(), ".")) all.insert(all.end(), names->begin(), names->end());
  return all;
}

bool Pool::has_upper(const std::string& name) const { return os::exists_at(upper_parent(name), name + "/u"); }
bool Pool::has_snapshot(const std::string& name) const { return os::exists_at(snapshots_.get(), name + "/u"); }

std::vector<std::string> Pool::snapshots() const {
  auto names = os::list_dir_at(snapshots_.get(), ".");
  return names ? std::move(*names) : std::vector<std::string>{};
}

Result<void> Pool::make_snapshot(const std::string& upper, const std::string& name) {
  if (kind_ == PoolKind::directories) return copy_tree(upper_path(upper), snapshot_path(name));
  return snapshot(upper_path(upper), snapshots_.get(), name, 0, true);
}

Result<void> Pool::create_upper_from_snapshot(const std::string& from, const std::string& upper,
                                              std::uint64_t limit_bytes) {
  if (kind_ == PoolKind::directories) return copy_tree(snapshot_path(from), upper_path(upper));
  return snapshot(snapshot_path(from), upper_parent(upper), upper, limit_bytes, false);
}

Result<void> Pool::destroy_snapshot(const std::string& name) {
  if (kind_ == PoolKind::directories) return os::remove_tree_at(snapshots_.get(), name);
  return os::btrfs::destroy_subvolume(snapshots_.get(), name);
}

void Pool::remove_instance() {
  for (const auto& name : uppers()) (void)destroy_upper(name);
  if (auto names = os::list_dir_at(snapshots_.get(), "."))
    for (const auto& name : *names) (void)destroy_snapshot(name);
  {
    std::lock_guard lock(seed_mutex_);
    seed_.reset();
    if (kind_ != PoolKind::directories) (void)os::btrfs::destroy_subvolume(instance_.get(), "seed");
  }
  (void)os::remove_tree_at(root(), "i/" + config_.instance);
}

Result<std::size_t> Pool::remove_unused_quotas() {
  if (!own_file_system_ || !hard_limits()) return std::size_t{0};
  return unused_quotas_.remove(root_.get());
}

Result<void> Pool::sync() {
  if (kind_ == PoolKind::directories) return {};
  return os::btrfs::sync(root());
}

}  // namespace sebring::image
