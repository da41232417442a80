#include "image/seed.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/text.h"
#include "os/btrfs.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kFirst = 1 << 14;  // 0.3 s: a new pool waits for it
constexpr std::uint64_t kUsual = 1 << 21;  // 45 s, in the background
constexpr const char* kBuild = "seeds/build";

}  // namespace

Seeds::Seeds(int pool_root, std::function<void(std::uint64_t)> raised) : root_(pool_root), raised_(std::move(raised)) {}

Seeds::~Seeds() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_) thread_->join();
}

Result<std::uint64_t> Seeds::best() {
  SB_TRY(auto names, os::list_dir_at(root_, "seeds"));
  std::uint64_t best = 0;
  for (const auto& name : names)
    if (auto number = parse_integer(name); number && *number > 0)
      best = std::max(best, static_cast<std::uint64_t>(*number));
  if (best == 0) {
    SB_CHECK(build(kFirst, false));
    best = kFirst;
  }
  if (best < kUsual) want(kUsual);
  return best;
}

void Seeds::want(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  wanted_ = std::max(wanted_, number);
  try {
    if (!thread_) thread_.emplace([this] { run(); });
  } catch (const std::system_error&) {  // no process is left to be had: the next import asks again
    thread_.reset();
  }
  changed_.notify_all();
}

void Seeds::run() {
  ::setpriority(PRIO_PROCESS, 0, 19);
  std::unique_lock lock(mutex_);
  std::uint64_t done = 0;
  while (!stopping_) {
    if (wanted_ <= done) {
      changed_.wait(lock);
      continue;
    }
    // In steps, so that a large image can be used before the last number is reached.
    std::uint64_t goal = done < (1 << 17) ? std::min<std::uint64_t>(wanted_, 1 << 17)
                                          : std::min(wanted_, std::max<std::uint64_t>(done * 4, 1 << 19));
    lock.unlock();
    auto built = build(goal, true);
    if (built) raised_(goal);
    lock.lock();
    if (built)
      done = goal;
    else if (!stopping_)
      changed_.wait_for(lock, std::chrono::seconds(30));
  }
}

// The file with the highest number is replaced by one with a higher number until that is reached. Several runners may
// share the pool: an advisory lock on the directory keeps the others out.
Result<void> Seeds::build(std::uint64_t number, bool background) {
  std::lock_guard one(building_);
  std::string name = path(number);
  SB_TRY(auto seeds, os::open_at(root_, "seeds", O_RDONLY | O_DIRECTORY));
  if (::flock(seeds.get(), LOCK_EX) < 0) return fail_errno(errno, "lock the seeds");
  if (os::exists_at(root_, name)) return {};
  if (!os::exists_at(root_, kBuild)) {
    SB_CHECK(os::btrfs::create_subvolume(seeds.get(), "build"));
    for (auto part : {"seeds/build/u", "seeds/build/w"}) SB_CHECK(os::make_dir_at(root_, part, 0755));
  }
  SB_TRY(auto build, os::open_at(root_, kBuild, O_RDONLY | O_DIRECTORY));
  for (std::uint64_t turn = 0;; ++turn) {
    const char *next = turn % 2 ? "keep.a" : "keep.b", *last = turn % 2 ? "keep.b" : "keep.a";
    ::unlinkat(build.get(), next, 0);
    if (::mknodat(build.get(), next, S_IFREG | 0400, 0) < 0) return fail_errno(errno, "raise the seed");
    struct stat status;
    if (::fstatat(build.get(), next, &status, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(errno, "raise the seed");
    ::unlinkat(build.get(), last, 0);
    if (status.st_ino > number) break;
    if (background && turn % 256 == 0) {
      std::lock_guard lock(mutex_);
      if (stopping_) return fail(Errc::cancelled, "raise the seed");
    }
  }
  return os::btrfs::snapshot(seeds.get(), std::to_string(number), {.source = build.get()},
                             os::btrfs::quota_mode(root_));
}

}  // namespace sebring::image
