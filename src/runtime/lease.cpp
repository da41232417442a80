#include "runtime/lease.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/link.h"

namespace sebring::runtime {
namespace {

constexpr Index kChunks = 65536 / kChunk;
// User ids from 0x70000000 on come first: below, other software keeps ranges (subuid files from 100000, systemd's
// containers up to 0x6fffffff).
constexpr Index kFirstChunk = 0x7000 / kChunk;

std::string file_of(Index chunk) { return std::to_string(chunk); }

// An interrupted runner's chunk is free when its lock is free and nothing of its sandboxes is left in the kernel.
bool lock_is_free(const std::string& data_dir) {
  auto lock = os::open_at(AT_FDCWD, data_dir + "/lock", O_RDWR | O_NOFOLLOW);
  return !lock || ::flock(lock->get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

Leases::Leases(Leases&& other) noexcept
    : taken_over_(std::move(other.taken_over_)),
      directory_(std::move(other.directory_)),
      owner_(std::move(other.owner_)),
      chunks_(std::move(other.chunks_)),
      free_(std::move(other.free_)),
      used_(std::move(other.used_)) {}

Result<Leases> Leases::open(const std::string& directory, Owner owner) {
  SB_CHECK(os::make_dirs(directory, 0755));
  SB_TRY(auto opened, os::open_dir(directory));
  Leases leases(std::move(opened), std::move(owner));
  // Chunks of ours from before: the data directory's lock is held by this process, so nobody else is their owner.
  SB_TRY(auto names, os::list_dir_at(leases.directory_.get(), "."));
  for (const auto& name : names) {
    auto chunk = parse_integer(name);
    auto found = leases.read_owner(name);
    if (!chunk || *chunk < 0 || *chunk >= kChunks || !found) continue;
    if (found->data_dir != leases.owner_.data_dir || found->instance != leases.owner_.instance) continue;
    if (found->boot_id != leases.owner_.boot_id) {
      SB_CHECK(os::unlink_at(leases.directory_.get(), name));
      continue;
    }
    SB_TRY(bool taken, leases.take_chunk(static_cast<Index>(*chunk)));
    (void)taken;
  }
  return leases;
}

std::optional<Leases::Owner> Leases::read_owner(const std::string& name) const {
  auto text = os::read_at(directory_.get(), name, 8192);
  if (!text) return std::nullopt;
  auto lines = split(*text, '\n');
  if (lines.size() < 3) return std::nullopt;
  return Owner{std::string(lines[0]), std::string(lines[1]), std::string(lines[2])};
}

bool Leases::is_stale(const std::string& name) const {
  auto owner = read_owner(name);
  auto chunk = parse_integer(name);
  if (!owner || !chunk) return false;  // being written right now, or not ours to judge
  if (owner->boot_id != owner_.boot_id) return true;
  if (!lock_is_free(owner->data_dir)) return false;
  auto first = static_cast<Index>(*chunk) * kChunk;
  for (Index index = first; index < first + kChunk; ++index)
    if (os::link_index(link_of(index)) != 0) return false;
  // Without network there is no link: its processes are in its cgroups.
  for (const auto& root : {"/sys/fs/cgroup/", "/sys/fs/cgroup/memory/", "/sys/fs/cgroup/pids/"})
    if (auto groups = os::list_dir_at(AT_FDCWD, std::string(root) + "sebring-" + owner->instance))
      for (const auto& group : *groups)
        if (auto number = parse_integer(group); number && *number >= first && *number < first + kChunk) return false;
  return true;
}

// Makes or re-takes the chunk's file. False when it belongs to somebody else.
Result<bool> Leases::take_chunk(Index chunk) {
  std::string name = file_of(chunk), text = owner_.data_dir + "\n" + owner_.instance + "\n" + owner_.boot_id + "\n";
  auto existing = read_owner(name);
  bool ours = existing && existing->data_dir == owner_.data_dir && existing->instance == owner_.instance;
  if (!ours) {
    // Written first, linked second: nobody ever reads half an owner.
    std::string temporary = ".new-" + std::to_string(::getpid()) + "-" + name;
    SB_CHECK(os::put_file_at(directory_.get(), temporary, text, 0644));
    int linked = ::linkat(directory_.get(), temporary.c_str(), directory_.get(), name.c_str(), 0);
    int error = errno;
    ::unlinkat(directory_.get(), temporary.c_str(), 0);
    if (linked < 0 && error == EEXIST) return false;
    if (linked < 0) return fail_errno(error, "lease chunk " + name);
  }
  chunks_.insert(chunk);
  for (Index index = chunk * kChunk; index < (chunk + 1) * kChunk; ++index)
    if (index >= kIndexMin && index <= kIndexMax && !used_.contains(index)) free_.push_back(index);
  return true;
}

Result<Index> Leases::take() {
  std::lock_guard lock(mutex_);
  // One at a time: two that found the same chunk stale would each remove it, the second one the first one's new file.
  if (free_.empty() && ::flock(directory_.get(), LOCK_EX) < 0) return fail_errno(errno, "lock the leases");
  for (Index tried = 0; free_.empty() && tried < kChunks; ++tried) {
    Index chunk = (kFirstChunk + tried) % kChunks;
    if (chunks_.contains(chunk)) continue;
    if (os::exists_at(directory_.get(), file_of(chunk))) {
      if (!is_stale(file_of(chunk))) continue;
      auto dead = read_owner(file_of(chunk));
      if (dead && dead->boot_id == owner_.boot_id && taken_over_) taken_over_(dead->instance, chunk * kChunk);
      SB_CHECK(os::unlink_at(directory_.get(), file_of(chunk)));
    }
    SB_TRY(bool taken, take_chunk(chunk));
    (void)taken;
  }
  ::flock(directory_.get(), LOCK_UN);
  if (free_.empty()) return fail(Errc::exhausted, "this machine has no index left for another sandbox");
  Index index = free_.front();
  free_.pop_front();
  used_.insert(index);
  return index;
}

bool Leases::adopt(Index index) {
  std::lock_guard lock(mutex_);
  if (!chunks_.contains(index / kChunk)) return false;
  used_.insert(index);
  std::erase_if(free_, [&](Index other) { return other == index; });
  return true;
}

void Leases::release(Index index) {
  std::lock_guard lock(mutex_);
  if (used_.erase(index)) free_.push_back(index);
}

std::vector<Index> Leases::chunks() const {
  std::lock_guard lock(mutex_);
  std::vector<Index> firsts;
  for (Index chunk : chunks_) firsts.push_back(chunk * kChunk);
  return firsts;
}

bool Leases::owns(Index index) const {
  std::lock_guard lock(mutex_);
  return chunks_.contains(index / kChunk);
}

void Leases::give_back_unused() {
  std::lock_guard lock(mutex_);
  std::erase_if(chunks_, [&](Index chunk) {
    auto next = used_.lower_bound(chunk * kChunk);
    if (next != used_.end() && *next < (chunk + 1) * kChunk) return false;
    (void)os::unlink_at(directory_.get(), file_of(chunk));
    return true;
  });
  std::erase_if(free_, [&](Index index) { return !chunks_.contains(index / kChunk); });
}

}  // namespace sebring::runtime
