#include "runtime/own_files.h"

#include <fcntl.h>

#include <cstdio>

#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"

namespace sebring::runtime {

std::string meminfo_text(std::uint64_t memory_bytes) {
  unsigned long long total = memory_bytes / 1024;
  // Free memory is what a fresh sandbox has; a running one learns its use from its cgroup through the API.
  unsigned long long free = total - total / 64;
  std::string text;
  auto line = [&](const char* name, unsigned long long kilobytes) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%-15s %8llu kB\n", name, kilobytes);
    text += buffer;
  };
  line("MemTotal:", total);
  line("MemFree:", free);
  line("MemAvailable:", free);
  for (auto name :
       {"Buffers:",        "Cached:",       "SwapCached:",     "Active:",      "Inactive:",    "Active(anon):",
        "Inactive(anon):", "Active(file):", "Inactive(file):", "Unevictable:", "Mlocked:",     "SwapTotal:",
        "SwapFree:",       "Dirty:",        "Writeback:",      "AnonPages:",   "Mapped:",      "Shmem:",
        "KReclaimable:",   "Slab:",         "SReclaimable:",   "SUnreclaim:",  "KernelStack:", "PageTables:"})
    line(name, 0);
  line("CommitLimit:", total);
  line("Committed_AS:", total - free);
  return text;
}

std::string cpuinfo_text(const std::string& host, int cpus) {
  std::string text;
  int number = 0;
  std::size_t at = 0;
  while (number < cpus && at < host.size()) {
    auto end = host.find("\n\n", at);
    std::string_view entry = std::string_view(host).substr(at, end == std::string::npos ? end : end - at);
    for (auto line : split(entry, '\n')) {
      auto colon = line.find(':');
      auto name = trim(line.substr(0, colon));
      if (name == "processor") {
        text += std::string(line.substr(0, colon)) + ": " + std::to_string(number);
      } else if (name == "siblings" || name == "cpu cores") {
        text += std::string(line.substr(0, colon)) + ": " + std::to_string(cpus);
      } else {
        text += line;
      }
      text += '\n';
    }
    text += '\n';
    ++number;
    if (end == std::string::npos) break;
    at = end + 2;
  }
  return text;
}

Result<OwnFiles> OwnFiles::open(const std::string& directory) {
  SB_CHECK(os::make_dirs(directory, 0755));
  SB_TRY(auto opened, os::open_dir(directory));
  auto cpuinfo = os::read_at(AT_FDCWD, "/proc/cpuinfo", 4 << 20);
  return OwnFiles(std::move(opened), directory, cpuinfo ? *cpuinfo : "");
}

Result<UniqueFd> OwnFiles::prepare(Index index) {
  std::string name = name_of(index);
  SB_CHECK(os::make_dir_at(directory_.get(), name, 0755));
  for (auto file : {"/meminfo", "/cpuinfo", "/cpus"})
    SB_CHECK(os::put_file_at(directory_.get(), name + file, "", 0644));
  return os::clone_mount(AT_FDCWD, path_ + "/" + name);
}

Result<void> OwnFiles::fill(Index index, std::uint64_t memory_bytes, int cpus) const {
  std::string name = name_of(index), list = cpus > 1 ? "0-" + std::to_string(cpus - 1) + "\n" : "0\n";
  SB_CHECK(os::put_file_at(directory_.get(), name + "/meminfo", meminfo_text(memory_bytes), 0644));
  SB_CHECK(os::put_file_at(directory_.get(), name + "/cpuinfo", cpuinfo_text(cpuinfo_, cpus), 0644));
  return os::put_file_at(directory_.get(), name + "/cpus", list, 0644);
}

void OwnFiles::remove(Index index) const { (void)os::remove_tree_at(directory_.get(), name_of(index)); }

std::vector<std::string> OwnFiles::list() const {
  auto names = os::list_dir_at(directory_.get(), ".");
  return names ? *names : std::vector<std::string>{};
}

}  // namespace sebring::runtime
