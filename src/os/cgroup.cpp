#include "os/cgroup.h"

#include <fcntl.h>

#include <algorithm>

#include "base/text.h"
#include "os/file.h"

namespace sebring::os {
namespace {

// mountinfo writes space, tab, newline and backslash in octal.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool has_word(std::string_view text, std::string_view word, char separator) {
  auto words = split(text, separator);
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

CgroupMounts parse_cgroup_mounts(std::string_view mountinfo) {
  CgroupMounts mounts;
  for (auto line : split(mountinfo, '\n')) {
    auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    auto before = split(line.substr(0, dash), ' '), after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3 || before[3] != "/") continue;
    std::string path = unescape(before[4]);
    if (after[0] == "cgroup2") mounts.version_2 = path;
    if (after[0] != "cgroup") continue;
    CgroupMounts::Hierarchy hierarchy{.path = path};
    for (auto word : split(after[2], ','))
      for (auto known : {"cpu", "cpuacct", "cpuset", "memory", "pids", "freezer"})
        if (word == known) hierarchy.controllers.emplace_back(word);
    if (!hierarchy.controllers.empty()) mounts.version_1.push_back(std::move(hierarchy));
  }
  return mounts;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (auto part : split(trim(text), ',')) {
    auto dash = part.find('-');
    auto first = parse_integer(part.substr(0, dash));
    auto last = dash == std::string_view::npos ? first : parse_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last > 65535) continue;
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

std::string cpu_list_text(const std::vector<int>& cpus) {
  std::vector<int> sorted = cpus;
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(sorted[i]);
    if (last > i) text += "-" + std::to_string(sorted[last]);
    i = last + 1;
  }
  return text;
}

Result<std::unique_ptr<CgroupTree>> open_cgroup_tree(const std::string& instance) {
  SB_TRY(auto mountinfo, read_at(AT_FDCWD, "/proc/self/mountinfo", 4 << 20));
  CgroupMounts mounts = parse_cgroup_mounts(mountinfo);
  std::string tree = "sebring-" + instance;
  if (mounts.version_2) {
    auto controllers = read_at(AT_FDCWD, *mounts.version_2 + "/cgroup.controllers", 4096);
    std::string_view listed = controllers ? trim(*controllers) : std::string_view();
    if (has_word(listed, "memory", ' ') && has_word(listed, "pids", ' '))
      return open_cgroup_v2(*mounts.version_2, tree);
  }
  return open_cgroup_v1(mounts, tree);
}

}  // namespace sebring::os
