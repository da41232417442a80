#include "runtime/firewall.h"

#include <fcntl.h>
#include <linux/netfilter.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "os/file.h"
#include "os/link.h"
#include "os/program.h"

namespace sebring::runtime {
namespace {

// Nobody's business of a sandbox: this network, private, shared (all sandboxes have theirs there), loopback, link-local
// with its metadata services, protocol assignments, benchmarks, multicast, reserved.
constexpr char kNever[] =
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.168.0.0/16, "
    "198.18.0.0/15, 224.0.0.0/4, 240.0.0.0/4";

// Indices that are let in by one change of the table; divides a chunk of leases.
constexpr Index kTogether = 64;
static_assert(kChunk % kTogether == 0);

std::string chain_of(Index index) { return "box_" + std::to_string(index); }

std::string table_of(const std::string& instance) {
  std::string table = "sebring_" + instance;
  std::replace(table.begin(), table.end(), '-', '_');
  return table;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

// "add" of chains and sets that exist changes nothing, and their elements stay; static chains are flushed and filled in
// the same transaction. Chains of allow lists are left alone: an empty one would let everything pass.
constexpr char kText[] = R"(
add table inet TABLE
add set inet TABLE boxes { type ifname; }
add set inet TABLE source { type ifname . ipv4_addr; }
add set inet TABLE blocked { type ifname; }
add set inet TABLE strict { type ifname; }
add set inet TABLE linked { type ifname . ifname; }
add map inet TABLE listed { type ifname : verdict; }
add set inet TABLE dns { type ipv4_addr; }
add set inet TABLE never { type ipv4_addr; flags interval; }
COUNTER_SETS
add chain inet TABLE prerouting { type filter hook prerouting priority raw; policy accept; }
add chain inet TABLE input { type filter hook input priority filter; policy accept; }
add chain inet TABLE forward { type filter hook forward priority filter; policy accept; }
add chain inet TABLE postrouting { type nat hook postrouting priority srcnat; policy accept; }
add chain inet TABLE from_box
add chain inet TABLE to_host
add chain inet TABLE outbound
add chain inet TABLE to_linked
add chain inet TABLE inbound
flush chain inet TABLE prerouting
flush chain inet TABLE input
flush chain inet TABLE forward
flush chain inet TABLE postrouting
flush chain inet TABLE from_box
flush chain inet TABLE to_host
flush chain inet TABLE outbound
flush chain inet TABLE to_linked
flush chain inet TABLE inbound
flush set inet TABLE dns
flush set inet TABLE never
add element inet TABLE never { NEVER }
DNS_ELEMENTS
add rule inet TABLE prerouting iifname @boxes jump from_box
add rule inet TABLE from_box meta nfproto != ipv4 drop
add rule inet TABLE from_box iifname . ip saddr != @source drop
add rule inet TABLE input iifname @boxes jump to_host
add rule inet TABLE to_host iifname @strict drop
add rule inet TABLE to_host ip daddr @dns udp dport 53 accept
add rule inet TABLE to_host ip daddr @dns tcp dport 53 accept
add rule inet TABLE to_host drop
add rule inet TABLE forward iifname @boxes jump outbound
add rule inet TABLE forward oifname @boxes jump inbound
add rule inet TABLE outbound iifname . oifname @linked goto to_linked
LINKED_COUNTER_RULES
add rule inet TABLE to_linked accept
add rule inet TABLE outbound iifname @blocked drop
COUNTER_RULES
add rule inet TABLE outbound iifname vmap @listed
add rule inet TABLE outbound ip daddr @dns udp dport 53 accept
add rule inet TABLE outbound ip daddr @dns tcp dport 53 accept
add rule inet TABLE outbound ip daddr @never drop
add rule inet TABLE inbound ct state established,related accept
add rule inet TABLE inbound drop
add rule inet TABLE postrouting iifname @boxes iifname . oifname @linked accept
add rule inet TABLE postrouting iifname @boxes masquerade
)";

constexpr char kCounterSets[] = R"(
add set inet TABLE new_rate { type ifname; size 65536; flags dynamic; }
add set inet TABLE open_count { type ifname; size 65536; flags dynamic; }
)";
// Bounds what one sandbox can do to the host's table of connections.
constexpr char kCounterRules[] = R"(
add rule inet TABLE CHAIN ct state new update @new_rate { iifname limit rate over 1000/second burst 4000 packets } drop
add rule inet TABLE CHAIN ct state new add @open_count { iifname ct count over 8192 } drop
)";

// A sandbox may ask who has the gateway's address, and nothing else of the host: by ARP it would learn its others.
constexpr char kArp[] = R"(
add table arp TABLE
add set arp TABLE boxes { type ifname; }
add chain arp TABLE input { type filter hook input priority filter; policy accept; }
flush chain arp TABLE input
add rule arp TABLE input iifname @boxes arp operation request arp daddr ip != GATEWAY drop
)";

}  // namespace

std::string firewall_text(const std::string& table, std::uint32_t network, const std::vector<std::uint32_t>& dns,
                          bool counted) {
  std::string text = kText, elements;
  for (auto address : dns) elements += (elements.empty() ? "" : ", ") + os::address_text(address);
  replace_all(text, "COUNTER_SETS", counted ? kCounterSets : "");
  auto rules_of = [&](std::string_view chain) {
    std::string rules = counted ? kCounterRules : "";
    replace_all(rules, "CHAIN", chain);
    return rules;
  };
  replace_all(text, "LINKED_COUNTER_RULES", rules_of("to_linked"));
  replace_all(text, "COUNTER_RULES", rules_of("outbound"));
  // One that lies in the list already would overlap with it.
  bool listed = network >> 24 == 10 || network >> 22 == (100u << 2 | 1) || network >> 20 == (172u << 4 | 1) ||
                network >> 16 == (192u << 8 | 168);
  replace_all(text, "NEVER", listed ? std::string(kNever) : kNever + (", " + os::address_text(network)) + "/16");
  replace_all(text, "DNS_ELEMENTS", elements.empty() ? "" : "add element inet TABLE dns { " + elements + " }");
  replace_all(text, "TABLE", table);
  return text;
}

Result<std::unique_ptr<Firewall>> Firewall::load(const std::string& instance, std::uint32_t network,
                                                 const std::vector<std::uint32_t>& dns) {
  std::string table = table_of(instance);
  auto loaded = os::run_program_checked({"nft", "-f", "-"}, firewall_text(table, network, dns, true));
  if (!loaded) loaded = os::run_program_checked({"nft", "-f", "-"}, firewall_text(table, network, dns, false));
  if (!loaded) return std::unexpected(std::move(loaded).error().while_doing("load the firewall"));
  std::string arp = kArp;
  replace_all(arp, "TABLE", table);
  replace_all(arp, "GATEWAY", os::address_text(gateway_of(network)));
  // Without arp tables in this kernel the host's other addresses can be guessed; nothing answers on them.
  bool with_arp = os::run_program_checked({"nft", "-f", "-"}, arp).has_value();
  SB_CHECK(os::write_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1"));
  return std::unique_ptr<Firewall>(new Firewall(std::move(table), network, with_arp));
}

void Firewall::add_elements(os::NftBatch& batch, Index index) const {
  std::string link = link_of(index);
  batch.set_family(NFPROTO_INET);
  batch.add_element("boxes", os::NftBatch::interface_key(link));
  batch.add_element("source", os::NftBatch::interface_address_key(link, address_of(network_, index)));
  if (!with_arp_) return;
  batch.set_family(NFPROTO_ARP);
  batch.add_element("boxes", os::NftBatch::interface_key(link));
}

Result<void> Firewall::add(os::Netlink& netfilter, Index index) {
  std::lock_guard lock(mutex_);
  if (let_in_.contains(index)) return {};
  const Index first = index / kTogether * kTogether;
  os::NftBatch batch(netfilter, table_);
  for (Index each = first; each < first + kTogether; ++each) add_elements(batch, each);
  SB_CHECK(batch.commit("let " + link_of(index) + " into the firewall"));
  for (Index each = first; each < first + kTogether; ++each) let_in_.insert(each);
  return {};
}

// Each element in a batch of its own: one that is missing would undo the others. A batch that fails waits for all
// processors while nobody can change links or tables, so this is only for what may be there.
void Firewall::remove(os::Netlink& netfilter, Index index) {
  remove_links(netfilter, index);
  {
    std::lock_guard lock(mutex_);
    if (with_policy_.erase(index) == 0) return;
  }
  auto key = os::NftBatch::interface_key(link_of(index));
  for (auto set : {"listed", "strict", "blocked"}) {
    os::NftBatch batch(netfilter, table_);
    batch.delete_element(set, key);
    (void)batch.commit("");
  }
  os::NftBatch chain(netfilter, table_);
  chain.flush_chain(chain_of(index));
  chain.delete_chain(chain_of(index));
  (void)chain.commit("");
}

void Firewall::add_link(os::NftBatch& batch, Index one, Index other) const {
  batch.add_element("linked", os::NftBatch::interface_pair_key(link_of(one), link_of(other)));
  batch.add_element("linked", os::NftBatch::interface_pair_key(link_of(other), link_of(one)));
}

Result<void> Firewall::link(os::Netlink& netfilter, Index index, const std::set<Index>& peers) {
  std::lock_guard lock(mutex_);
  os::NftBatch batch(netfilter, table_);
  std::set<Index> fresh;
  for (Index peer : peers)
    if (peer != index && !links_[index].contains(peer)) fresh.insert(peer);
  if (fresh.empty()) return {};
  for (Index peer : fresh) add_link(batch, index, peer);
  SB_CHECK(batch.commit("link " + link_of(index) + " with others"));
  for (Index peer : fresh) {
    links_[index].insert(peer);
    links_[peer].insert(index);
  }
  return {};
}

// In one batch: all of it is known to be in the table.
void Firewall::remove_links(os::Netlink& netfilter, Index index) {
  std::lock_guard lock(mutex_);
  auto found = links_.find(index);
  if (found == links_.end()) return;
  os::NftBatch batch(netfilter, table_);
  for (Index peer : found->second) {
    batch.delete_element("linked", os::NftBatch::interface_pair_key(link_of(index), link_of(peer)));
    batch.delete_element("linked", os::NftBatch::interface_pair_key(link_of(peer), link_of(index)));
  }
  bool any = !found->second.empty();
  for (Index peer : found->second) links_[peer].erase(index);
  links_.erase(found);
  if (any) (void)batch.commit("");
}

Result<void> Firewall::keep_links(os::Netlink& netfilter, const Links& wanted) {
  std::lock_guard lock(mutex_);
  links_.clear();
  Links there = links_in_table();
  os::NftBatch batch(netfilter, table_);
  bool any = false;
  for (const auto& [from, peers] : there)
    for (Index to : peers) {
      auto found = wanted.find(from);
      if (found != wanted.end() && found->second.contains(to)) continue;
      batch.delete_element("linked", os::NftBatch::interface_pair_key(link_of(from), link_of(to)));
      any = true;
    }
  for (const auto& [one, peers] : wanted)
    for (Index other : peers) {
      if (there[one].contains(other) && there[other].contains(one)) continue;
      add_link(batch, one, other);
      any = true;
    }
  if (any) SB_CHECK(batch.commit("link sandboxes of an earlier life"));
  links_ = wanted;
  return {};
}

// As `nft` lists it: { "sb5" . "sb7", ... }
Firewall::Links Firewall::links_in_table() const {
  Links links;
  auto text = os::run_program_checked({"nft", "list", "set", "inet", table_, "linked"});
  if (!text) return links;
  std::vector<Index> ends;
  for (auto at = text->find("\"sb"); at != std::string::npos; at = text->find("\"sb", at + 3)) {
    auto end = text->find('"', at + 3);
    if (end == std::string::npos) break;
    auto number = parse_integer(std::string_view(*text).substr(at + 3, end - at - 3));
    ends.push_back(number && *number > 0 ? static_cast<Index>(*number) : 0);
  }
  for (std::size_t i = 0; i + 1 < ends.size(); i += 2) links[ends[i]].insert(ends[i + 1]);
  return links;
}

void Firewall::delete_elements(os::Netlink& netfilter, Index index) const {
  const auto link = os::NftBatch::interface_key(link_of(index));
  auto delete_one = [&](std::uint8_t family, const char* set, const std::vector<char>& key) {
    os::NftBatch batch(netfilter, table_);
    batch.set_family(family);
    batch.delete_element(set, key);
    (void)batch.commit("");
  };
  delete_one(NFPROTO_INET, "boxes", link);
  delete_one(NFPROTO_INET, "source", os::NftBatch::interface_address_key(link_of(index), address_of(network_, index)));
  if (with_arp_) delete_one(NFPROTO_ARP, "boxes", link);
}

void Firewall::keep_only(os::Netlink& netfilter, const std::function<bool(Index)>& is_ours) {
  std::unique_lock lock(mutex_);
  let_in_.clear();
  with_policy_ = members_of("inet", "strict");
  for (Index index : std::set<Index>(with_policy_)) {
    if (is_ours(index)) continue;
    lock.unlock();
    remove(netfilter, index);
    lock.lock();
  }
  std::set<Index> arp = members_of("arp", "boxes");
  for (Index index : members_of("inet", "boxes")) {
    if (!is_ours(index))
      delete_elements(netfilter, index);
    else if (!with_arp_ || arp.contains(index))
      let_in_.insert(index);
  }
}

Result<void> Firewall::set_policy(os::Netlink& netfilter, Index index, const NetworkPolicy& before,
                                  const NetworkPolicy& after) {
  std::string link = link_of(index), chain = chain_of(index);
  auto key = os::NftBatch::interface_key(link);
  os::NftBatch batch(netfilter, table_);
  bool listed = !after.block_all && !after.allow.empty(), was_listed = !before.block_all && !before.allow.empty();
  if (!after.is_default()) batch.add_element("strict", key);
  if (after.block_all) batch.add_element("blocked", key);
  if (listed) {
    batch.add_chain(chain);
    batch.flush_chain(chain);
    batch.add_destination_set_rule(chain, "never", NF_DROP);
    for (auto& cidr : after.allow) batch.add_destination_rule(chain, cidr, NF_ACCEPT);
    batch.add_verdict_rule(chain, NF_DROP);
    if (!was_listed) batch.add_goto("listed", key, chain);
  }
  if (was_listed && !listed) {
    batch.delete_element("listed", key);
    batch.flush_chain(chain);
    batch.delete_chain(chain);
  }
  if (before.block_all && !after.block_all) batch.delete_element("blocked", key);
  if (!before.is_default() && after.is_default()) batch.delete_element("strict", key);
  std::lock_guard lock(mutex_);
  if (!after.is_default()) with_policy_.insert(index);
  return batch.commit("set the network policy of " + link);
}

std::set<Index> Firewall::members_of(const std::string& family, const std::string& table, const std::string& set) {
  std::set<Index> indices;
  auto text = os::run_program_checked({"nft", "list", "set", family, table, set});
  if (!text) return indices;
  for (auto at = text->find("\"sb"); at != std::string::npos; at = text->find("\"sb", at + 3)) {
    auto end = text->find('"', at + 3);
    if (end == std::string::npos) break;
    if (auto number = parse_integer(std::string_view(*text).substr(at + 3, end - at - 3)); number && *number > 0)
      indices.insert(static_cast<Index>(*number));
  }
  return indices;
}

void Firewall::forget(const std::string& instance, Index first, Index count) {
  const std::string table = table_of(instance);
  for (const char* family : {"inet", "arp"}) {
    std::string links;
    for (Index index : members_of(family, table, "boxes"))
      if (index >= first && index - first < count) links += (links.empty() ? "" : ", ") + link_of(index);
    if (!links.empty())
      (void)os::run_program(
          {"nft", "delete element " + std::string(family) + " " + table + " boxes { " + links + " }"});
  }
}

void Firewall::unload() const {
  (void)os::run_program({"nft", "delete", "table", "inet", table_});
  (void)os::run_program({"nft", "delete", "table", "arp", table_});
}

}  // namespace sebring::runtime
