#pragma once
// A host with a small pool and a small image, made once for all tests; each test starts its own containers.
#include <memory>
#include <string>
#include <vector>

#include "runtime/container.h"
#include "runtime/slot_pool.h"

namespace sebring::test {

struct Output {
  int status = -1;
  std::string text;
};

class Machine {
 public:
  static Machine& get();
  static void shut_down();

  runtime::Host& host() { return *host_; }
  runtime::Cleanup& cleanup() { return *cleanup_; }
  runtime::SlotPool& slots() { return *slots_; }
  runtime::Host::Wires& wires() { return wires_; }
  const std::string& directory() const { return directory_; }

  runtime::StartSpec spec() const;
  runtime::Container start(const runtime::StartSpec& spec);
  void destroy(runtime::Container container, bool disk = true);

  // One for all cases that change nothing in it.
  const runtime::Container& shared();
  ~Machine();

 private:
  Machine();
  std::string directory_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Cleanup> cleanup_;
  std::unique_ptr<runtime::SlotPool> slots_;
  runtime::Host::Wires wires_;
  std::optional<runtime::Container> shared_;
};

// Runs a shell command inside; uid -1: as the daemon itself (root inside, with its capabilities).
Output run(const runtime::Container& container, const std::string& command, int uid = 1000);

// Path of a program that lies beside this one.
std::string beside_me(const std::string& name);
// The host's own shell and tools with their libraries: no network, no package needed.
void make_image(const std::string& layer);

// Mounts, cgroups, links, processes that carry our name. Compared before and after.
std::vector<std::string> traces();

}  // namespace sebring::test
