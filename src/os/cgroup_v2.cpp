#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "os/cgroup.h"
#include "os/file.h"

namespace sebring::os {
namespace {

constexpr const char* kToolboxes = "toolboxes";
constexpr int kPeriodMicroseconds = 100'000;

std::uint64_t number_of(const Result<std::string>& text) {
  auto number = text ? parse_integer(trim(*text)) : std::nullopt;  // "max" is no number: 0
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

std::uint64_t field(const Result<std::string>& text, std::string_view name) {
  for (auto line : split(text ? std::string_view(*text) : std::string_view(), '\n'))
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return static_cast<std::uint64_t>(parse_integer(line.substr(name.size() + 1)).value_or(0));
  return 0;
}

// A process is in one group only here. Each sandbox's group holds the users' processes; PID 1 moves next door to
// `toolboxes` where that is cheap: with `favordynmods` (6.0) joining takes no RCU period.
class CgroupV2 final : public CgroupTree {
 public:
  CgroupV2(std::string mount, std::string tree, UniqueFd directory)
      : mount_(std::move(mount)), tree_(std::move(tree)), directory_(std::move(directory)) {}

  Result<void> prepare();
  int version() const override { return 2; }

  Result<void> create(const std::string& name) override {
    SB_CHECK(make_dir_at(dir(), name, 0755));
    (void)write_at(dir(), name + "/memory.swap.max", "0");  // absent without swap accounting
    return {};
  }
  Result<void> remove(const std::string& name) override { return remove_dir_at(dir(), name); }
  std::vector<std::string> list() override {
    std::vector<std::string> names;
    auto all = list_dir_at(dir(), ".");
    if (!all) return names;
    for (auto& name : *all)
      if (!name.empty() && name[0] >= '0' && name[0] <= '9' && exists_at(dir(), name + "/cgroup.procs"))
        names.push_back(name);
    return names;
  }

  Result<std::vector<UniqueFd>> join_descriptors(const std::string& name) override {
    std::vector<UniqueFd> one;
    SB_TRY(auto fd, open_at(dir(), name + "/cgroup.procs", O_WRONLY));
    one.push_back(std::move(fd));
    return one;
  }
  Result<UniqueFd> toolboxes_join_descriptor() override {
    if (!separate_toolboxes_) return UniqueFd();
    return open_at(dir(), std::string(kToolboxes) + "/cgroup.procs", O_WRONLY);
  }
  Result<UniqueFd> users_join_descriptor(const std::string& name) override {
    if (!separate_toolboxes_) return UniqueFd();
    return open_at(dir(), name + "/cgroup.procs", O_WRONLY);
  }
  Result<UniqueFd> memory_directory(const std::string& name) override {
    return open_at(dir(), name, O_RDONLY | O_DIRECTORY);
  }

  Result<void> set_memory(const std::string& name, std::uint64_t bytes) override {
    return write_at(dir(), name + "/memory.max", std::to_string(bytes));
  }
  Result<void> set_cpus(const std::string& name, double cpus) override {
    if (!has_cpu_) return {};
    auto quota = std::max<long>(1000, std::lround(cpus * kPeriodMicroseconds));
    return write_at(dir(), name + "/cpu.max", std::to_string(quota) + " " + std::to_string(kPeriodMicroseconds));
  }
  Result<void> set_cpuset(const std::string& name, const std::string& list) override {
    if (!has_cpuset_) return {};
    return write_at(dir(), name + "/cpuset.cpus", list);
  }
  Result<void> set_pids(const std::string& name, std::uint32_t max) override {
    return write_at(dir(), name + "/pids.max", std::to_string(max));
  }
  Result<void> freeze(const std::string& name, bool frozen) override {
    return write_at(dir(), name + "/cgroup.freeze", frozen ? "1" : "0");
  }

  bool is_frozen(const std::string& name) override {
    auto state = read_at(dir(), name + "/cgroup.freeze", 64);
    return state && state->starts_with("1");
  }

  Result<CgroupUsage> usage(const std::string& name) override {
    CgroupUsage usage;
    SB_TRY(auto now, read_at(dir(), name + "/memory.current", 64));
    usage.memory_bytes = number_of(now);
    usage.memory_peak_bytes = number_of(read_at(dir(), name + "/memory.peak", 64));  // 5.19
    usage.memory_limit_bytes = number_of(read_at(dir(), name + "/memory.max", 64));
    usage.pids = number_of(read_at(dir(), name + "/pids.current", 64));
    usage.cpu_nanoseconds = field(read_at(dir(), name + "/cpu.stat", 4096), "usage_usec") * 1000;
    usage.oom_kills = field(read_at(dir(), name + "/memory.events", 4096), "oom_kill");
    return usage;
  }

  Result<std::vector<pid_t>> processes(const std::string& name) override {
    SB_TRY(auto text, read_at(dir(), name + "/cgroup.procs", 4 << 20));
    std::vector<pid_t> pids;
    for (auto line : split(text, '\n'))
      if (auto pid = parse_integer(line)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
  }

  std::vector<pid_t> toolboxes() override {
    std::vector<pid_t> pids;
    auto text = read_at(dir(), std::string(kToolboxes) + "/cgroup.procs", 4 << 20);
    for (auto line : split(text ? std::string_view(*text) : std::string_view(), '\n'))
      if (auto pid = parse_integer(line)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
  }

  std::vector<int> cpus() override {
    auto text = read_at(dir(), "cpuset.cpus.effective");
    if (!text) text = read_at(AT_FDCWD, "/sys/devices/system/cpu/online");
    return parse_cpu_list(text ? *text : "0");
  }

  void remove_tree() override {
    (void)remove_dir_at(dir(), kToolboxes);
    ::rmdir((mount_ + "/" + tree_).c_str());
  }

 private:
  int dir() const { return directory_.get(); }
  bool favor_dynamic_modifications();

  std::string mount_;
  std::string tree_;
  UniqueFd directory_;
  bool has_cpu_ = false;
  bool has_cpuset_ = false;
  bool separate_toolboxes_ = false;
};

// A property of the whole hierarchy, changed by a remount; the options that it has must be said again or are lost.
bool CgroupV2::favor_dynamic_modifications() {
  auto mounts = read_at(AT_FDCWD, "/proc/self/mounts", 4 << 20);
  std::string kept;
  for (auto line : split(mounts ? std::string_view(*mounts) : std::string_view(), '\n')) {
    auto fields = split(line, ' ');
    if (fields.size() < 4 || fields[1] != mount_ || fields[2] != "cgroup2") continue;
    kept.clear();
    for (auto option : split(fields[3], ',')) {
      if (option == "favordynmods") return true;
      if (option == "nsdelegate" || option.starts_with("memory_") || option.starts_with("pids_"))
        kept += std::string(option) + ",";
    }
  }
  return ::mount(nullptr, mount_.c_str(), nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 (kept + "favordynmods").c_str()) == 0;
}

Result<void> CgroupV2::prepare() {
  for (auto controller : {"cpu", "cpuset", "memory", "pids", "io"}) {
    std::string word = std::string("+") + controller;
    (void)write_at(AT_FDCWD, mount_ + "/cgroup.subtree_control", word);
    bool on = write_at(dir(), "cgroup.subtree_control", word).has_value();
    std::string_view name = controller;
    if (name == "cpu") has_cpu_ = on;
    if (name == "cpuset") has_cpuset_ = on;
    if (!on && (name == "memory" || name == "pids"))
      return fail(Errc::unavailable, "cannot control " + std::string(name) + " in " + mount_ + "/" + tree_);
  }
  separate_toolboxes_ = favor_dynamic_modifications();
  if (separate_toolboxes_) SB_CHECK(make_dir_at(dir(), kToolboxes, 0755));
  return {};
}

}  // namespace

Result<std::unique_ptr<CgroupTree>> open_cgroup_v2(const std::string& mount, const std::string& tree) {
  SB_CHECK(make_dir_at(AT_FDCWD, mount + "/" + tree, 0755));
  SB_TRY(auto directory, open_dir(mount + "/" + tree));
  auto cgroups = std::make_unique<CgroupV2>(mount, tree, std::move(directory));
  SB_CHECK(cgroups->prepare());
  return std::unique_ptr<CgroupTree>(std::move(cgroups));
}

}  // namespace sebring::os
