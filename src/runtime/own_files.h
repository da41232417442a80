#pragma once
// /proc/meminfo, /proc/cpuinfo and the list of CPUs as a sandbox sees them: small files on a tmpfs of the host, one
// directory per sandbox, bound read-only over the kernel's while the slot is prepared and filled when it is taken.
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runtime/lease.h"

namespace sebring::runtime {

class OwnFiles {
 public:
  // `directory` on a tmpfs that outlives this process, so that limits of re-adopted sandboxes can be changed.
  static Result<OwnFiles> open(const std::string& directory);

  // Empty files for one sandbox; gives a detached mount of their directory.
  Result<UniqueFd> prepare(Index index);
  Result<void> fill(Index index, std::uint64_t memory_bytes, int cpus) const;
  void remove(Index index) const;
  std::vector<std::string> list() const;

 private:
  explicit OwnFiles(UniqueFd directory, std::string path, std::string cpuinfo)
      : directory_(std::move(directory)), path_(std::move(path)), cpuinfo_(std::move(cpuinfo)) {}
  UniqueFd directory_;
  std::string path_;
  std::string cpuinfo_;  // the host's, of all its CPUs
};

std::string meminfo_text(std::uint64_t memory_bytes);
// The first `cpus` entries of the host's text, numbered from 0.
std::string cpuinfo_text(const std::string& host, int cpus);

}  // namespace sebring::runtime
