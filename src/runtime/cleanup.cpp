#include "runtime/cleanup.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "base/time.h"
#include "os/file.h"
#include "os/link.h"
#include "os/mount.h"
#include "os/pidfd.h"

namespace sebring::runtime {
namespace {

// What the kernel does late (links, groups with dying processes) is looked at again after this, should no event come.
constexpr int kLookAgainMilliseconds = 50;
constexpr std::size_t kClosersMax = 8;
// The last close of a root commits the pool's file system, and so does what gives back the space of destroyed disks.
// Creates and deletes feel commits: what ends within this time shares them.
constexpr auto kCloseEvery = std::chrono::milliseconds(100);
constexpr auto kCommitEvery = std::chrono::milliseconds(250);
// So many are closed without waiting for more.
constexpr std::ptrdiff_t kCloseAtOnce = 32;
// A link outlives its namespace only when somebody outside holds that; then it is removed the slow way.
constexpr auto kLinkPatience = std::chrono::seconds(10);

}  // namespace

struct Cleanup::Work {
  Leftover leftover;
  bool killed = false;
  bool ended = false;
  bool closed = false;
  bool unlinked = false;
  bool ungrouped = false;
  bool disk_freed = false;
  Steady::time_point since = Steady::now();
  bool finished() const { return ended && closed && unlinked && ungrouped && disk_freed; }
};

Result<std::unique_ptr<Cleanup>> Cleanup::start(Host& host) {
  SB_TRY(auto wires, host.open_wires());
  SB_TRY(auto events, os::Netlink::open(NETLINK_ROUTE, RTMGRP_LINK));
  std::unique_ptr<Cleanup> cleanup(new Cleanup(host, std::move(wires), std::move(events)));
  cleanup->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cleanup->wake_) return fail_errno(errno, "make an event descriptor");
  cleanup->thread_ = std::thread([raw = cleanup.get()] {
    ::pthread_setname_np(::pthread_self(), "cleanup");
    raw->run();
  });
  return cleanup;
}

Cleanup::Cleanup(Host& host, Host::Wires wires, os::Netlink link_events)
    : host_(host), wires_(std::move(wires)), link_events_(std::move(link_events)) {}

// What is not finished is found by the next start.
Cleanup::~Cleanup() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  (void)!::write(wake_.get(), "\1\0\0\0\0\0\0\0", 8);
  if (thread_.joinable()) thread_.join();
}

void Cleanup::dispose(Leftover leftover) {
  {
    std::lock_guard lock(mutex_);
    incoming_.push_back(std::move(leftover));
    ++pending_;
  }
  (void)!::write(wake_.get(), "\1\0\0\0\0\0\0\0", 8);
}

bool Cleanup::wait_until_empty(int milliseconds) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return pending_ == 0; });
}

bool Cleanup::stopping() const {
  std::lock_guard lock(mutex_);
  return stopping_;
}

std::size_t Cleanup::pending() const {
  std::lock_guard lock(mutex_);
  return pending_;
}

void Cleanup::collect(std::vector<Work>& works) {
  std::lock_guard lock(mutex_);
  for (auto& leftover : incoming_) works.push_back({std::move(leftover)});
  incoming_.clear();
}

void Cleanup::run() {
  std::vector<Work> works;
  for (;;) {
    collect(works);
    advance(works);
    std::size_t before = works.size();
    std::vector<std::function<void()>> finished;
    std::erase_if(works, [&](Work& work) {
      if (!work.finished()) return false;
      release(work);
      if (work.leftover.done) finished.push_back(std::move(work.leftover.done));
      return true;
    });
    for (auto& done : finished) done();
    {
      std::lock_guard lock(mutex_);
      pending_ -= before - works.size();
      if (pending_ == 0) empty_.notify_all();
      if (stopping_) return;
      if (!incoming_.empty()) continue;
    }
    wait_for_events(works);
  }
}

void Cleanup::wait_for_events(const std::vector<Work>& works) {
  pollfd waits[] = {{wake_.get(), POLLIN, 0}, {link_events_.fd(), POLLIN, 0}};
  bool idle = works.empty();
  const int longest = commit_at_ ? static_cast<int>(kCommitEvery.count()) : -1;
  ::poll(waits, idle ? 1 : 2, idle ? longest : kLookAgainMilliseconds);
  std::uint64_t count;
  (void)!::read(wake_.get(), &count, sizeof count);
  char event[16384];  // which link it was does not matter: those that are waited for are looked up
  while (::recv(link_events_.fd(), event, sizeof event, MSG_DONTWAIT) > 0) {
  }
}

bool Cleanup::close_now(const std::vector<Work>& works) {
  const auto waiting = std::ranges::count_if(works, [](const Work& work) { return work.ended && !work.closed; });
  if (waiting == 0) return false;
  // A root whose disk lives on holds what is removed from that in its next life.
  const bool lives_on = std::ranges::any_of(works, [](const Work& work) {
    return work.ended && !work.closed && work.leftover.upper.empty() && !work.leftover.patient;
  });
  const auto now = Steady::now();
  if (!close_at_) close_at_ = now + kCloseEvery;
  if (!lives_on && waiting < kCloseAtOnce && now < *close_at_ && !stopping()) return false;
  close_at_.reset();
  return true;
}

// One after the other they could not keep up with a burst of deletes.
void Cleanup::close_ended(std::vector<Work>& works) {
  std::vector<Work*> closing;
  for (auto& work : works)
    if (work.ended && !work.closed) closing.push_back(&work);
  std::atomic<std::size_t> next = 0;
  auto close_some = [&] {
    for (std::size_t mine; (mine = next++) < closing.size();) {
      Work& work = *closing[mine];
      work.leftover.close.clear();
      if (!work.leftover.attached_view.empty()) {
        (void)os::detach_mount(work.leftover.attached_view);
        ::rmdir(work.leftover.attached_view.c_str());
      }
      work.closed = true;
    }
  };
  std::vector<std::jthread> helpers;
  try {
    while (helpers.size() + 1 < std::min(closing.size(), kClosersMax)) helpers.emplace_back(close_some);
  } catch (const std::system_error&) {  // no process is left to be had: then with fewer
  }
  close_some();
}

void Cleanup::advance(std::vector<Work>& works) {
  for (auto& work : works) work.ended = work.ended || processes_ended(work);
  if (close_now(works)) close_ended(works);
  bool destroyed = false;
  for (auto& work : works) {
    if (!work.closed || work.disk_freed) continue;
    bool had_disk = !work.leftover.upper.empty() || !work.leftover.snapshot.empty();
    // A failed delete is not repeated for ever: the next start of the runner finds a disk that nobody owns.
    if (!work.leftover.upper.empty()) (void)host_.pool().destroy_upper(work.leftover.upper);
    if (!work.leftover.snapshot.empty()) (void)host_.pool().destroy_snapshot(work.leftover.snapshot);
    work.disk_freed = true;
    destroyed = destroyed || had_disk;
  }
  const auto now = Steady::now();
  if (destroyed && !commit_at_) commit_at_ = now + kCommitEvery;
  if (commit_at_ && now >= *commit_at_) {
    commit_at_.reset();
    (void)host_.pool().sync();
  }
  for (auto& work : works) {
    if (!work.closed) continue;
    work.unlinked = work.unlinked || link_gone(work);
    work.ungrouped = work.ungrouped || groups_gone(work);
  }
}

bool Cleanup::processes_ended(Work& work) {
  if (!work.leftover.pidfd) return true;
  if (!work.killed) {
    (void)host_.cgroups().freeze(name_of(work.leftover.index), false);  // a frozen process does not die (version 1)
    (void)os::signal_pidfd(work.leftover.pidfd.get(), SIGKILL);
    work.killed = true;
  }
  // PID 1 ends last: the kernel waits for all others of its namespace first.
  if (!os::wait_pidfd(work.leftover.pidfd.get(), 0)) return false;
  (void)os::reap_pidfd(work.leftover.pidfd.get());
  work.leftover.pidfd.reset();
  return true;
}

bool Cleanup::link_gone(Work& work) {
  // A leftover of an earlier life may lie in a chunk that has passed to another instance: its link is not ours.
  if (work.leftover.index == 0 || !wires_.route || !host_.leases().owns(work.leftover.index)) return true;
  std::string link = link_of(work.leftover.index);
  if (os::link_index(link) == 0) return true;
  if (Steady::now() - work.since > kLinkPatience) (void)os::delete_link(*wires_.route, link);
  return false;
}

bool Cleanup::groups_gone(Work& work) {
  return work.leftover.index == 0 || host_.cgroups().remove(name_of(work.leftover.index)).has_value();
}

void Cleanup::release(Work& work) {
  Index index = work.leftover.index;
  if (index == 0) return;
  if (wires_.netfilter) host_.firewall()->remove(*wires_.netfilter, index);
  host_.own_files().remove(index);
  ::unlink(host_.socket_path(index).c_str());
  host_.cpus().release(index);
  host_.leases().release(index);
}

}  // namespace sebring::runtime
