#include "toolbox/shell_look.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "toolbox/as_user.h"
#include "toolbox/session_shell.h"

namespace sebring::toolbox {
namespace {

std::string proc_path(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// The begin of it; empty when it can not be read.
std::string read_start(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t got = file ? ::read(file.get(), text, sizeof text) : -1;
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string();
}

}  // namespace

std::optional<ShellLook> ShellLook::at(pid_t pid, const Identity& user, std::string path, int input) {
  struct stat info{};
  if (::fstat(input, &info) != 0) return std::nullopt;
  ShellLook look;
  look.pid_ = pid;
  look.uid_ = user.uid;
  look.gid_ = user.gid;
  look.device_ = info.st_dev;
  look.inode_ = info.st_ino;
  path += '\0';
  look.is_program_ = read_start(proc_path(pid, "cmdline")) == path;
  return look;
}

bool ShellLook::waits_for_input() const {
  // The kernel tells a process's owner, but not a root without power over it.
  AsUser as_user(uid_, gid_);
  // "NUMBER ARGUMENT ...", or "running".
  static const std::string kReadsInput = std::to_string(SYS_read) + " 0x0 ";
  if (!read_start(proc_path(pid_, "syscall")).starts_with(kReadsInput)) return false;
  // While a command runs, descriptor 0 is that of the command.
  struct stat info{};
  return ::stat(proc_path(pid_, "fd/0").c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

bool ShellLook::replaced() const {
  if (!is_program_) return false;
  const std::string now = read_start(proc_path(pid_, "cmdline"));
  // Empty while it executes something, and afterwards.
  if (now.empty()) return false;
  // A wrapper may have executed the shell proper, by another path.
  return now.find('\0') != now.size() - 1 || !is_spoken_shell(now.substr(0, now.size() - 1));
}

bool ShellLook::stopped() const {
  // "PID (NAME) STATE ...", where the name may be anything.
  const std::string stat = read_start(proc_path(pid_, "stat"));
  const auto name_end = stat.rfind(") ");
  return name_end != stat.npos && stat.substr(name_end + 2, 1) == "T";
}

}  // namespace sebring::toolbox
