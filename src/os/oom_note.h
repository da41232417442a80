#pragma once
// Who was killed at a memory limit, noted on the cgroup's directory: the kernel names the victim only in its log, which
// the runner reads; inside the sandbox the toolbox reads the note. Kernels before 5.7 keep none.
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace sebring::os {

struct OomNote {
  std::uint64_t number = 0;  // another one for another kill
  std::string victim;        // name of the process, as the kernel knows it
};

// `directory` of a cgroup, open for reading.
Result<void> write_oom_note(int directory, const OomNote& note);
// nullopt: nobody has been killed, or nobody has noted it.
std::optional<OomNote> read_oom_note(int directory);

}  // namespace sebring::os
