#pragma once
// Running a helper program of the host (mkfs.btrfs, nft). Arguments are ours alone, no shell takes part.
#include <string>
#include <vector>

#include "base/result.h"

namespace sebring::os {

struct ProgramOutput {
  int exit_code = 0;  // 128 + signal when a signal ended it
  std::string text;   // standard output and error, at most 8 MiB
};
// The program is looked up in the usual system directories. Errc::not_found when it is not installed.
Result<ProgramOutput> run_program(const std::vector<std::string>& arguments, const std::string& input = "");
// The same; a non-zero exit is an error with the program's own words.
Result<std::string> run_program_checked(const std::vector<std::string>& arguments, const std::string& input = "");
// Full path of an installed program, or "".
std::string find_program(const std::string& name);

}  // namespace sebring::os
