#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <set>

#include "base/text.h"
#include "os/cgroup.h"
#include "os/file.h"

namespace sebring::os {
namespace {

constexpr const char* kToolboxes = "toolboxes";
constexpr int kPeriodMicroseconds = 100'000;
// What memory.limit_in_bytes reads without a limit: the largest page count.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;

std::uint64_t number_of(const Result<std::string>& text) {
  auto number = text ? parse_integer(trim(*text)) : std::nullopt;
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

class CgroupV1 final : public CgroupTree {
 public:
  // One directory descriptor per hierarchy; `cpu` and `cpuacct` are often the same one.
  struct Hierarchy {
    std::string mount;
    UniqueFd directory;
    std::set<std::string> controllers;
  };

  CgroupV1(std::vector<Hierarchy> hierarchies, std::string tree)
      : hierarchies_(std::move(hierarchies)), tree_(std::move(tree)) {}

  Result<void> prepare();
  int version() const override { return 1; }

  Result<void> create(const std::string& name) override {
    for (auto& hierarchy : hierarchies_) SB_CHECK(make_dir_at(hierarchy.directory.get(), name, 0755));
    // Swap 0: without swap accounting the file is absent and the limit below holds for memory alone.
    if (swap_accounting_) (void)write_at(of("memory"), name + "/memory.swappiness", "0");
    return of("cpuset") < 0 ? Result<void>{} : fill_cpuset(name);
  }

  Result<void> remove(const std::string& name) override {
    Result<void> first;
    for (auto& hierarchy : hierarchies_)
      if (auto removed = remove_dir_at(hierarchy.directory.get(), name); !removed && first) first = std::move(removed);
    return first;
  }

  std::vector<std::string> list() override {
    std::set<std::string> names;
    for (auto& hierarchy : hierarchies_) {
      auto all = list_dir_at(hierarchy.directory.get(), ".");
      if (!all) continue;
      for (auto& name : *all)
        if (!name.empty() && name[0] >= '0' && name[0] <= '9') names.insert(name);
    }
    return {names.begin(), names.end()};
  }

  // `tasks`, not `cgroup.procs`: one thread moving itself takes no lock of the whole machine.
  Result<std::vector<UniqueFd>> join_descriptors(const std::string& name) override {
    std::vector<UniqueFd> all;
    for (auto& hierarchy : hierarchies_) {
      SB_TRY(auto fd, open_at(hierarchy.directory.get(), name + "/tasks", O_WRONLY));
      all.push_back(std::move(fd));
    }
    return all;
  }

  Result<UniqueFd> toolboxes_join_descriptor() override {
    return open_at(of("memory"), std::string(kToolboxes) + "/tasks", O_WRONLY);
  }
  Result<UniqueFd> users_join_descriptor(const std::string& name) override {
    return open_at(of("memory"), name + "/tasks", O_WRONLY);
  }
  Result<UniqueFd> memory_directory(const std::string& name) override {
    return open_at(of("memory"), name, O_RDONLY | O_DIRECTORY);
  }

  Result<void> set_memory(const std::string& name, std::uint64_t bytes) override;

  Result<void> set_cpus(const std::string& name, double cpus) override {
    auto quota = std::max<long>(1000, std::lround(cpus * kPeriodMicroseconds));  // the kernel's smallest quota: 1 ms
    return write_at(of("cpu"), name + "/cpu.cfs_quota_us", std::to_string(quota));
  }
  Result<void> set_cpuset(const std::string& name, const std::string& list) override {
    if (of("cpuset") < 0) return {};
    return write_at(of("cpuset"), name + "/cpuset.cpus", list);
  }
  Result<void> set_pids(const std::string& name, std::uint32_t max) override {
    return write_at(of("pids"), name + "/pids.max", std::to_string(max));
  }
  Result<void> freeze(const std::string& name, bool frozen) override {
    if (of("freezer") < 0) return fail(Errc::not_implemented, "pause: this host has no freezer cgroup");
    return write_at(of("freezer"), name + "/freezer.state", frozen ? "FROZEN" : "THAWED");
  }

  bool is_frozen(const std::string& name) override {
    auto state = of("freezer") < 0 ? Result<std::string>("") : read_at(of("freezer"), name + "/freezer.state", 64);
    return state && state->starts_with("FR");  // FREEZING, FROZEN
  }

  Result<CgroupUsage> usage(const std::string& name) override;

  Result<std::vector<pid_t>> processes(const std::string& name) override {
    SB_TRY(auto text, read_at(of("pids"), name + "/cgroup.procs", 4 << 20));
    std::vector<pid_t> pids;
    for (auto line : split(text, '\n'))
      if (auto pid = parse_integer(line)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
  }

  std::vector<pid_t> toolboxes() override {
    std::vector<pid_t> pids;
    auto text = read_at(of("memory"), std::string(kToolboxes) + "/cgroup.procs", 4 << 20);
    for (auto line : split(text ? std::string_view(*text) : std::string_view(), '\n'))
      if (auto pid = parse_integer(line)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
  }

  std::vector<int> cpus() override {
    auto text =
        of("cpuset") < 0 ? read_at(AT_FDCWD, "/sys/devices/system/cpu/online") : read_at(of("cpuset"), "cpuset.cpus");
    return parse_cpu_list(text ? *text : "0");
  }

  void remove_tree() override {
    (void)remove_dir_at(of("memory"), kToolboxes);
    for (auto& hierarchy : hierarchies_) ::rmdir((hierarchy.mount + "/" + tree_).c_str());
  }

 private:
  // A cpuset without CPUs and memory nodes takes no process. Balancing is off first, while it is empty: the root's
  // covers all CPUs anyway, and with it on, each change of a group computes the machine's scheduling domains anew from
  // all groups.
  Result<void> fill_cpuset(const std::string& name) {
    (void)write_at(of("cpuset"), name + "/cpuset.sched_load_balance", "0");
    SB_CHECK(write_at(of("cpuset"), name + "/cpuset.mems", nodes_));
    return write_at(of("cpuset"), name + "/cpuset.cpus", cpus_);
  }

  // -1 when the controller is not mounted.
  int of(const std::string& controller) const {
    for (auto& hierarchy : hierarchies_)
      if (hierarchy.controllers.contains(controller)) return hierarchy.directory.get();
    return -1;
  }

  std::vector<Hierarchy> hierarchies_;
  std::string tree_;
  std::string cpus_, nodes_;  // all
  bool swap_accounting_ = false;
};

Result<void> CgroupV1::prepare() {
  if (of("cpuset") >= 0) {
    for (auto& hierarchy : hierarchies_) {
      if (!hierarchy.controllers.contains("cpuset")) continue;
      SB_TRY(auto cpus, read_at(AT_FDCWD, hierarchy.mount + "/cpuset.cpus"));
      SB_TRY(auto nodes, read_at(AT_FDCWD, hierarchy.mount + "/cpuset.mems"));
      cpus_ = trim(cpus);
      nodes_ = trim(nodes);
      SB_CHECK(write_at(of("cpuset"), "cpuset.cpus", cpus_));
      SB_CHECK(write_at(of("cpuset"), "cpuset.mems", nodes_));
    }
  }
  (void)write_at(of("memory"), "memory.use_hierarchy", "1");
  SB_CHECK(make_dir_at(of("memory"), kToolboxes, 0755));
  swap_accounting_ = exists_at(of("memory"), "memory.memsw.limit_in_bytes");
  return {};
}

// memory+swap must never be below memory, so the order depends on the direction.
Result<void> CgroupV1::set_memory(const std::string& name, std::uint64_t bytes) {
  std::string text = std::to_string(bytes), limit = name + "/memory.limit_in_bytes";
  if (!swap_accounting_) return write_at(of("memory"), limit, text);
  std::string both = name + "/memory.memsw.limit_in_bytes";
  if (write_at(of("memory"), limit, text)) return write_at(of("memory"), both, text);
  SB_CHECK(write_at(of("memory"), both, text));
  return write_at(of("memory"), limit, text);
}

Result<CgroupUsage> CgroupV1::usage(const std::string& name) {
  CgroupUsage usage;
  int memory = of("memory");
  if (of("cpuacct") >= 0) usage.cpu_nanoseconds = number_of(read_at(of("cpuacct"), name + "/cpuacct.usage", 64));
  SB_TRY(auto now, read_at(memory, name + "/memory.usage_in_bytes", 64));
  usage.memory_bytes = number_of(now);
  usage.memory_peak_bytes = number_of(read_at(memory, name + "/memory.max_usage_in_bytes", 64));
  usage.memory_limit_bytes = number_of(read_at(memory, name + "/memory.limit_in_bytes", 64));
  if (usage.memory_limit_bytes > kUnlimited) usage.memory_limit_bytes = 0;
  usage.pids = number_of(read_at(of("pids"), name + "/pids.current", 64));
  auto control = read_at(memory, name + "/memory.oom_control", 512);
  for (auto line : split(control ? std::string_view(*control) : std::string_view(), '\n'))
    if (line.starts_with("oom_kill "))
      usage.oom_kills = static_cast<std::uint64_t>(parse_integer(line.substr(9)).value_or(0));
  return usage;
}

}  // namespace

Result<std::unique_ptr<CgroupTree>> open_cgroup_v1(const CgroupMounts& mounts, const std::string& tree) {
  std::vector<CgroupV1::Hierarchy> hierarchies;
  std::set<std::string> found;
  for (const auto& mount : mounts.version_1) {
    SB_CHECK(make_dir_at(AT_FDCWD, mount.path + "/" + tree, 0755));
    SB_TRY(auto directory, open_dir(mount.path + "/" + tree));
    found.insert(mount.controllers.begin(), mount.controllers.end());
    hierarchies.push_back({mount.path, std::move(directory), {mount.controllers.begin(), mount.controllers.end()}});
  }
  for (auto needed : {"memory", "cpu", "pids"})
    if (!found.contains(needed))
      return fail(Errc::unavailable, std::string("this host has no ") + needed +
                                         " cgroup controller: mount cgroup2 with it, or cgroup version 1");
  auto cgroups = std::make_unique<CgroupV1>(std::move(hierarchies), tree);
  SB_CHECK(cgroups->prepare());
  return std::unique_ptr<CgroupTree>(std::move(cgroups));
}

}  // namespace sebring::os
