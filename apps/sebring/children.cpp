#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"

namespace sebring {
namespace {

// The fourth field, behind the name, which may hold anything.
bool is_child(const std::string& pid, long long parent) {
  auto stat = os::read_at(AT_FDCWD, "/proc/" + pid + "/stat", 4096);
  const std::size_t name_end = stat ? stat->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return false;
  const auto fields = split(std::string_view(*stat).substr(name_end + 1), ' ');
  return fields.size() > 2 && parse_integer(fields[2]) == parent;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  auto names = os::list_dir_at(AT_FDCWD, "/proc");
  if (!names) return found;
  for (const auto& name : *names)
    if (auto pid = parse_integer(name); pid && *pid > 1 && is_child(name, parent))
      found.push_back(static_cast<pid_t>(*pid));
  return found;
}

}  // namespace

int kill_children(pid_t parent) {
  int told = 0;
  for (pid_t pid : children_of(parent)) told += ::kill(pid, SIGKILL) == 0;
  return told;
}

void end_children(std::chrono::milliseconds patience) {
  for (const auto until = Steady::now() + patience;;) {
    const bool told = kill_children(::getpid()) > 0;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (!told || Steady::now() >= until) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace sebring
