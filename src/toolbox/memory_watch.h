#pragma once
// Reads of the users' memory cgroup, either version: whether its limit killed something, and what it allows and uses.
#include <cstdint>
#include <optional>

#include "base/unique_fd.h"
#include "os/oom_note.h"
#include "toolbox/process.h"

namespace sebring::toolbox {

class MemoryWatch {
 public:
  // `directory` of the cgroup, borrowed for the duration of the call; -1: nothing is known, every answer is empty.
  explicit MemoryWatch(int directory);
  // Processes killed by the limit so far.
  std::uint64_t kills() const;
  OutOfMemory limits() const;
  // The last of them that the runner has noted; some milliseconds after the kill.
  std::optional<os::OomNote> victim() const { return os::read_oom_note(directory_.get()); }
  std::optional<std::uint64_t> used_bytes() const;
  // Page cache within used_bytes().
  std::optional<std::uint64_t> cache_bytes() const;
  // nullopt: unlimited or unknown.
  std::optional<std::uint64_t> limit_bytes() const;

 private:
  UniqueFd directory_;
  UniqueFd events_;  // of every command; what is read rarely is opened for it
};

// Number after `key ` at the start of a line of a cgroup file's text; the whole text when `key` is empty.
std::optional<std::uint64_t> cgroup_number(std::string_view text, std::string_view key);

}  // namespace sebring::toolbox
