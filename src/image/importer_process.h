#pragma once
// The runner's side of the unprivileged processes.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "image/importer.h"
#include "image/importer_protocol.h"

namespace sebring::image {

// One of them. Killed and reaped with the object.
class ImporterProcess {
 public:
  // Executes the program; returns when its namespaces are made and its ids are mapped, before it knows its job.
  // `give_up` as for run_both().
  static Result<ImporterProcess> start(const ImporterProgram& program, int give_up = -1);
  ImporterProcess(ImporterProcess&&) noexcept = default;
  ImporterProcess& operator=(ImporterProcess&&) = delete;
  ~ImporterProcess();

  int socket() const { return socket_.get(); }
  int user_namespace() const { return user_namespace_.get(); }
  // The process gets copies of the descriptors.
  Result<void> give(const ImporterJob& job, int first, int second);
  // Handles one message of it. True when it has ended, and outcome() tells how.
  bool handle_message();

  struct Outcome {
    ImporterReport report{};
    Result<void> result;
    std::vector<std::string> remarks;
  };
  const std::optional<Outcome>& outcome() const { return outcome_; }
  // Processor time used so far, in clock ticks; nullopt while it waits for the disk, or when it has ended.
  std::optional<std::uint64_t> ticks() const;
  // The only mount whose directories it may ask about, once it has one.
  void set_mount(std::uint64_t mount_id) { mount_id_ = mount_id; }

 private:
  ImporterProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket)
      : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)) {}
  Result<void> map_ids(pid_t pid, std::uint32_t first_id);
  Result<void> wait_for_namespaces(int give_up);
  void answer(ImporterMessage kind, const std::vector<UniqueFd>& fds);
  void take_report(std::string_view message);
  void died();

  pid_t pid_;  // ours until it is reaped, which is when outcome_ is known or later
  UniqueFd pidfd_;
  UniqueFd socket_;
  UniqueFd user_namespace_;
  std::uint64_t mount_id_ = 0;
  std::optional<Outcome> outcome_;
};

// Runs both to their ends. Errc::timed_out after the deadline, or when both stand still; Errc::cancelled as soon as the
// descriptor `give_up` (-1: none) is readable. They are killed with their objects then.
Result<void> run_both(ImporterProcess& first, ImporterProcess& second, std::chrono::steady_clock::time_point deadline,
                      int give_up = -1);

// A detached view of `path` below `dir` (or `dir` itself) that shows plain ids to the process.
struct MappedDirectory {
  UniqueFd mount;
  std::uint64_t mount_id = 0;
};
Result<MappedDirectory> map_directory(int dir, const std::string& path, int user_namespace, bool read_only);

// 1 MiB where the system permits.
Result<std::pair<UniqueFd, UniqueFd>> make_wide_pipe();

}  // namespace sebring::image
