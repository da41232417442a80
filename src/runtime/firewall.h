#pragma once
// What sandboxes may reach: one nftables table "inet sebring_<instance>" (dashes become underscores), its rules keyed
// on the host side of each sandbox's link. Loaded whole in one transaction when the runner starts, so that a restart
// opens no gap; then only elements and the chains of allow lists change.
#include <memory>
#include <string>
#include <vector>

#include "os/nft.h"
#include "runtime/lease.h"

namespace sebring::runtime {

struct NetworkPolicy {
  bool block_all = false;
  std::vector<os::Cidr> allow;  // non-empty: these and nothing else, never what is private
  bool is_default() const { return !block_all && allow.empty(); }
};

class Firewall {
 public:
  // `dns`: addresses that sandboxes may ask on port 53 although they may be private.
  // `network`: first address of the /16 that sandboxes have theirs in.
  static Result<std::unique_ptr<Firewall>> load(const std::string& instance, std::uint32_t network,
                                                const std::vector<std::uint32_t>& dns);

  // One per thread: netlink sockets are not shared.
  static Result<os::Netlink> open_netlink() { return os::Netlink::open(12 /* NETLINK_NETFILTER */); }

  // Before the link is there, and after it has gone.
  Result<void> add(os::Netlink& netfilter, Index index) const;
  void remove(os::Netlink& netfilter, Index index) const;
  // Takes effect at once, for connections that exist too.
  Result<void> set_policy(os::Netlink& netfilter, Index index, const NetworkPolicy& before,
                          const NetworkPolicy& after) const;
  // Indices that have elements in the table; from a restart before.
  std::vector<Index> members() const;
  // Deletes the table.
  void unload() const;
  const std::string& table() const { return table_; }

 private:
  Firewall(std::string table, std::uint32_t network) : table_(std::move(table)), network_(network) {}
  std::string table_;
  std::uint32_t network_;
};

// The text for nft. `counted`: with limits on new connections, which need kernel parts that some lack.
std::string firewall_text(const std::string& table, std::uint32_t network, const std::vector<std::uint32_t>& dns,
                          bool counted);

}  // namespace sebring::runtime
