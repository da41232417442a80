#pragma once
// Every disk of this runner and the container that runs on it, if one does. One coroutine at a time works on each; all
// state is touched on the event loop's thread only, and what blocks is done by workers on copies.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "image/archive.h"
#include "runner/events.h"
#include "runner/journal.h"
#include "runner/oom_log.h"
#include "runner/waiting.h"
#include "runner/wire.h"
#include "runner/workers.h"
#include "runtime/slot_pool.h"

namespace sebring::runner {

struct Usage {
  os::CgroupUsage groups;
  std::uint64_t disk_bytes = 0;
};

class Sandboxes {
 public:
  struct Parts {
    asio::any_io_executor executor;
    runtime::Host& host;
    runtime::Cleanup& cleanup;
    runtime::SlotPool& slots;
    Workers& starters;  // for starts, which may wait for a slot
    Workers& workers;   // for everything else: a burst of starts must not hold up a stop
    Workers& copiers;   // for archives and restores, which take minutes; kCopiesAtOnce threads
    Journal& journal;
    Events& events;
    OomLog& oom_log;
    std::string objects_dir;
  };
  static constexpr std::size_t kCopiesAtOnce = 2;
  explicit Sandboxes(Parts parts);
  ~Sandboxes();

  // Before anything else: finds what runs still, declares the rest stopped, destroys what nobody knows.
  // `ended_by_stop`: see kEndedByStop.
  Result<void> recover(std::map<std::string, Record> records, bool ended_by_stop);

  // Each as in PROTOCOL.md; the JSON of a Report.
  asio::awaitable<Result<boost::json::object>> ensure_running(std::string id, Spec spec);
  asio::awaitable<Result<boost::json::object>> stop(std::string id, StopOrder order);
  asio::awaitable<Result<void>> remove(std::string id);
  asio::awaitable<Result<boost::json::object>> set_limits(std::string id, LimitsChange change);
  asio::awaitable<Result<boost::json::object>> set_network(std::string id, runtime::NetworkPolicy policy);
  asio::awaitable<Result<boost::json::object>> set_paused(std::string id, bool paused);
  asio::awaitable<Result<boost::json::object>> fork(std::string id, ForkOrder order);
  struct SnapshotMade {
    std::string name;
    std::uint64_t bytes = 0;
  };
  asio::awaitable<Result<SnapshotMade>> snapshot(std::string id, std::string name);
  asio::awaitable<Result<void>> remove_snapshot(std::string name);
  asio::awaitable<Result<image::Archived>> archive(std::string id, std::string path);
  // What lies beside the sandboxes' disks.
  struct Copies {
    std::vector<std::string> snapshots;
    std::vector<std::string> archives;
  };
  asio::awaitable<Result<Copies>> copies();
  // `path`: a plain name. An unknown one too.
  asio::awaitable<Result<void>> remove_archive(std::string path);
  asio::awaitable<Result<boost::json::object>> restore(std::string id, RestoreOrder order);
  asio::awaitable<Result<Usage>> usage(std::string id);
  Result<boost::json::object> report(const std::string& id) const;
  std::vector<boost::json::object> reports() const;
  // Whether some disk lies on this layer.
  bool uses_layer(const std::string& digest) const;
  std::size_t running() const;

  // A TCP socket inside, connected to its loopback at `port`.
  asio::awaitable<Result<UniqueFd>> dial(std::string id, std::uint16_t port);

  // Ends those whose daemons stand still; for as long as this lives.
  asio::awaitable<void> look_after_daemons();

  // No further changes; pending ones finish. What runs goes on running.
  void close();

 private:
  struct Life;
  struct Sandbox;
  using Handle = std::shared_ptr<Sandbox>;

  Handle find(const std::string& id) const;
  // The sandbox, locked; Errc::not_found.
  struct Locked {
    Handle sandbox;
    Gate::Pass pass;
  };
  asio::awaitable<Result<Locked>> lock(std::string id, Gate::Kind kind = Gate::Kind::alone);
  asio::awaitable<Locked> lock_or_make(std::string id);

  asio::awaitable<Result<void>> start(Handle sandbox, Spec spec);
  // False when its end would not be noticed: no descriptor is left.
  bool watch(Handle sandbox);
  asio::awaitable<void> look_after_daemon(Handle sandbox, std::shared_ptr<Life> life);
  bool stands_still(const Sandbox& sandbox, std::uint64_t& ticks_before) const;
  asio::awaitable<void> end_hung(Handle sandbox, std::shared_ptr<Life> life, const UniqueFd& connection);
  asio::awaitable<void> notice_end(Handle sandbox, std::shared_ptr<Life> life);
  asio::awaitable<void> terminate_users(Handle sandbox, std::chrono::milliseconds grace);
  Result<void> begin_kill(Handle sandbox);
  asio::awaitable<Result<void>> kill(Handle sandbox);  // until the last process is gone
  // Gives the container's remains to the cleanup; the disk stays.
  void let_go(Handle sandbox);
  Cause cause_of(const Sandbox& sandbox) const;
  boost::json::object report_of(const Sandbox& sandbox) const;
  asio::awaitable<Result<void>> wait_durable(Journal::Ticket ticket);
  Result<void> unpack_archive(Record& record, const RestoreOrder& order, int give_up);
  // Archives and restores: each uses two processes and the disk, so few are at work at once.
  struct Copying {
    explicit Copying(asio::any_io_executor executor) : changed(std::move(executor)) {}
    std::size_t now = 0;
    Signal changed;
  };
  class CopyTurn;
  struct WorkingCopy {
    Handle sandbox;
    std::string name;
  };
  asio::awaitable<Result<CopyTurn>> wait_for_copy_turn(Handle sandbox);
  asio::awaitable<Result<WorkingCopy>> make_working_copy(std::string id);
  asio::awaitable<Result<image::Archived>> archive_copy(const WorkingCopy& copy, std::string path);
  asio::awaitable<Result<void>> restore_when_its_turn(Handle sandbox, Record& record, const RestoreOrder& order);
  void give_up_copies(Sandbox& sandbox);
  void remove_unfinished();
  void forget_later(const std::string& disk, runtime::Leftover& leftover);

  bool adopt(Record record);
  // Sandboxes that belong together reach each other. On the loop, at once: whoever is there now has its index still.
  Result<void> join_group(const Sandbox& sandbox);
  void leave_group(const Record& record);
  std::vector<Handle> running_group_of(const Sandbox& sandbox) const;
  void restore_groups();
  asio::awaitable<void> reclaim_paused();

  Parts parts_;
  std::map<std::string, Handle, std::less<>> sandboxes_;
  std::map<std::string, std::set<std::string>> linked_;         // id -> ids of those linked to it
  std::optional<os::Netlink> netfilter_;                        // the loop's own, made when it is needed first
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for callbacks of other threads
  bool closed_ = false;
  std::shared_ptr<Copying> copying_;
  std::deque<std::string> to_reclaim_;  // groups of paused ones, one at a time: the workers are for those who wait
  bool reclaiming_ = false;
};

}  // namespace sebring::runner
