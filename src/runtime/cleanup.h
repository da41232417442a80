#pragma once
// Frees what a slot or a container leaves behind, on one thread, in batches, in the order that makes reuse safe: its
// processes have ended, its mounts are closed, its link is gone; then rules, groups, files, disk; last the index.
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "runtime/host.h"

namespace sebring::runtime {

struct Leftover {
  Index index = 0;              // 0: no slot, only a disk
  UniqueFd pidfd;               // invalid: no process
  std::vector<UniqueFd> close;  // mounts, sockets: closing them may wait
  std::string attached_view;    // to be unmounted
  bool patient = false;         // nobody uses what it closes again: it waits for others to be closed with
  std::string upper;            // disk to be destroyed; empty: kept
  std::string snapshot;         // read-only copy to be destroyed
  // Called from the cleanup thread.
  std::function<void()> done;  // nothing is left
};

class Cleanup {
 public:
  static Result<std::unique_ptr<Cleanup>> start(Host& host);
  ~Cleanup();  // does not wait: wait_until_empty() does

  // Kills the process if it still runs.
  void dispose(Leftover leftover);
  // Waits until everything given so far is gone; false after `milliseconds`.
  bool wait_until_empty(int milliseconds);
  std::size_t pending() const;

 private:
  struct Work;
  Cleanup(Host& host, Host::Wires wires, os::Netlink link_events);
  void run();
  bool stopping() const;
  void collect(std::vector<Work>& works);
  void advance(std::vector<Work>& works);
  // Whether those that have ended are closed now, or when more have.
  bool close_now(const std::vector<Work>& works);
  static void close_ended(std::vector<Work>& works);
  bool processes_ended(Work& work);
  bool link_gone(Work& work);
  bool groups_gone(Work& work);
  void release(Work& work);
  void wait_for_events(const std::vector<Work>& works);

  Host& host_;
  Host::Wires wires_;
  os::Netlink link_events_;
  UniqueFd wake_;
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::deque<Leftover> incoming_;
  std::size_t pending_ = 0;
  bool stopping_ = false;
  std::optional<Steady::time_point> close_at_;
  std::optional<Steady::time_point> commit_at_;  // of the pool's file system, after disks were destroyed
  std::thread thread_;
};

}  // namespace sebring::runtime
