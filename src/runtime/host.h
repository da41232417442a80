#pragma once
// What all containers of this runner share. Made once, used by several threads; everything in it is either constant
// after open() or locks for itself.
#include <sys/types.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/pool.h"
#include "os/cgroup.h"
#include "os/features.h"
#include "runtime/cpu_spread.h"
#include "runtime/firewall.h"
#include "runtime/lease.h"
#include "runtime/own_files.h"
#include "runtime/system_calls.h"
#include "runtime/templates.h"

namespace sebring::runtime {

struct HostConfig {
  std::string data_dir;  // absolute; with runner/runner.lock held by the caller
  std::string run_dir;   // on a tmpfs of the host's mount namespace
  std::string pool_dir;
  std::string instance;
  std::string lease_dir = "/run/sebring/leases";
  std::uint64_t pool_bytes = std::uint64_t{64} << 30;
  bool allow_loop = true;
  std::string toolbox;      // executable
  std::string toolbox_git;  // its git helper; empty: none
  bool network = true;
  std::uint32_t network_base = kUsualNetwork;
  std::vector<std::string> dns;                               // empty: the host's own, else public ones
  gid_t control_gid = 0;                                      // owns the sockets
  std::uint64_t default_disk_bytes = std::uint64_t{3} << 30;  // limit of an upper until it is taken
};

class Host {
 public:
  // The process must be in a private mount namespace. Slow the first time: makes the pool.
  static Result<std::unique_ptr<Host>> open(HostConfig config);

  const HostConfig& config() const { return config_; }
  const os::Abilities& abilities() const { return abilities_; }
  image::Pool& pool() { return *pool_; }
  os::CgroupTree& cgroups() { return *cgroups_; }
  Leases& leases() { return *leases_; }
  OwnFiles& own_files() { return *own_files_; }
  CpuSpread& cpus() { return *cpus_; }
  const Templates& templates() const { return *templates_; }
  const SystemCallFilter& filter() const { return *filter_; }
  // nullptr: sandboxes have no network; network_complaint() says why.
  Firewall* firewall() const { return firewall_.get(); }
  const std::string& network_complaint() const { return network_complaint_; }
  int toolbox() const { return toolbox_.get(); }
  // -1 without one.
  int toolbox_git() const { return toolbox_git_.get(); }
  int null() const { return null_.get(); }
  // A descriptor of /dev/null with a low number, for the caller to put others in its place; each is given once, and
  // stays open. Errc::exhausted when there are more callers than were foreseen.
  Result<int> take_parking();
  std::uint32_t mtu() const { return mtu_; }
  const std::string& resolv_conf() const { return resolv_conf_; }
  const std::string& boot_id() const { return boot_id_; }
  std::string socket_path(Index index) const { return config_.run_dir + "/sb/" + name_of(index) + ".sock"; }
  // A name for a new upper, never used before.
  static std::string new_upper_name();
  // Usable by the calling thread for rules and links.
  struct Wires {
    std::optional<os::Netlink> route;
    std::optional<os::Netlink> netfilter;
  };
  Result<Wires> open_wires() const;

 private:
  explicit Host(HostConfig config) : config_(std::move(config)) {}
  Result<void> open_network();

  HostConfig config_;
  os::Abilities abilities_;
  std::string boot_id_;
  std::optional<Templates> templates_;
  std::unique_ptr<image::Pool> pool_;
  std::unique_ptr<os::CgroupTree> cgroups_;
  std::optional<Leases> leases_;
  std::optional<OwnFiles> own_files_;
  std::optional<CpuSpread> cpus_;
  std::optional<SystemCallFilter> filter_;
  std::unique_ptr<Firewall> firewall_;
  std::string network_complaint_;
  UniqueFd toolbox_;
  UniqueFd toolbox_git_;
  UniqueFd null_;
  std::array<UniqueFd, 16> parkings_;
  std::atomic<std::size_t> parkings_taken_ = 0;
  std::uint32_t mtu_ = 1500;
  std::string resolv_conf_;
};

// Name servers for sandboxes: `wanted`, else those of the host that are not its own loopback, else public ones.
std::vector<std::uint32_t> choose_name_servers(const std::vector<std::string>& wanted);

}  // namespace sebring::runtime
