#pragma once
// nf_tables over raw netlink: what changes while sandboxes come and go. The table itself is loaded once as text. An
// element costs microseconds at any size of the set; libnftables reads whole sets back.
#include <cstdint>
#include <string>
#include <vector>

#include "os/netlink.h"

namespace sebring::os {

struct Cidr {
  std::uint32_t address = 0;  // host byte order
  int prefix = 32;
};
// "10.0.0.0/8" or a plain address. Bits behind the prefix must be zero or are cleared.
Result<Cidr> parse_cidr(std::string_view text);

// Changes of tables of one name, in family inet unless said otherwise; all of them take effect at commit(), or none.
class NftBatch {
 public:
  NftBatch(Netlink& netfilter, std::string table);

  // Of the changes that follow: NFPROTO_INET, NFPROTO_ARP.
  void set_family(std::uint8_t family) { family_ = family; }

  // Keys: an interface's name, or name and IPv4 address concatenated, or two names.
  static std::vector<char> interface_key(const std::string& name);
  static std::vector<char> interface_address_key(const std::string& name, std::uint32_t address);
  static std::vector<char> interface_pair_key(const std::string& from, const std::string& to);

  void add_element(const std::string& set, const std::vector<char>& key);
  void delete_element(const std::string& set, const std::vector<char>& key);
  // In a verdict map: packets with this key go to `chain` and do not come back.
  void add_goto(const std::string& map, const std::vector<char>& key, const std::string& chain);
  void add_chain(const std::string& chain);
  void flush_chain(const std::string& chain);
  void delete_chain(const std::string& chain);
  // Rule: packets to `destination` get the verdict (NF_ACCEPT, NF_DROP).
  void add_destination_rule(const std::string& chain, Cidr destination, std::uint32_t verdict);
  // Rule: packets to a member of the set `set` (IPv4 addresses) get the verdict.
  void add_destination_set_rule(const std::string& chain, const std::string& set, std::uint32_t verdict);
  void add_verdict_rule(const std::string& chain, std::uint32_t verdict);

  Result<void> commit(const std::string& doing);

 private:
  void message(int type, int flags);
  void begin_rule(const std::string& chain);
  void end_rule();
  std::size_t begin_expression(const char* name);
  void end_expression(std::size_t outer);
  void load_destination();
  void immediate_verdict(std::uint32_t verdict);
  void element(int type, int flags, const std::string& set, const std::vector<char>& key, const std::string* chain);

  Netlink& netlink_;
  std::string table_;
  std::uint8_t family_;
  std::size_t rule_ = 0;
  std::size_t inner_ = 0;
};

}  // namespace sebring::os
