// What the firewall keeps for the next owner of an index, and what it forgets.
#include "runtime/firewall.h"

#include <doctest/doctest.h>

#include <optional>

#include "os/program.h"

using namespace sebring;
using namespace sebring::runtime;

namespace {

constexpr Index kFirst = 0x7ff0 & ~63;  // of a group, in a chunk that instances come to last
constexpr std::uint32_t kNetwork = 100u << 24 | 127u << 16;

bool holds(const std::string& family, const std::string& set, Index index) {
  auto text = os::run_program_checked({"nft", "list", "set", family, "sebring_fwtest", set});
  REQUIRE(text.has_value());
  return text->find("\"" + link_of(index) + "\"") != std::string::npos;
}

// Both directions or neither.
bool linked(Index one, Index other) {
  auto text = os::run_program_checked({"nft", "list", "set", "inet", "sebring_fwtest", "linked"});
  REQUIRE(text.has_value());
  auto has = [&](Index from, Index to) {
    return text->find('"' + link_of(from) + "\" . \"" + link_of(to) + '"') != std::string::npos;
  };
  CHECK(has(one, other) == has(other, one));
  return has(one, other);
}

struct Loaded {
  Loaded() {
    auto made = Firewall::load("fwtest", kNetwork, {});
    REQUIRE(made.has_value());
    firewall = std::move(*made);
    auto socket = Firewall::open_netlink();
    REQUIRE(socket.has_value());
    netfilter.emplace(std::move(*socket));
  }
  ~Loaded() { firewall->unload(); }
  std::unique_ptr<Firewall> firewall;
  std::optional<os::Netlink> netfilter;
};

}  // namespace

TEST_CASE("firewall: links stay let in, policies end with their sandbox") {
  Loaded loaded;
  auto& firewall = *loaded.firewall;
  auto& netfilter = *loaded.netfilter;
  const Index plain = kFirst + 1, blocked = kFirst + 2, listed = kFirst + 3;
  for (Index index : {plain, blocked, listed}) REQUIRE(firewall.add(netfilter, index).has_value());
  REQUIRE(firewall.set_policy(netfilter, blocked, {}, {.block_all = true}).has_value());
  NetworkPolicy some;
  some.allow.push_back(*os::parse_cidr("198.51.100.0/24"));
  REQUIRE(firewall.set_policy(netfilter, listed, {}, some).has_value());
  CHECK(holds("inet", "blocked", blocked));
  CHECK(holds("inet", "strict", listed));

  for (Index index : {plain, blocked, listed}) firewall.remove(netfilter, index);
  for (Index index : {plain, blocked, listed}) {
    CHECK(holds("inet", "boxes", index));
    CHECK(holds("inet", "source", index));
    CHECK_FALSE(holds("inet", "blocked", index));
    CHECK_FALSE(holds("inet", "strict", index));
  }
  auto chain = os::run_program({"nft", "list", "chain", "inet", "sebring_fwtest", "box_" + std::to_string(listed)});
  CHECK((!chain || chain->exit_code != 0));
  // The next owner has the usual policy and may be given another.
  REQUIRE(firewall.add(netfilter, listed).has_value());
  CHECK(firewall.set_policy(netfilter, listed, {}, {.block_all = true}).has_value());
  CHECK(holds("inet", "blocked", listed));
}

TEST_CASE("firewall: a new life lets go of what is not its own") {
  Loaded before;
  const Index ours = kFirst + 5, foreign = kFirst + 64;
  for (Index index : {ours, foreign}) REQUIRE(before.firewall->add(*before.netfilter, index).has_value());
  REQUIRE(before.firewall->set_policy(*before.netfilter, foreign, {}, {.block_all = true}).has_value());

  auto next = Firewall::load("fwtest", kNetwork, {});
  REQUIRE(next.has_value());
  (*next)->keep_only(*before.netfilter, [&](Index index) { return index / 64 == ours / 64; });
  CHECK(holds("inet", "boxes", ours));
  CHECK_FALSE(holds("inet", "boxes", foreign));
  CHECK_FALSE(holds("inet", "source", foreign));
  CHECK_FALSE(holds("inet", "blocked", foreign));
  // Known as let in, or made so again.
  REQUIRE((*next)->add(*before.netfilter, foreign).has_value());
  CHECK(holds("inet", "boxes", foreign));
}

TEST_CASE("firewall: links between sandboxes end with either of them") {
  Loaded loaded;
  auto& firewall = *loaded.firewall;
  auto& netfilter = *loaded.netfilter;
  const Index one = kFirst + 1, two = kFirst + 2, three = kFirst + 3, four = kFirst + 4;
  REQUIRE(firewall.link(netfilter, one, {two, three}).has_value());
  REQUIRE(firewall.link(netfilter, one, {one, two}).has_value());  // again, and itself
  REQUIRE(firewall.link(netfilter, three, {four}).has_value());
  CHECK(linked(one, two));
  CHECK(linked(one, three));
  CHECK_FALSE(linked(two, three));
  CHECK_FALSE(linked(one, one));
  firewall.remove(netfilter, one);
  CHECK_FALSE(linked(one, two));
  CHECK_FALSE(linked(one, three));
  CHECK(linked(three, four));
  firewall.remove(netfilter, one);  // nothing is left of it: no batch that fails
  // The next owner of the index is nobody's neighbour until it is linked itself.
  REQUIRE(firewall.link(netfilter, one, {four}).has_value());
  CHECK(linked(one, four));
  firewall.remove(netfilter, four);
  firewall.remove(netfilter, three);
  CHECK_FALSE(linked(one, four));
  CHECK_FALSE(linked(three, four));
}

TEST_CASE("firewall: a new life keeps the links that are still wanted") {
  Loaded before;
  auto& netfilter = *before.netfilter;
  const Index one = kFirst + 1, two = kFirst + 2, three = kFirst + 3;
  REQUIRE(before.firewall->link(netfilter, one, {two, three}).has_value());
  auto next = Firewall::load("fwtest", kNetwork, {});
  REQUIRE(next.has_value());
  CHECK(linked(one, two));  // loading opened no gap
  REQUIRE((*next)->keep_links(netfilter, {{one, {two}}, {two, {one, three}}, {three, {two}}}).has_value());
  CHECK(linked(one, two));
  CHECK_FALSE(linked(one, three));
  CHECK(linked(two, three));
  (*next)->remove(netfilter, two);
  CHECK_FALSE(linked(one, two));
  CHECK_FALSE(linked(two, three));
  REQUIRE((*next)->keep_links(netfilter, {}).has_value());
}
