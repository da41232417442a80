#include "image/seed.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/text.h"
#include "os/btrfs.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr std::uint64_t kFirst = 1 << 14;  // 0.3 s: a new pool waits for it
constexpr std::uint64_t kUsual = 1 << 21;  // some minutes, in the background
constexpr const char* kBuild = "seeds/build";
constexpr std::uint64_t kAtOnce = 256;  // numbers between two rests: about 4 ms
constexpr auto kRest = std::chrono::milliseconds(16);
constexpr auto kLockPause = std::chrono::milliseconds(50);
// What a crash loses.
constexpr std::uint64_t kKeepEvery = 1 << 14;

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
  {
    std::lock_guard lock(mutex_);
    ready_ = std::max(ready_, best);
  }
  if (best < kUsual) want(kUsual);
  return best;
}

void Seeds::want(std::uint64_t number, std::uint64_t needed) {
  std::lock_guard lock(mutex_);
  wanted_ = std::max(wanted_, number);
  needed_ = std::max(needed_, needed);
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
      ready_ = std::max(ready_, done = goal);
    else if (!stopping_)
      changed_.wait_for(lock, std::chrono::seconds(30));
  }
}

bool Seeds::rest() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kRest, [&] { return stopping_ || needed_ >= ready_; });
  return !stopping_;
}

// Several runners may share the pool.
bool Seeds::wait_for_lock(int seeds, bool background) {
  if (!background) return ::flock(seeds, LOCK_EX) == 0;
  while (::flock(seeds, LOCK_EX | LOCK_NB) < 0) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kLockPause, [&] { return stopping_; })) return false;
  }
  return true;
}

// Files without a name use numbers up; now and then one with a name takes the place of the last, and stays.
Result<void> Seeds::raise(int build, std::uint64_t number, bool background) {
  auto keep = [&](const char* next, const char* last) -> Result<std::uint64_t> {
    ::unlinkat(build, next, 0);
    struct stat status;
    if (::mknodat(build, next, S_IFREG | 0400, 0) < 0 || ::fstatat(build, next, &status, AT_SYMLINK_NOFOLLOW) < 0)
      return fail_errno(errno, "raise the seed");
    ::unlinkat(build, last, 0);
    return status.st_ino;
  };
  for (std::uint64_t turn = 0;; ++turn) {
    SB_TRY(auto reached, turn % 2 ? keep("keep.a", "keep.b") : keep("keep.b", "keep.a"));
    if (reached > number) return {};
    for (const auto until = std::min(number, reached + kKeepEvery); reached < until; ++reached) {
      UniqueFd nameless(::openat(build, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0400));
      if (!nameless) return fail_errno(errno, "raise the seed");
      if (background && reached % kAtOnce == 0 && !rest()) return fail(Errc::cancelled, "raise the seed");
    }
  }
}

Result<void> Seeds::build(std::uint64_t number, bool background) {
  std::lock_guard one(building_);
  std::string name = path(number);
  SB_TRY(auto seeds, os::open_at(root_, "seeds", O_RDONLY | O_DIRECTORY));
  if (!wait_for_lock(seeds.get(), background)) return fail(Errc::cancelled, "lock the seeds");
  if (os::exists_at(root_, name)) return {};
  if (!os::exists_at(root_, kBuild)) {
    SB_CHECK(os::btrfs::create_subvolume(seeds.get(), "build"));
    for (auto part : {"seeds/build/u", "seeds/build/w"}) SB_CHECK(os::make_dir_at(root_, part, 0755));
  }
  SB_TRY(auto build, os::open_at(root_, kBuild, O_RDONLY | O_DIRECTORY));
  SB_CHECK(raise(build.get(), number, background));
  return os::btrfs::snapshot(seeds.get(), std::to_string(number), {.source = build.get()},
                             os::btrfs::quota_mode(root_));
}

}  // namespace sebring::image
