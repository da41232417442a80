#pragma once
// Control groups, version 1 and version 2 behind one interface. A tree "sebring-<instance>" in every hierarchy holds
// one group per sandbox, named by its index, and one group "toolboxes" for the memory of all daemons: so a sandbox's
// limit never picks its PID 1 as the victim.
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

struct CgroupUsage {
  std::uint64_t cpu_nanoseconds = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_peak_bytes = 0;  // 0 where the kernel does not count it
  std::uint64_t memory_limit_bytes = 0;
  std::uint64_t pids = 0;
  std::uint64_t oom_kills = 0;  // processes that the memory limit has ended
};

class CgroupTree {
 public:
  virtual ~CgroupTree() = default;
  virtual int version() const = 0;

  // Makes the group of one sandbox in every hierarchy; an existing one is taken over.
  virtual Result<void> create(const std::string& name) = 0;
  // Errc::conflict while a process is left in it. Missing is fine.
  virtual Result<void> remove(const std::string& name) = 0;
  // Groups that exist in any hierarchy, without "toolboxes".
  virtual std::vector<std::string> list() = 0;

  // Descriptors into which a starting process writes "0" to join, one per hierarchy.
  virtual Result<std::vector<UniqueFd>> join_descriptors(const std::string& name) = 0;
  // What PID 1 writes "0" into to move its memory to the common group, after it has unshared its cgroup namespace,
  // whose root would show otherwise. Invalid: it stays. Moved from outside, version 1 would wait for all processors and
  // hold up every other group meanwhile.
  virtual Result<UniqueFd> toolboxes_join_descriptor() = 0;
  // What a command writes "0" into to join the users' memory group; invalid: commands stay with PID 1.
  virtual Result<UniqueFd> users_join_descriptor(const std::string& name) = 0;
  // The users' memory group, for reading events, peak and limit.
  virtual Result<UniqueFd> memory_directory(const std::string& name) = 0;

  virtual Result<void> set_memory(const std::string& name, std::uint64_t bytes) = 0;  // swap stays 0
  virtual Result<void> set_cpus(const std::string& name, double cpus) = 0;            // quota
  virtual Result<void> set_cpuset(const std::string& name, const std::string& list) = 0;
  virtual Result<void> set_pids(const std::string& name, std::uint32_t max) = 0;
  virtual Result<void> freeze(const std::string& name, bool frozen) = 0;
  // What the kernel says; false where it cannot be told.
  virtual bool is_frozen(const std::string& name) = 0;
  virtual Result<CgroupUsage> usage(const std::string& name) = 0;
  // All processes of the sandbox by host pid, PID 1 too where it lies in the same group.
  virtual Result<std::vector<pid_t>> processes(const std::string& name) = 0;
  // Every PID 1 in the common group, ours and those of a runner before.
  virtual std::vector<pid_t> toolboxes() = 0;
  // The CPUs that sandboxes may be spread over.
  virtual std::vector<int> cpus() = 0;
  // Removes the empty tree itself; for the end of the last instance's work.
  virtual void remove_tree() = 0;
};

// Version 2 when memory and pids are controlled there, else version 1. Errc::unavailable with what is missing.
Result<std::unique_ptr<CgroupTree>> open_cgroup_tree(const std::string& instance);

// Where controllers are mounted, from /proc/self/mountinfo.
struct CgroupMounts {
  struct Hierarchy {
    std::string path;
    std::vector<std::string> controllers;  // version 1
  };
  std::vector<Hierarchy> version_1;
  std::optional<std::string> version_2;
};
CgroupMounts parse_cgroup_mounts(std::string_view mountinfo);

// "0-3,5" and back.
std::vector<int> parse_cpu_list(std::string_view text);
std::string cpu_list_text(const std::vector<int>& cpus);

Result<std::unique_ptr<CgroupTree>> open_cgroup_v1(const CgroupMounts& mounts, const std::string& tree);
Result<std::unique_ptr<CgroupTree>> open_cgroup_v2(const std::string& mount, const std::string& tree);

}  // namespace sebring::os
