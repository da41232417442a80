#include "runtime/limits.h"

#include "os/cgroup.h"

namespace sebring::runtime {

Result<void> apply_limits(Host& host, Index index, const Limits& limits) {
  std::string name = name_of(index);
  SB_CHECK(host.cgroups().set_memory(name, limits.memory_bytes));
  SB_CHECK(host.cgroups().set_cpus(name, limits.cpus));
  SB_CHECK(host.cgroups().set_pids(name, limits.pids_max));
  auto chosen = host.cpus().choose(index, limits.cpus);
  SB_CHECK(host.cgroups().set_cpuset(name, os::cpu_list_text(chosen)));
  return host.own_files().fill(index, limits.memory_bytes, static_cast<int>(chosen.size()));
}

}  // namespace sebring::runtime
