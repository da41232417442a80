#include "toolbox/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/text.h"
#include "base/unique_fd.h"

namespace sebring::toolbox {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& value) {
  text = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::optional<ProcessEntry> read_entry(int proc, const char* pid) {
  char path[64];
  std::snprintf(path, sizeof path, "%s/stat", pid);
  UniqueFd file(::openat(proc, path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  char text[1024];
  const ssize_t got = ::read(file.get(), text, sizeof text);
  if (got <= 0) return std::nullopt;
  return parse_stat(std::string_view(text, static_cast<std::size_t>(got)));
}

bool lives(const ProcessEntry& entry) { return entry.state != 'Z' && entry.state != 'X'; }

}  // namespace

std::optional<ProcessEntry> parse_stat(std::string_view text) {
  ProcessEntry entry;
  if (!take_number(text, entry.pid)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 3 > text.size()) return std::nullopt;
  text.remove_prefix(name_end + 2);
  entry.state = text[0];
  text.remove_prefix(1);
  if (!take_number(text, entry.parent) || !take_number(text, entry.group) || !take_number(text, entry.session)) {
    return std::nullopt;
  }
  return entry;
}

std::vector<ProcessEntry> read_processes() {
  std::vector<ProcessEntry> all;
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), &::closedir);
  if (!directory) return all;
  const int proc = ::dirfd(directory.get());
  while (const dirent* item = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (item->d_name[0] < '1' || item->d_name[0] > '9') continue;
    if (auto entry = read_entry(proc, item->d_name)) all.push_back(*entry);
  }
  return all;
}

std::optional<ProcessEntry> read_process(pid_t pid) {
  UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return std::nullopt;
  return read_entry(proc.get(), std::to_string(pid).c_str());
}

std::vector<pid_t> tree_of(const std::vector<ProcessEntry>& all, pid_t root) {
  std::unordered_set<pid_t> members{root};
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& entry : all) {
      if (members.contains(entry.pid) || !(members.contains(entry.parent) || entry.session == root)) continue;
      members.insert(entry.pid);
      grown = true;
    }
  }
  const pid_t self = ::getpid();
  std::vector<pid_t> tree;
  for (const ProcessEntry& entry : all) {
    if (lives(entry) && entry.pid != self && members.contains(entry.pid)) tree.push_back(entry.pid);
  }
  return tree;
}

std::vector<ProcessEntry> session_of(const std::vector<ProcessEntry>& all, pid_t session) {
  std::vector<ProcessEntry> members;
  for (const ProcessEntry& entry : all) {
    if (lives(entry) && entry.session == session) members.push_back(entry);
  }
  return members;
}

}  // namespace sebring::toolbox
