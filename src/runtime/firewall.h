#pragma once
// What sandboxes may reach: one nftables table "inet sebring_<instance>" (dashes become underscores), its rules keyed
// on the host side of each sandbox's link. Loaded whole in one transaction when the runner starts, so that a restart
// opens no gap; then only elements and the chains of allow lists change.
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
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

  // Before its link is there. Names and addresses follow from the index, so what is let in stays for its next owner,
  // and comes in groups: a change of the table is what delays the making of links.
  Result<void> add(os::Netlink& netfilter, Index index);
  // After its link has gone: ends its policy, and who could reach it.
  void remove(os::Netlink& netfilter, Index index);
  // Takes out what an earlier life let in and does not hold now: other instances may use these links.
  void keep_only(os::Netlink& netfilter, const std::function<bool(Index)>& is_ours);
  // Takes effect at once, for connections that exist too.
  Result<void> set_policy(os::Netlink& netfilter, Index index, const NetworkPolicy& before, const NetworkPolicy& after);
  // Lets `index` and each of `peers` reach each other, whatever their policies say of everybody else. All of them must
  // be in use: remove() of either ends it, so a link made later would be the next owner's.
  Result<void> link(os::Netlink& netfilter, Index index, const std::set<Index>& peers);
  // After keep_only(): of the links that an earlier life made, those of `wanted` (both ways) stay, the others go, and
  // what is missing is made.
  using Links = std::map<Index, std::set<Index>>;
  Result<void> keep_links(os::Netlink& netfilter, const Links& wanted);
  // Takes `count` links from `first` on out of the table of an instance that is dead: somebody else has them now, whose
  // packets it would judge. For all that it decides a link must be among its boxes.
  static void forget(const std::string& instance, Index first, Index count);
  // Deletes the table.
  void unload() const;
  const std::string& table() const { return table_; }

 private:
  Firewall(std::string table, std::uint32_t network, bool with_arp)
      : table_(std::move(table)), network_(network), with_arp_(with_arp) {}
  void add_elements(os::NftBatch& batch, Index index) const;
  void delete_elements(os::Netlink& netfilter, Index index) const;
  void add_link(os::NftBatch& batch, Index one, Index other) const;
  void remove_links(os::Netlink& netfilter, Index index);
  Links links_in_table() const;
  // Indices of the links in a set of the table, as `nft` lists it.
  std::set<Index> members_of(const std::string& family, const std::string& set) const {
    return members_of(family, table_, set);
  }
  static std::set<Index> members_of(const std::string& family, const std::string& table, const std::string& set);

  std::string table_;
  std::uint32_t network_;
  bool with_arp_;
  std::mutex mutex_;
  std::set<Index> let_in_;
  std::set<Index> with_policy_;  // not the default one
  Links links_;                  // each pair under both
};

// The text for nft. `counted`: with limits on new connections, which need kernel parts that some lack.
std::string firewall_text(const std::string& table, std::uint32_t network, const std::vector<std::uint32_t>& dns,
                          bool counted);

}  // namespace sebring::runtime
