#pragma once
// Starting a sandbox in a slot, and what can be done to it while it runs. Blocking; for worker threads, each with its
// Wires and prepare_mounting_thread() done.
#include <string>
#include <vector>

#include "runtime/cleanup.h"
#include "runtime/slot_maker.h"

namespace sebring::runtime {

struct HostEntry {
  std::string address;
  std::string name;
};

struct StartSpec {
  std::vector<std::string> layers;  // paths below the pool's root, bottom first
  std::string upper;                // existing disk; empty: the slot's fresh one
  Limits limits;
  std::string hostname;
  std::vector<HostEntry> hosts;
  NetworkPolicy network;
  std::string configuration;  // for the toolbox
  bool write_files = false;   // of an existing disk: /etc/hosts, hostname, resolv.conf and machine-id are due
  std::string machine_id;     // 32 hexadecimal digits; a copied disk brings another's
};

struct Container {
  Index index = 0;
  pid_t pid = -1;
  std::uint64_t start_time = 0;
  UniqueFd pidfd;
  UniqueFd words;  // the daemon's standard error; invalid for one that was adopted
  std::string socket;
  std::string upper;
  NetworkPolicy network;
  std::vector<UniqueFd> held;  // its root and view: their last close may wait, so the cleanup does it
  std::string attached_view;
  std::string unused_upper;  // of the slot, after a start on an existing disk: for SlotPool::give_back_upper()
};

// Takes the slot, whatever happens: on failure it goes to the cleanup, with its fresh upper.
Result<Container> start_container(Host& host, Host::Wires& wires, Cleanup& cleanup, Slot slot, const StartSpec& spec);

struct UserProcess {
  pid_t pid;
  UniqueFd pidfd;
};
// All processes but PID 1.
Result<std::vector<UserProcess>> user_processes(Host& host, const Container& container);

Leftover leftover_of(Container container, bool destroy_upper);

// The end of what a daemon has said on its standard error, as one line; empty when it said nothing.
std::string last_words(int words);

// A TCP socket made in the container's network namespace; the calling thread is in its own again afterwards.
Result<UniqueFd> socket_inside(const Container& container, int family);

std::string hosts_text(const std::string& hostname, const std::vector<HostEntry>& hosts);

}  // namespace sebring::runtime
