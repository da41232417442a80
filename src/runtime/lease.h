#pragma once
// One index per live sandbox, unique on this machine, from which follow its user ids (65536 from 65536 * index), its
// address in a /16 network (100.64.0.0 by default), its link sb<index> and the names of its cgroups. Several instances
// share the machine: they lease chunks of 512 by files that only one can make.
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::runtime {

using Index = std::uint32_t;

inline constexpr Index kIndexMin = 2;
inline constexpr Index kIndexMax = 65533;
inline constexpr Index kChunk = 512;

inline std::uint32_t first_uid(Index index) { return 65536u * index; }
// First address of the /16 network of sandboxes, host byte order.
inline constexpr std::uint32_t kUsualNetwork = 100u << 24 | 64u << 16;
inline std::uint32_t address_of(std::uint32_t network, Index index) { return network | index; }
// The host's side of every link. No sandbox has index 1.
inline std::uint32_t gateway_of(std::uint32_t network) { return network | 1; }
inline std::string link_of(Index index) { return "sb" + std::to_string(index); }
inline std::string name_of(Index index) { return std::to_string(index); }

class Leases {
 public:
  struct Owner {
    std::string data_dir;
    std::string instance;
    std::string boot_id;
  };
  // `directory` is shared by all instances of the machine: /run/sebring/leases.
  static Result<Leases> open(const std::string& directory, Owner owner);
  Leases(Leases&&) noexcept;
  // Called when a chunk of a dead instance becomes ours, with its first index: what the dead one said about these links
  // may still hold. Not called for one of before a reboot.
  using TakenOver = std::function<void(const std::string& instance, Index first)>;
  void when_taken_over(TakenOver taken_over) { taken_over_ = std::move(taken_over); }

  // Errc::exhausted when the machine has no index left.
  Result<Index> take();
  // Marks an index that something still uses (found at start). False when its chunk is not ours.
  bool adopt(Index index);
  // After nothing of it is left. It goes to the end of the queue: late packets of the old owner meet nobody.
  void release(Index index);
  // Chunks that are ours, as first indices.
  std::vector<Index> chunks() const;
  bool owns(Index index) const;
  // Gives back chunks without a used index.
  void give_back_unused();

 private:
  Leases(UniqueFd directory, Owner owner) : directory_(std::move(directory)), owner_(std::move(owner)) {}
  Result<bool> take_chunk(Index chunk);
  bool is_stale(const std::string& name) const;
  std::optional<Owner> read_owner(const std::string& name) const;

  TakenOver taken_over_;
  UniqueFd directory_;
  Owner owner_;
  mutable std::mutex mutex_;
  std::set<Index> chunks_;  // numbers of our chunks
  std::deque<Index> free_;
  std::set<Index> used_;
};

}  // namespace sebring::runtime
