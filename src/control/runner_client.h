#pragma once
// What control asks of a runner (src/runner/PROTOCOL.md). Every call may be repeated. Implementations: over the
// runner's Unix socket, and in memory for tests.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/sandbox.h"

namespace sebring::control {

namespace asio = boost::asio;

// How long one call may take while a request waits for it. Longer work (archives) is not waited for in line.
inline constexpr std::chrono::milliseconds kRunnerCallMax{30'000};

struct RunnerSpec {
  std::vector<std::string> layers;
  std::string base;  // empty: none
  double cpus = 1;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  std::int64_t pids_max = 0;
  std::string hostname;
  struct Host {
    std::string address;
    std::string name;
  };
  std::vector<Host> hosts;
  bool block_all = false;
  std::vector<std::string> allow;  // IPv4 networks; empty: the default policy
  std::string linked_to;           // id of the sandbox whose group it joins; empty: none
  std::string toolbox;             // JSON text, opaque to the runner
  bool must_exist = false;
};

struct RunnerCause {
  std::string kind;  // out_of_memory, toolbox_died, killed, reboot
  std::string message;
  std::optional<std::int64_t> limit_bytes;
  std::optional<std::int64_t> peak_bytes;
  std::string victim;
};

enum class RunnerState { running, stopped, paused };

struct RunnerReport {
  std::string id;
  RunnerState state = RunnerState::stopped;
  std::string socket;
  std::string boot_id;
  std::string address;  // as others of its group reach it
  std::optional<RunnerCause> cause;
};

struct RunnerInfo {
  std::string version;
  std::string boot_id;
  double cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t pool_total_bytes = 0;
  std::int64_t pool_free_bytes = 0;
};

struct RunnerUsage {
  std::int64_t cpu_nanoseconds = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
};

struct RunnerLimits {
  std::optional<double> cpus;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::int64_t> disk_bytes;
};

struct RunnerEvent {
  enum class Kind { hello, exited } kind = Kind::hello;
  std::string boot_id;  // of hello
  std::string id;       // of exited
  RunnerCause cause;
};

class RunnerClient {
 public:
  virtual ~RunnerClient() = default;
  virtual asio::awaitable<Result<RunnerInfo>> info() = 0;
  virtual asio::awaitable<Result<std::vector<RunnerReport>>> list() = 0;
  // Errc::not_found when the runner holds nothing of that id.
  virtual asio::awaitable<Result<RunnerReport>> get(std::string id) = 0;
  virtual asio::awaitable<Result<RunnerReport>> ensure_running(std::string id, RunnerSpec spec) = 0;
  virtual asio::awaitable<Result<RunnerReport>> stop(std::string id, bool force, std::int64_t grace_ms) = 0;
  virtual asio::awaitable<Result<void>> remove(std::string id) = 0;
  virtual asio::awaitable<Result<RunnerReport>> set_limits(std::string id, RunnerLimits limits) = 0;
  // At once when it runs, and from its next start on.
  virtual asio::awaitable<Result<RunnerReport>> set_network(std::string id, bool block_all,
                                                            std::vector<std::string> allow) = 0;
  virtual asio::awaitable<Result<RunnerReport>> pause(std::string id) = 0;
  virtual asio::awaitable<Result<RunnerReport>> resume(std::string id) = 0;
  virtual asio::awaitable<Result<RunnerReport>> fork(std::string id, std::string new_id, std::int64_t disk_bytes) = 0;
  struct SnapshotMade {
    std::string layer;
    std::int64_t bytes = 0;
  };
  virtual asio::awaitable<Result<SnapshotMade>> snapshot(std::string id, std::string name) = 0;
  // An unknown one too. What was made from it stays.
  virtual asio::awaitable<Result<void>> remove_snapshot(std::string name) = 0;
  struct Archived {
    std::string sha256;
    std::int64_t bytes = 0;
  };
  virtual asio::awaitable<Result<Archived>> archive(std::string id, std::string path) = 0;
  virtual asio::awaitable<Result<RunnerReport>> restore(std::string id, std::string path, std::string sha256,
                                                        std::int64_t disk_bytes) = 0;
  // What lies beside the sandboxes' disks: names of snapshots and of archives.
  struct Copies {
    std::vector<std::string> snapshots;
    std::vector<std::string> archives;
  };
  virtual asio::awaitable<Result<Copies>> copies() = 0;
  // An unknown one too.
  virtual asio::awaitable<Result<void>> remove_archive(std::string path) = 0;
  virtual asio::awaitable<Result<RunnerUsage>> usage(std::string id) = 0;
  // Calls `heard` for each event until the stream ends, which it does not by itself while the runner lives.
  virtual asio::awaitable<Result<void>> listen(std::function<void(RunnerEvent)> heard) = 0;
};

}  // namespace sebring::control
