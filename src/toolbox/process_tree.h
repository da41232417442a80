#pragma once
// Who descends from whom, read from /proc.
#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

namespace sebring::toolbox {

struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  char state = 0;  // as in /proc/pid/stat: R S D Z T ...
};

// Parses /proc/pid/stat; the program's name may contain anything, parentheses and spaces too.
std::optional<ProcessEntry> parse_stat(std::string_view text);
// Everything visible in /proc now.
std::vector<ProcessEntry> read_processes();
std::optional<ProcessEntry> read_process(pid_t pid);
// Of `all`: `root`, its descendants, the members of its session, and their descendants. Dead ones and this process
// itself are left out.
std::vector<pid_t> tree_of(const std::vector<ProcessEntry>& all, pid_t root);
// Of `all`: the living members of that session.
std::vector<ProcessEntry> session_of(const std::vector<ProcessEntry>& all, pid_t session);

}  // namespace sebring::toolbox
