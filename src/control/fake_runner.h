#pragma once
// A runner in memory, for tests: does at once what it is asked, or fails, hangs and dies as told.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <set>

#include "control/runner_client.h"

namespace sebring::control {

class FakeRunner final : public RunnerClient {
 public:
  explicit FakeRunner(asio::any_io_executor executor) : executor_(std::move(executor)), wake_(executor_) {
    wake_.expires_at(std::chrono::steady_clock::time_point::max());
  }

  // --- what tests set and see ---
  std::map<std::string, RunnerReport> held;
  std::map<std::string, RunnerSpec> specs;
  std::map<std::string, RunnerLimits> limits;
  std::set<std::string> snapshots;
  std::set<std::string> archives;
  std::map<std::string, std::int64_t> cpu_nanoseconds;
  std::optional<Error> fail_restore;   // of every restore
  std::optional<Error> next_error;     // of the next call that changes something
  bool reachable = true;               // else every call is Errc::unavailable
  std::chrono::milliseconds delay{0};  // of every call that changes something
  std::chrono::milliseconds archive_delay{0};
  std::chrono::milliseconds get_delay{0};
  int calls = 0;
  int restored = 0;                     // archives unpacked
  std::function<void()> before_change;  // at the beginning of every call that changes something
  std::string boot_id = "boot-1";

  // The sandbox's processes end by themselves.
  void die(const std::string& id, RunnerCause cause) {
    held[id].state = RunnerState::stopped;
    held[id].cause = cause;
    RunnerEvent event;
    event.kind = RunnerEvent::Kind::exited;
    event.id = id;
    event.cause = cause;
    if (heard_) heard_(event);
  }
  // The connection of the events ends; the next listen() says hello again.
  void cut() {
    cut_ = true;
    wake_.cancel();
  }

  asio::awaitable<Result<RunnerInfo>> info() override {
    if (!reachable) co_return gone();
    co_return RunnerInfo{"fake", boot_id, 8, 32LL << 30, 100LL << 30, 90LL << 30};
  }
  asio::awaitable<Result<std::vector<RunnerReport>>> list() override {
    if (!reachable) co_return gone();
    std::vector<RunnerReport> all;
    for (const auto& [id, report] : held) all.push_back(report);
    co_return all;
  }
  asio::awaitable<Result<RunnerReport>> get(std::string id) override {
    co_await sleep(get_delay);
    if (!reachable) co_return gone();
    if (!held.contains(id)) co_return fail(Errc::not_found, "no sandbox " + id);
    co_return held[id];
  }
  asio::awaitable<Result<RunnerReport>> ensure_running(std::string id, RunnerSpec spec) override {
    SB_CO_CHECK(co_await begin());
    if (spec.must_exist && !held.contains(id)) co_return fail(Errc::not_found, "no disk of " + id);
    specs[id] = spec;
    co_return put(id, RunnerState::running);
  }
  asio::awaitable<Result<RunnerReport>> stop(std::string id, bool, std::int64_t) override {
    SB_CO_CHECK(co_await begin());
    if (!held.contains(id)) co_return fail(Errc::not_found, "no sandbox " + id);
    co_return put(id, RunnerState::stopped);
  }
  asio::awaitable<Result<void>> remove(std::string id) override {
    SB_CO_CHECK(co_await begin());
    held.erase(id);
    co_return Result<void>{};
  }
  asio::awaitable<Result<RunnerReport>> set_limits(std::string id, RunnerLimits wanted) override {
    SB_CO_CHECK(co_await begin());
    if (!held.contains(id)) co_return fail(Errc::not_found, "no sandbox " + id);
    limits[id] = wanted;
    co_return held[id];
  }
  asio::awaitable<Result<RunnerReport>> set_network(std::string id, bool block_all,
                                                    std::vector<std::string> allow) override {
    SB_CO_CHECK(co_await begin());
    if (!held.contains(id)) co_return fail(Errc::not_found, "no sandbox " + id);
    specs[id].block_all = block_all;
    specs[id].allow = allow;
    co_return held[id];
  }
  asio::awaitable<Result<RunnerReport>> pause(std::string id) override {
    SB_CO_CHECK(co_await begin());
    co_return put(id, RunnerState::paused);
  }
  asio::awaitable<Result<RunnerReport>> resume(std::string id) override {
    SB_CO_CHECK(co_await begin());
    co_return put(id, RunnerState::running);
  }
  asio::awaitable<Result<RunnerReport>> fork(std::string id, std::string new_id, std::int64_t) override {
    SB_CO_CHECK(co_await begin());
    if (!held.contains(id)) co_return fail(Errc::not_found, "no sandbox " + id);
    co_return put(new_id, RunnerState::stopped);
  }
  asio::awaitable<Result<SnapshotMade>> snapshot(std::string id, std::string name) override {
    SB_CO_CHECK(co_await begin());
    snapshots.insert(name);
    co_return SnapshotMade{name, 4096};
  }
  asio::awaitable<Result<void>> remove_snapshot(std::string name) override {
    SB_CO_CHECK(co_await begin());
    snapshots.erase(name);
    co_return Result<void>{};
  }
  asio::awaitable<Result<Archived>> archive(std::string id, std::string path) override {
    co_await sleep(archive_delay);
    SB_CO_CHECK(co_await begin());
    archives.insert(path);
    co_return Archived{std::string(64, 'a'), 1000};
  }
  asio::awaitable<Result<RunnerReport>> restore(std::string id, std::string, std::string, std::int64_t) override {
    co_await sleep(archive_delay);
    SB_CO_CHECK(co_await begin());
    if (held.contains(id)) co_return held[id];
    if (fail_restore) co_return fail(*fail_restore);
    ++restored;
    co_return put(id, RunnerState::stopped);
  }
  asio::awaitable<Result<Copies>> copies() override {
    if (!reachable) co_return gone();
    co_return Copies{{snapshots.begin(), snapshots.end()}, {archives.begin(), archives.end()}};
  }
  asio::awaitable<Result<void>> remove_archive(std::string path) override {
    SB_CO_CHECK(co_await begin());
    archives.erase(path);
    co_return Result<void>{};
  }
  asio::awaitable<Result<RunnerUsage>> usage(std::string id) override {
    co_return RunnerUsage{.cpu_nanoseconds = cpu_nanoseconds[id]};
  }

  asio::awaitable<Result<void>> listen(std::function<void(RunnerEvent)> heard) override {
    if (!reachable) co_return gone();
    heard_ = std::move(heard);
    RunnerEvent hello;
    hello.boot_id = boot_id;
    heard_(hello);
    cut_ = false;
    while (!cut_) {
      co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
      if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) break;
    }
    heard_ = nullptr;
    co_return Result<void>{};
  }

 private:
  static std::unexpected<Error> gone() { return fail(Errc::unavailable, "The runner does not answer"); }
  asio::awaitable<void> sleep(std::chrono::milliseconds time) {
    asio::steady_timer timer(executor_, time);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  asio::awaitable<Result<void>> begin() {
    ++calls;
    if (before_change) before_change();
    if (delay.count() > 0) {
      co_await sleep(delay);
    } else {
      co_await asio::post(executor_, asio::use_awaitable);
    }
    if (!reachable) co_return gone();
    if (next_error) co_return fail(*std::exchange(next_error, std::nullopt));
    co_return Result<void>{};
  }
  RunnerReport put(const std::string& id, RunnerState state) {
    RunnerReport& report = held[id];
    report = {id, state, state == RunnerState::stopped ? "" : "/run/" + id + ".sock", boot_id, {}, std::nullopt};
    if (state != RunnerState::stopped) report.address = "100.64.0." + std::to_string(held.size());
    return report;
  }

  asio::any_io_executor executor_;
  asio::steady_timer wake_;
  std::function<void(RunnerEvent)> heard_;
  bool cut_ = false;
};

}  // namespace sebring::control
