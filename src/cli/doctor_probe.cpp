// Features that only a try tells. Each runs in a child process, so that nothing of it stays: namespaces go with it.
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/mount.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "base/unique_fd.h"
#include "cli/doctor.h"
#include "os/features.h"
#include "os/program.h"

namespace sebring::cli {
namespace {

// The errno of `attempt` (0: it worked), run in a child.
int in_child(const std::function<int()>& attempt) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(attempt() & 0xff);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int try_namespaces() {
  return ::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
                   CLONE_NEWCGROUP) == 0
             ? 0
             : errno;
}

// A message to the kernel and the errno of its answer.
int talk(int protocol, const void* message, std::size_t size) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return errno;
  if (::send(fd.get(), message, size, 0) < 0) return errno;
  alignas(nlmsghdr) char answer[8192];
  ssize_t got = ::recv(fd.get(), answer, sizeof answer, 0);
  if (got < 0) return errno;
  nlmsghdr head{};
  if (static_cast<std::size_t>(got) < sizeof head) return EPROTO;
  std::memcpy(&head, answer, sizeof head);
  if (head.nlmsg_type != NLMSG_ERROR) return 0;
  nlmsgerr error{};
  if (static_cast<std::size_t>(got) < sizeof head + sizeof error) return EPROTO;
  std::memcpy(&error, answer + sizeof head, sizeof error);
  return -error.error;
}

class Message {
 public:
  void append(const void* data, std::size_t size) {
    std::memcpy(bytes_ + used_, data, size);
    used_ += NLMSG_ALIGN(size);
  }
  std::size_t begin_attribute(unsigned short type) {
    std::size_t at = used_;
    rtattr head{0, type};
    append(&head, sizeof head);
    return at;
  }
  void end_attribute(std::size_t at) {
    auto size = static_cast<unsigned short>(used_ - at);
    std::memcpy(bytes_ + at, &size, sizeof size);
  }
  int send(int protocol) {
    auto size = static_cast<std::uint32_t>(used_);
    std::memcpy(bytes_, &size, sizeof size);
    return talk(protocol, bytes_, used_);
  }

 private:
  alignas(nlmsghdr) char bytes_[512] = {};
  std::size_t used_ = 0;
};

int try_veth() {
  if (::unshare(CLONE_NEWNET) != 0) return errno;
  Message message;
  nlmsghdr head{0, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0};
  ifinfomsg info{};
  message.append(&head, sizeof head);
  message.append(&info, sizeof info);
  std::size_t link = message.begin_attribute(IFLA_LINKINFO);
  std::size_t kind = message.begin_attribute(IFLA_INFO_KIND);
  message.append("veth", 4);
  message.end_attribute(kind);
  message.end_attribute(link);
  return message.send(NETLINK_ROUTE);
}

int try_nftables() {
  if (::unshare(CLONE_NEWNET) != 0) return errno;
  Message message;
  nlmsghdr head{0, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, NLM_F_REQUEST, 1, 0};
  nfgenmsg info{AF_UNSPEC, NFNETLINK_V0, 0};
  message.append(&head, sizeof head);
  message.append(&info, sizeof info);
  return message.send(NETLINK_NETFILTER);
}

// An id-mapped clone of `path`, for a user namespace of a grandchild.
int try_id_mapped(const std::string& path) {
  if (::unshare(CLONE_NEWNS) != 0) return errno;
  int gate[2];
  if (::pipe2(gate, O_CLOEXEC) != 0) return errno;
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) {
    ::close(gate[1]);
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(1);
    char byte;
    // Lives until the parent has its descriptor: read ends when the parent closes.
    while (::read(gate[0], &byte, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }
  int result = EPERM;
  const std::string folder = "/proc/" + std::to_string(child);
  struct stat ours{}, theirs{};
  ::stat("/proc/self/ns/user", &ours);
  for (int i = 0; i < 1000 && (::stat((folder + "/ns/user").c_str(), &theirs) != 0 || theirs.st_ino == ours.st_ino);
       ++i)
    ::usleep(1000);
  auto write_map = [&](const char* name) {
    UniqueFd map(::open((folder + name).c_str(), O_WRONLY | O_CLOEXEC));
    const std::string_view line = "0 100000 65536\n";
    return map && ::write(map.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
  };
  UniqueFd user(::open((folder + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  UniqueFd tree(
      static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree) {
    result = errno;
  } else if (user && write_map("/uid_map") && write_map("/gid_map")) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user.get());
    result =
        ::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0 ? 0 : errno;
  }
  ::close(gate[1]);
  ::waitpid(child, nullptr, 0);
  return result;
}

Finding report(std::string area, std::string check, int result, Severity without, std::string cost, std::string mend) {
  if (result == 0) return {std::move(area), std::move(check), Severity::good, "works", "", ""};
  return {std::move(area), std::move(check), without, errno_text(result), std::move(cost), std::move(mend)};
}

// What the firewall is made of, each in a table of its own in a network namespace of its own.
std::vector<Finding> firewall_parts() {
  struct Part {
    std::string_view name, rules;
    Severity without;
    std::string_view cost, mend;
  } parts[] = {
      {"connection states", "table inet t { chain c { ct state established accept; }; }", Severity::degraded,
       "sandboxes have no network", "modprobe nft_ct"},
      {"masquerading", "table inet t { chain c { type nat hook postrouting priority 100; masquerade; }; }",
       Severity::degraded, "sandboxes have no network", "modprobe -a nft_chain_nat nft_masq"},
      {"connection counts",
       "table inet t { set s { type ifname; size 16; flags dynamic; }; chain c { add @s { iifname ct count over 9 } "
       "drop; }; }",
       Severity::advice, "one sandbox can fill the host's table of connections", "modprobe nft_connlimit"},
      {"ARP rules", "table arp t { chain c { type filter hook input priority 0; arp operation request drop; }; }",
       Severity::advice, "a sandbox can find out by ARP which other addresses the host has",
       "a kernel with CONFIG_NF_TABLES_ARP"},
  };
  std::vector<Finding> out;
  if (os::find_program("nft").empty()) return out;  // said among the programs
  for (const Part& part : parts) {
    const int result = in_child([&] {
      if (::unshare(CLONE_NEWNET) != 0) return errno;
      return os::run_program_checked({"nft", "-f", "-"}, std::string(part.rules) + "\n") ? 0 : EOPNOTSUPP;
    });
    out.push_back(report("network", "nftables: " + std::string(part.name), result, part.without, std::string(part.cost),
                         std::string(part.mend)));
  }
  return out;
}

std::vector<Finding> mount_abilities() {
  const os::Abilities abilities = os::probe_abilities();
  auto said = [](bool there) { return there ? 0 : EOPNOTSUPP; };
  return {report("kernel", "overlay layers by descriptor", said(abilities.layers_by_descriptor), Severity::advice,
                 "images of more than about 50 layers do not start", "install kernel 6.13 or newer"),
          report("kernel", "mounts from detached mounts", said(abilities.detached_sources), Severity::advice,
                 "preparing a sandbox takes two more mount calls", "install kernel 6.15 or newer")};
}

}  // namespace

std::vector<Finding> probe_features(const std::string& data_dir) {
  if (::geteuid() != 0)
    return {{"kernel", "features that must be tried", Severity::advice, "not tried: not root",
             "namespaces, id-mapped mounts, links and nftables were not looked at", "sudo sebring doctor"}};
  std::vector<Finding> out;
  out.push_back(report("kernel", "namespaces", in_child(try_namespaces), Severity::missing,
                       "sandboxes can not be set apart from the host",
                       "a kernel with all namespaces; inside a container, more privileges (it must be privileged)"));
  const std::string place = existing_parent(data_dir);
  out.push_back(report("kernel", "id-mapped mounts of " + place, in_child([&] { return try_id_mapped(place); }),
                       Severity::advice,
                       "this file system can not carry disks of sandboxes by itself; the loop file can",
                       "put the data directory on btrfs, ext4 or xfs of a kernel from 5.15 on"));
  out.push_back(report("network", "veth links", in_child(try_veth), Severity::missing,
                       "sandboxes can not have a network", "modprobe veth"));
  out.push_back(report("network", "nftables", in_child(try_nftables), Severity::degraded, "sandboxes have no network",
                       "modprobe nf_tables"));
  for (Finding& one : firewall_parts()) out.push_back(std::move(one));
  for (Finding& one : mount_abilities()) out.push_back(std::move(one));
  return out;
}

}  // namespace sebring::cli
