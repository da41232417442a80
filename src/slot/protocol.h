#pragma once
// What runner and toolbox say over the slot's socket (SOCK_SEQPACKET). Both come from one build: plain structs.
//
//   toolbox                                          runner
//                                               <-   Begin    (waits in the socket already)
//   Hello{0}        my user namespace is there  ->
//                                               <-   'm'      its id maps are written
//   Hello{pid}      I am PID 1 of the rest      ->
//                                               <-   Prepare  + kPrepareFds; its link is in my network namespace
//   Report          prepared                    ->
//   ... waits in the pool; end of file means that the runner is gone, and the toolbox ends ...
//                                               <-   Enter    + kEnterFds (those of `fds`), then three texts
//   Report          entered                     ->
#include <cstdint>

namespace sebring::slot {

inline constexpr std::size_t kMessageBytesMax = 320 * 1024;

// Who makes the user namespace. The kernel counts inotify instances, namespaces, locked memory and message queues on
// the maker's account too: an id of its own for each sandbox, or they all would share the limits of the host's root.
struct Begin {
  std::uint32_t owner_id;
};

struct Hello {
  std::int32_t pid;
};

// Descriptors: /dev, skeleton, own files, all detached mounts; then, perhaps, what to write "0" into to join the memory
// group of the toolboxes.
inline constexpr std::size_t kPrepareFds = 3;
struct Prepare {
  std::uint32_t address;  // host byte order; 0: no network
  std::uint32_t gateway;
  char place[128];  // an empty directory of the host, where the skeleton is attached until it becomes the root
};

enum EnterFd : std::uint32_t {
  kRoot = 1,
  kListening = 2,
  kUserCgroup = 4,
  kMemoryDirectory = 8,
  kGitHelper = 16
};  // sent in this order
enum EnterFile : std::uint32_t { kWriteHosts = 1, kWriteResolv = 2, kWriteHostname = 4, kWriteMachineId = 8 };
struct Enter {
  char hostname[65];
  char machine_id[33];  // 32 hexadecimal digits
  std::uint64_t shm_bytes;
  std::uint32_t fds;    // EnterFd bits
  std::uint32_t files;  // EnterFile bits: the disk is not new, so they are written from inside
  std::int32_t cgroup_version;
  std::uint32_t hosts_bytes;  // texts behind the struct, in this order
  std::uint32_t resolv_bytes;
  std::uint32_t configuration_bytes;
};

struct Report {
  std::int32_t ok;
  std::int32_t os_errno;
  char message[240];
};

// Places in the skeleton.
inline constexpr char kOwnFiles[] = "/own";  // meminfo, cpuinfo, cpus

}  // namespace sebring::slot
