// Programs and files that the server starts or reads, and the port that it wants.
#include <linux/magic.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>

#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/doctor.h"

namespace sebring::cli {
namespace {

std::string in_path(std::string_view program) {
  for (std::string_view folder : {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
    std::string path = std::string(folder) + "/" + std::string(program);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

Finding program(std::string_view name, std::string_view package, Severity without, std::string_view cost) {
  const std::string path = in_path(name);
  Finding out{"programs", std::string(name), Severity::good, path, "", ""};
  if (!path.empty()) return out;
  out.severity = without;
  out.found = "not installed";
  out.cost = cost;
  out.mend = "apt-get install " + std::string(package);
  return out;
}

// Needed once, to make the loop file; nothing to make where the pool lies on btrfs.
Finding pool_maker(const config::Config& config) {
  const std::string place = config.pool_dir.empty() ? config.data_dir + "/pool" : config.pool_dir;
  Finding out = program("mkfs.btrfs", "btrfs-progs", Severity::degraded,
                        "the pool becomes plain directories: no hard disk limits, no instant fork and snapshot");
  struct statfs status{};
  const bool on_btrfs = ::statfs(existing_parent(place).c_str(), &status) == 0 && status.f_type == BTRFS_SUPER_MAGIC;
  if (out.severity == Severity::good || (!on_btrfs && ::access((place + "/pool.img").c_str(), F_OK) != 0)) return out;
  return {out.area, out.check, Severity::good, "not installed, not needed: there is a pool", "", ""};
}

Finding beside(const std::string& chosen, std::string_view name, Severity without, std::string_view cost) {
  std::string path = chosen;
  if (path.empty()) {
    char self[4096];
    ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
    std::string_view text(self, size > 0 ? static_cast<std::size_t>(size) : 0);
    path = std::string(text.substr(0, text.rfind('/') + 1)) + std::string(name);
  }
  Finding out{"programs", std::string(name), Severity::good, path, "", ""};
  if (::access(path.c_str(), X_OK) == 0) return out;
  out.severity = without;
  out.found = path + ": " + errno_text(errno);
  out.cost = cost;
  out.mend = "./dev build, or --" + std::string(name).substr(std::string("sebring-").size()) + " PATH";
  return out;
}

Finding snapshot(const config::Config& config) {
  const std::string place = config.images.empty() ? config.data_dir + "/images" : config.images;
  Finding out{"programs", "default snapshot", Severity::good, place, "", ""};
  if (::access((place + "/config.json").c_str(), R_OK) == 0 && ::access((place + "/layer.tar.zst").c_str(), R_OK) == 0)
    return out;
  if (::access((config.data_dir + "/instance").c_str(), F_OK) == 0) {
    out.found = place + " is empty; used only when it has not been imported before";
    return out;
  }
  out.severity = Severity::degraded;
  out.found = "nothing in " + place;
  out.cost = "no snapshot to create sandboxes from";
  out.mend = "snapshots/build default " + place;
  return out;
}

Finding port(const config::Config& config) {
  Finding out{"network", "listen", Severity::good, config.listen + " is free", "", ""};
  auto address = config::parse_address(config.listen);
  boost::system::error_code bad;
  auto ip = address ? boost::asio::ip::make_address(address->host, bad) : boost::asio::ip::address();
  UniqueFd fd(::socket(ip.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!address || bad || !fd || address->port == 0) return out;
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in six_or_four{};
  int result = 0;
  if (ip.is_v6()) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(address->port);
    auto bytes = ip.to_v6().to_bytes();
    std::copy(bytes.begin(), bytes.end(), name.sin6_addr.s6_addr);
    result = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name);
  } else {
    six_or_four.sin_family = AF_INET;
    six_or_four.sin_port = htons(address->port);
    six_or_four.sin_addr.s_addr = htonl(ip.to_v4().to_uint());
    result = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&six_or_four), sizeof six_or_four);
  }
  if (result == 0) return out;
  out.severity = errno == EADDRINUSE ? Severity::advice : Severity::degraded;
  out.found = config.listen + ": " + errno_text(errno);
  out.cost =
      errno == EADDRINUSE ? "in use: by a running sebring, or by another program that must go" : "can not be served";
  out.mend = "ss -ltnp shows who has it; --listen HOST:PORT takes another";
  return out;
}

// Browsers and curl know by themselves that names under localhost are this machine; what asks the C library (Python,
// Node) finds only what the library finds.
Finding preview_names(const config::Config& config) {
  const std::string domain = config.preview_domain.empty() ? "preview.localhost" : config.preview_domain;
  const std::string name = "3000-doctor." + domain.substr(0, domain.find(':'));
  Finding out{"network", "preview names", Severity::good, name + " is known", "", ""};
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(name.c_str(), nullptr, nullptr, &found);
  if (failure == 0) {
    ::freeaddrinfo(found);
    return out;
  }
  out.severity = Severity::advice;
  out.found = name + ": " + ::gai_strerror(failure);
  const bool local = name.ends_with(".localhost");
  out.cost = local ? "preview URLs open in browsers and curl of this machine, not in programs in Python or Node"
                   : "preview URLs lead nowhere";
  out.mend = local ? "apt-get install libnss-myhostname" : "a DNS record *." + domain + " with this machine's address";
  return out;
}

}  // namespace

std::vector<Finding> examine_programs(const config::Config& config) {
  return {
      beside(config.toolbox, "sebring-toolbox", Severity::missing, "nothing can run in a sandbox"),
      beside(config.toolbox_git, "sebring-toolbox-git", Severity::degraded, "git operations of the SDKs fail"),
      snapshot(config),
      pool_maker(config),
      program("nft", "nftables", Severity::degraded, "sandboxes have no network"),
      program("useradd", "passwd", Severity::degraded, "system users must be made by hand before the first start"),
      port(config),
      preview_names(config),
  };
}

}  // namespace sebring::cli
