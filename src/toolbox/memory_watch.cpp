#include "toolbox/memory_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "base/text.h"

namespace sebring::toolbox {
namespace {

// Version 1 says "no limit" with the largest multiple of a page below 2^63.
constexpr std::uint64_t kUnlimited = 0x7000000000000000;

UniqueFd open_first(int directory, const char* version2, const char* version1) {
  if (directory < 0) return {};
  const int fd = ::openat(directory, version2, O_RDONLY | O_CLOEXEC);
  return UniqueFd(fd >= 0 ? fd : ::openat(directory, version1, O_RDONLY | O_CLOEXEC));
}

std::optional<std::uint64_t> read_number(const UniqueFd& file, std::string_view key) {
  if (!file) return std::nullopt;
  char text[4096];
  const ssize_t got = ::pread(file.get(), text, sizeof text, 0);
  if (got <= 0) return std::nullopt;
  return cgroup_number(std::string_view(text, static_cast<std::size_t>(got)), key);
}

}  // namespace

std::optional<std::uint64_t> cgroup_number(std::string_view text, std::string_view key) {
  for (std::string_view line : split(text, '\n')) {
    if (!key.empty()) {
      if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
      line.remove_prefix(key.size() + 1);
    }
    line = trim(line);
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

MemoryWatch::MemoryWatch(int directory)
    : directory_(directory < 0 ? -1 : ::fcntl(directory, F_DUPFD_CLOEXEC, 0)),
      events_(open_first(directory, "memory.events", "memory.oom_control")) {}

std::uint64_t MemoryWatch::kills() const { return read_number(events_, "oom_kill").value_or(0); }

std::optional<std::uint64_t> MemoryWatch::limit_bytes() const {
  auto limit = read_number(open_first(directory_.get(), "memory.max", "memory.limit_in_bytes"), "");
  if (limit && *limit >= kUnlimited) limit.reset();
  return limit;
}

std::optional<std::uint64_t> MemoryWatch::used_bytes() const {
  return read_number(open_first(directory_.get(), "memory.current", "memory.usage_in_bytes"), "");
}

std::optional<std::uint64_t> MemoryWatch::cache_bytes() const {
  const UniqueFd stat = open_first(directory_.get(), "memory.stat", "memory.stat");
  auto cache = read_number(stat, "file");
  return cache ? cache : read_number(stat, "total_cache");
}

OutOfMemory MemoryWatch::limits() const {
  const std::uint64_t limit = limit_bytes().value_or(0);
  // memory.peak came with kernel 5.19. Without it: at the time of a kill the limit was what was used.
  const UniqueFd peak = open_first(directory_.get(), "memory.peak", "memory.max_usage_in_bytes");
  return {.limit_bytes = limit, .peak_bytes = read_number(peak, "").value_or(limit)};
}

}  // namespace sebring::toolbox
