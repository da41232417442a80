#include "runtime/host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"
#include "base/text.h"
#include "os/file.h"
#include "os/link.h"
#include "os/sealed_file.h"

namespace sebring::runtime {
namespace {

std::optional<std::uint32_t> parse_address(std::string_view text) {
  in_addr address;
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::vector<std::uint32_t> servers_of(const std::string& path) {
  std::vector<std::uint32_t> servers;
  auto text = os::read_at(AT_FDCWD, path);
  for (auto line : split(text ? std::string_view(*text) : std::string_view(), '\n')) {
    line = trim(line);
    if (!line.starts_with("nameserver")) continue;
    auto address = parse_address(trim(line.substr(10)));
    if (address && *address >> 24 != 127 && *address != 0) servers.push_back(*address);
  }
  return servers;
}

// Before an image is known: what every new disk holds. The host's name is filled in when the sandbox has one.
std::vector<image::FirstFile> first_files(const std::string& resolv_conf) {
  return {{"etc/hosts", "127.0.0.1\tlocalhost\n"}, {"etc/hostname", "sandbox\n"}, {"etc/resolv.conf", resolv_conf}};
}

}  // namespace

std::vector<std::uint32_t> choose_name_servers(const std::vector<std::string>& wanted) {
  std::vector<std::uint32_t> servers;
  for (const auto& text : wanted)
    if (auto address = parse_address(text)) servers.push_back(*address);
  // A stub resolver on loopback knows its upstream servers in the second file.
  if (servers.empty()) servers = servers_of("/etc/resolv.conf");
  if (servers.empty()) servers = servers_of("/run/systemd/resolve/resolv.conf");
  if (servers.empty()) servers = {0x01010101, 0x08080808};
  if (servers.size() > 3) servers.resize(3);  // as many as libc reads
  return servers;
}

std::string Host::new_upper_name() { return "u-" + random_hex(8); }

Result<int> Host::take_parking() {
  const std::size_t mine = parkings_taken_++;
  if (mine >= parkings_.size()) return fail(Errc::exhausted, "too many makers of slots");
  return parkings_[mine].get();
}

Result<std::unique_ptr<Host>> Host::open(HostConfig config) {
  std::unique_ptr<Host> host(new Host(std::move(config)));
  const HostConfig& settings = host->config_;
  host->abilities_ = os::probe_abilities();
  host->boot_id_ = os::boot_id();
  SB_CHECK(os::make_dirs(settings.run_dir + "/sb", 0755));
  std::string sockets = settings.run_dir + "/sb";
  if (::chown(sockets.c_str(), 0, settings.control_gid) < 0 || ::chmod(sockets.c_str(), 0750) < 0)
    return fail_errno(errno, "set the owner of " + sockets);
  SB_TRY(auto templates, Templates::make(settings.run_dir + "/m"));
  host->templates_.emplace(std::move(templates));
  SB_TRY(host->toolbox_, os::sealed_copy(settings.toolbox));
  if (!settings.toolbox_git.empty()) {
    SB_TRY(host->toolbox_git_, os::sealed_copy(settings.toolbox_git));
  }
  SB_TRY(host->null_, os::open_at(AT_FDCWD, "/dev/null", O_RDWR));
  int high = ::fcntl(host->null_.get(), F_DUPFD_CLOEXEC, 100);
  if (high < 0) return fail_errno(errno, "duplicate a descriptor");
  host->null_.reset(high);
  for (auto& parking : host->parkings_) {
    parking.reset(::fcntl(high, F_DUPFD_CLOEXEC, 100));
    if (!parking) return fail_errno(errno, "duplicate a descriptor");
  }
  SB_TRY(auto filter, SystemCallFilter::compile());
  host->filter_.emplace(std::move(filter));
  SB_TRY(host->cgroups_, os::open_cgroup_tree(settings.instance));
  host->cpus_.emplace(host->cgroups_->cpus());
  SB_TRY(auto leases, Leases::open(settings.lease_dir, {settings.data_dir, settings.instance, host->boot_id_}));
  host->leases_.emplace(std::move(leases));
  host->leases_->when_taken_over(
      [](const std::string& instance, Index first) { Firewall::forget(instance, first, kChunk); });
  SB_TRY(auto own_files, OwnFiles::open(settings.run_dir + "/own"));
  host->own_files_.emplace(std::move(own_files));
  SB_CHECK(host->open_network());
  SB_TRY(host->pool_, image::Pool::open({.directory = settings.pool_dir,
                                         .mount_point = host->templates_->pool_place(),
                                         .instance = settings.instance,
                                         .size_bytes = settings.pool_bytes,
                                         .allow_loop = settings.allow_loop}));
  SB_CHECK(host->pool_->set_first_files(first_files(host->resolv_conf_)));
  return host;
}

Result<void> Host::open_network() {
  auto servers = choose_name_servers(config_.dns);
  for (auto address : servers) resolv_conf_ += "nameserver " + os::address_text(address) + "\n";
  if (!config_.network) {
    network_complaint_ = "switched off";
    return {};
  }
  auto firewall = Firewall::load(config_.instance, config_.network_base, servers);
  if (firewall)
    firewall_ = std::move(*firewall);
  else
    network_complaint_ = firewall.error().message();
  if (auto route = os::default_route()) mtu_ = std::min<std::uint32_t>(1500, route->mtu);
  return {};
}

Result<Host::Wires> Host::open_wires() const {
  Wires wires;
  if (!firewall_) return wires;
  SB_TRY(auto route, os::Netlink::open(0 /* NETLINK_ROUTE */));
  wires.route.emplace(std::move(route));
  SB_TRY(auto netfilter, Firewall::open_netlink());
  wires.netfilter.emplace(std::move(netfilter));
  return wires;
}

}  // namespace sebring::runtime
