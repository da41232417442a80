// N1-N5, with an outside world of our own: a namespace behind a link with public addresses.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include "fixture.h"
#include "os/link.h"
#include "os/program.h"

using namespace sebring;
using namespace sebring::test;

namespace {

// 198.51.100.2 and 203.0.113.2 in a namespace; what connects there hears its own address.
class Outside {
 public:
  Outside() {
    clean();
    std::string script = R"SH(set -e
ip netns add sebring-out
ip link add sebout0 type veth peer name out0 netns sebring-out
ip addr add 198.51.100.1/24 dev sebout0
ip link set sebout0 up
ip -n sebring-out addr add 198.51.100.2/24 dev out0
ip -n sebring-out addr add 10.77.0.2/24 dev out0
ip -n sebring-out addr add 192.88.99.2/24 dev out0
ip -n sebring-out link set out0 up
ip -n sebring-out link set lo up
ip -n sebring-out route add default via 198.51.100.1
ip route add 10.77.0.0/24 dev sebout0
ip route add 192.88.99.0/24 dev sebout0
)SH";
    auto made = os::run_program_checked({"sh", "-c", script});
    REQUIRE_MESSAGE(made.has_value(), made.error().message());
    auto started = os::run_program_checked(
        {"sh", "-c", "ip netns exec sebring-out " + beside_me("root_probe") + " tell 7000 >/dev/null 2>&1 & echo $!"});
    REQUIRE(started.has_value());
    pid_ = std::atoi(started->c_str());
    for (int i = 0; i < 1000; ++i) {
      if (os::run_program_checked({"sh", "-c", "ip netns exec sebring-out ss -ltn | grep -q :7000"})) break;
      ::usleep(50'000);
    }
  }
  ~Outside() {
    ::kill(pid_, SIGKILL);
    clean();
  }

 private:
  void clean() {
    (void)os::run_program({"sh", "-c", "ip link del sebout0 2>/dev/null; ip netns del sebring-out 2>/dev/null"});
  }
  pid_t pid_ = 0;
};

// What must get through has time; what must not is looked at long enough for a second SYN.
std::string reach(const runtime::Container& container, const std::string& address, int port = 7000,
                  int milliseconds = 1300) {
  return run(container, "probe connect " + address + " " + std::to_string(port) + " " + std::to_string(milliseconds))
      .text;
}
std::string reach_slowly(const runtime::Container& container, const std::string& address) {
  return reach(container, address, 7000, 10'000);
}

void set_policy(const runtime::Container& container, const runtime::NetworkPolicy& before,
                const runtime::NetworkPolicy& after) {
  auto& machine = Machine::get();
  auto set = machine.host().firewall()->set_policy(*machine.wires().netfilter, container.index, before, after);
  REQUIRE_MESSAGE(set.has_value(), set.error().message());
}

runtime::NetworkPolicy only(const char* network) { return {.allow = {*os::parse_cidr(network)}}; }

}  // namespace

TEST_CASE("N1-N5: public addresses and nothing else; policies take effect at once") {
  auto& machine = Machine::get();
  if (!machine.host().firewall()) {
    MESSAGE("SKIP: no network here: " << machine.host().network_complaint());
    return;
  }
  Outside outside;
  auto container = machine.start(machine.spec()), neighbour = machine.start(machine.spec());
  const std::string out = "connect ok\nsaid 198.51.100.1\n", no = "connect timeout\n";
  CHECK(reach_slowly(container, "198.51.100.2") == out);  // masqueraded
  {
    // Beside another server, with a box and an idea of addresses of its own.
    auto other_server = runtime::Firewall::load("root-test-two", 0x64480000, {});
    REQUIRE_MESSAGE(other_server.has_value(), other_server.error().message());
    REQUIRE((*other_server)->add(*machine.wires().netfilter, container.index + 4096));
    CHECK(reach_slowly(container, "198.51.100.2") == out);
    // One that died and had this very link before: its rules judge until they are told to forget it.
    REQUIRE((*other_server)->add(*machine.wires().netfilter, container.index));
    CHECK(reach(container, "198.51.100.2") == no);
    runtime::Firewall::forget("root-test-two", container.index, 1);
    CHECK(reach_slowly(container, "198.51.100.2") == out);
    (*other_server)->unload();
  }
  CHECK(reach(container, "10.77.0.2") == no);  // private
  CHECK(reach(container, os::address_text(runtime::address_of(runtime::kUsualNetwork, neighbour.index)), 1) == no);
  CHECK(reach(container, os::address_text(runtime::kUsualNetwork | 1), 22) == no);  // the host, by the gateway
  CHECK(reach(container, "198.51.100.1", 22) == no);                                // the host, by another address
  CHECK(reach(container, "169.254.169.254", 80) == no);

  runtime::NetworkPolicy open, blocked{.block_all = true}, listed = only("198.51.100.0/24"),
                                                           other = only("192.88.99.0/24"), inner = only("10.77.0.0/24");
  set_policy(container, open, blocked);
  CHECK(reach(container, "198.51.100.2") == no);
  set_policy(container, blocked, listed);
  CHECK(reach_slowly(container, "198.51.100.2") == out);
  CHECK(reach(container, "192.88.99.2") == no);
  set_policy(container, listed, other);
  CHECK(reach(container, "198.51.100.2") == no);
  CHECK(reach_slowly(container, "192.88.99.2").starts_with("connect ok"));
  set_policy(container, other, inner);  // a list does not open what is private
  CHECK(reach(container, "10.77.0.2") == no);
  set_policy(container, inner, open);
  CHECK(reach_slowly(container, "198.51.100.2") == out);

  auto spec = machine.spec();
  spec.network = blocked;
  auto born_blocked = machine.start(spec);
  CHECK(reach(born_blocked, "198.51.100.2") == no);
  machine.destroy(std::move(born_blocked));
  machine.destroy(std::move(container));
  machine.destroy(std::move(neighbour));
}

TEST_CASE("N1: another source address is dropped") {
  auto& machine = Machine::get();
  if (!machine.host().firewall()) return;
  auto container = machine.start(machine.spec());
  // Its own namespace's root could change the address; the profile gives nobody inside that right, so we do it for it.
  std::string change = "nsenter -t " + std::to_string(container.pid) +
                       " -n ip addr add 100.64.200.200/32 dev eth0 && nsenter -t " + std::to_string(container.pid) +
                       " -n ip route replace default via 100.64.0.1 dev eth0 src 100.64.200.200";
  auto changed = os::run_program_checked({"sh", "-c", change});
  REQUIRE_MESSAGE(changed.has_value(), changed.error().message());
  Outside outside;
  CHECK(reach(container, "198.51.100.2") == "connect timeout\n");
  machine.destroy(std::move(container));
}

TEST_CASE("N3: linked sandboxes reach each other, whatever their policies, and nobody else reaches them") {
  auto& machine = Machine::get();
  if (!machine.host().firewall()) return;
  auto one = machine.start(machine.spec()), stranger = machine.start(machine.spec());
  auto blocked_spec = machine.spec();
  blocked_spec.network = {.block_all = true};
  auto two = machine.start(blocked_spec);
  const auto address = [](const runtime::Container& container) {
    return os::address_text(runtime::address_of(runtime::kUsualNetwork, container.index));
  };
  const auto serve = [](const runtime::Container& container) {
    run(container, "probe tell 7000 >/dev/null 2>&1 &");
    CHECK(run(container,
              "for i in $(seq 100); do probe connect 127.0.0.1 7000 1000 | grep -q said && exit 0; sleep 0.05; done; "
              "exit 1")
              .status == 0);
  };
  for (const auto* container : {&one, &two, &stranger}) serve(*container);
  const std::string no = "connect timeout\n";
  CHECK(reach(one, address(two)) == no);
  auto linked = machine.host().firewall()->link(*machine.wires().netfilter, one.index, {two.index});
  REQUIRE_MESSAGE(linked.has_value(), linked.error().message());
  // By their own addresses: nothing is masqueraded in between.
  CHECK(reach(one, address(two), 7000, 10'000) == "connect ok\nsaid " + address(one) + "\n");
  CHECK(reach(two, address(one), 7000, 10'000) == "connect ok\nsaid " + address(two) + "\n");
  for (const auto* member : {&one, &two}) {
    CHECK(reach(stranger, address(*member)) == no);
    CHECK(reach(*member, address(stranger)) == no);
  }
  CHECK(reach(two, "198.51.100.2") == no);  // blocked is blocked, but for the link
  CHECK(reach(one, os::address_text(runtime::kUsualNetwork | 1), 22) == no);
  machine.host().firewall()->remove(*machine.wires().netfilter, two.index);
  CHECK(reach(one, address(two)) == no);
  for (auto* container : {&one, &two, &stranger}) machine.destroy(std::move(*container));
}
