#include "os/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/text.h"

namespace sebring::os {
namespace {

constexpr std::uint16_t kNested = NLA_F_NESTED;
constexpr std::uint32_t kDestinationOffset = 16;  // of daddr in the IPv4 header

nfgenmsg generic(std::uint8_t family) { return {family, NFNETLINK_V0, 0}; }

}  // namespace

Result<Cidr> parse_cidr(std::string_view text) {
  auto bad = [&] { return fail(Errc::invalid_argument, "not an IPv4 network: " + std::string(text)); };
  auto slash = text.find('/');
  in_addr address;
  if (::inet_pton(AF_INET, std::string(text.substr(0, slash)).c_str(), &address) != 1) return bad();
  Cidr cidr{ntohl(address.s_addr), 32};
  if (slash != std::string_view::npos) {
    auto prefix = parse_integer(text.substr(slash + 1));
    if (!prefix || *prefix < 0 || *prefix > 32) return bad();
    cidr.prefix = static_cast<int>(*prefix);
  }
  cidr.address &= cidr.prefix == 0 ? 0 : ~0u << (32 - cidr.prefix);
  return cidr;
}

NftBatch::NftBatch(Netlink& netfilter, std::string table)
    : netlink_(netfilter), table_(std::move(table)), family_(NFPROTO_INET) {
  netlink_.clear();
  nfgenmsg body = generic(AF_UNSPEC);
  body.res_id = htons(NFNL_SUBSYS_NFTABLES);
  netlink_.message(NFNL_MSG_BATCH_BEGIN, 0, body);
}

std::vector<char> NftBatch::interface_key(const std::string& name) {
  std::vector<char> key(IFNAMSIZ, 0);
  name.copy(key.data(), IFNAMSIZ - 1);
  return key;
}

std::vector<char> NftBatch::interface_address_key(const std::string& name, std::uint32_t address) {
  std::vector<char> key = interface_key(name);
  std::uint32_t wire = htonl(address);
  key.insert(key.end(), reinterpret_cast<char*>(&wire), reinterpret_cast<char*>(&wire) + sizeof wire);
  return key;
}

std::vector<char> NftBatch::interface_pair_key(const std::string& from, const std::string& to) {
  std::vector<char> key = interface_key(from), second = interface_key(to);
  key.insert(key.end(), second.begin(), second.end());
  return key;
}

void NftBatch::message(int type, int flags) {
  netlink_.message(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type),
                   static_cast<std::uint16_t>(flags | NLM_F_ACK), generic(family_));
}

void NftBatch::element(int type, int flags, const std::string& set, const std::vector<char>& key,
                       const std::string* chain) {
  message(type, flags);
  netlink_.attribute_text(NFTA_SET_ELEM_LIST_TABLE, table_);
  netlink_.attribute_text(NFTA_SET_ELEM_LIST_SET, set);
  std::size_t list = netlink_.begin_nest(NFTA_SET_ELEM_LIST_ELEMENTS | kNested);
  std::size_t one = netlink_.begin_nest(NFTA_LIST_ELEM | kNested);
  std::size_t name = netlink_.begin_nest(NFTA_SET_ELEM_KEY | kNested);
  netlink_.attribute(NFTA_DATA_VALUE, key.data(), key.size());
  netlink_.end_nest(name);
  if (chain) {
    std::size_t data = netlink_.begin_nest(NFTA_SET_ELEM_DATA | kNested);
    std::size_t verdict = netlink_.begin_nest(NFTA_DATA_VERDICT | kNested);
    netlink_.attribute(NFTA_VERDICT_CODE, htonl(static_cast<std::uint32_t>(NFT_GOTO)));
    netlink_.attribute_text(NFTA_VERDICT_CHAIN, *chain);
    netlink_.end_nest(verdict);
    netlink_.end_nest(data);
  }
  netlink_.end_nest(one);
  netlink_.end_nest(list);
}

void NftBatch::add_element(const std::string& set, const std::vector<char>& key) {
  element(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, key, nullptr);
}
void NftBatch::delete_element(const std::string& set, const std::vector<char>& key) {
  element(NFT_MSG_DELSETELEM, 0, set, key, nullptr);
}
void NftBatch::add_goto(const std::string& map, const std::vector<char>& key, const std::string& chain) {
  element(NFT_MSG_NEWSETELEM, NLM_F_CREATE, map, key, &chain);
}

void NftBatch::add_chain(const std::string& chain) {
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  netlink_.attribute_text(NFTA_CHAIN_TABLE, table_);
  netlink_.attribute_text(NFTA_CHAIN_NAME, chain);
}
void NftBatch::flush_chain(const std::string& chain) {
  message(NFT_MSG_DELRULE, 0);
  netlink_.attribute_text(NFTA_RULE_TABLE, table_);
  netlink_.attribute_text(NFTA_RULE_CHAIN, chain);
}
void NftBatch::delete_chain(const std::string& chain) {
  message(NFT_MSG_DELCHAIN, 0);
  netlink_.attribute_text(NFTA_CHAIN_TABLE, table_);
  netlink_.attribute_text(NFTA_CHAIN_NAME, chain);
}

void NftBatch::begin_rule(const std::string& chain) {
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  netlink_.attribute_text(NFTA_RULE_TABLE, table_);
  netlink_.attribute_text(NFTA_RULE_CHAIN, chain);
  rule_ = netlink_.begin_nest(NFTA_RULE_EXPRESSIONS | kNested);
}
void NftBatch::end_rule() { netlink_.end_nest(rule_); }

std::size_t NftBatch::begin_expression(const char* name) {
  std::size_t outer = netlink_.begin_nest(NFTA_LIST_ELEM | kNested);
  netlink_.attribute_text(NFTA_EXPR_NAME, name);
  inner_ = netlink_.begin_nest(NFTA_EXPR_DATA | kNested);
  return outer;
}
void NftBatch::end_expression(std::size_t outer) {
  netlink_.end_nest(inner_);
  netlink_.end_nest(outer);
}

void NftBatch::load_destination() {
  std::size_t payload = begin_expression("payload");
  netlink_.attribute(NFTA_PAYLOAD_DREG, htonl(NFT_REG32_00));
  netlink_.attribute(NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_NETWORK_HEADER));
  netlink_.attribute(NFTA_PAYLOAD_OFFSET, htonl(kDestinationOffset));
  netlink_.attribute(NFTA_PAYLOAD_LEN, htonl(4));
  end_expression(payload);
}

void NftBatch::immediate_verdict(std::uint32_t verdict) {
  std::size_t immediate = begin_expression("immediate");
  netlink_.attribute(NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
  std::size_t data = netlink_.begin_nest(NFTA_IMMEDIATE_DATA | kNested);
  std::size_t code = netlink_.begin_nest(NFTA_DATA_VERDICT | kNested);
  netlink_.attribute(NFTA_VERDICT_CODE, htonl(verdict));
  netlink_.end_nest(code);
  netlink_.end_nest(data);
  end_expression(immediate);
}

void NftBatch::add_destination_rule(const std::string& chain, Cidr destination, std::uint32_t verdict) {
  begin_rule(chain);
  load_destination();
  std::uint32_t mask = destination.prefix == 0 ? 0 : htonl(~0u << (32 - destination.prefix));
  std::uint32_t wanted = htonl(destination.address), zero = 0;
  std::size_t bitwise = begin_expression("bitwise");
  netlink_.attribute(NFTA_BITWISE_SREG, htonl(NFT_REG32_00));
  netlink_.attribute(NFTA_BITWISE_DREG, htonl(NFT_REG32_00));
  netlink_.attribute(NFTA_BITWISE_LEN, htonl(4));
  std::size_t data = netlink_.begin_nest(NFTA_BITWISE_MASK | kNested);
  netlink_.attribute(NFTA_DATA_VALUE, mask);
  netlink_.end_nest(data);
  data = netlink_.begin_nest(NFTA_BITWISE_XOR | kNested);
  netlink_.attribute(NFTA_DATA_VALUE, zero);
  netlink_.end_nest(data);
  end_expression(bitwise);
  std::size_t compare = begin_expression("cmp");
  netlink_.attribute(NFTA_CMP_SREG, htonl(NFT_REG32_00));
  netlink_.attribute(NFTA_CMP_OP, htonl(NFT_CMP_EQ));
  data = netlink_.begin_nest(NFTA_CMP_DATA | kNested);
  netlink_.attribute(NFTA_DATA_VALUE, wanted);
  netlink_.end_nest(data);
  end_expression(compare);
  immediate_verdict(verdict);
  end_rule();
}

void NftBatch::add_destination_set_rule(const std::string& chain, const std::string& set, std::uint32_t verdict) {
  begin_rule(chain);
  load_destination();
  std::size_t lookup = begin_expression("lookup");
  netlink_.attribute_text(NFTA_LOOKUP_SET, set);
  netlink_.attribute(NFTA_LOOKUP_SREG, htonl(NFT_REG32_00));
  end_expression(lookup);
  immediate_verdict(verdict);
  end_rule();
}

void NftBatch::add_verdict_rule(const std::string& chain, std::uint32_t verdict) {
  begin_rule(chain);
  immediate_verdict(verdict);
  end_rule();
}

Result<void> NftBatch::commit(const std::string& doing) {
  nfgenmsg body = generic(AF_UNSPEC);
  body.res_id = htons(NFNL_SUBSYS_NFTABLES);
  netlink_.message(NFNL_MSG_BATCH_END, 0, body);
  return netlink_.run(doing);
}

}  // namespace sebring::os
