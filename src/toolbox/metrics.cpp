#include "toolbox/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <cstdio>

#include "base/text.h"
#include "toolbox/files/file_info.h"

namespace sebring::toolbox {
namespace {

constexpr std::chrono::seconds kWindow{2};
// Without anybody asking the sampling stops: an idle sandbox shall not wake up.
constexpr std::chrono::seconds kKeepSampling{30};

std::string read_small(int directory, const char* path) {
  UniqueFd file(::openat(directory, path, O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t got = file ? ::read(file.get(), text, sizeof text) : 0;
  return std::string(text, static_cast<std::size_t>(got > 0 ? got : 0));
}

// utime, stime, cutime, cstime of /proc/pid/stat, in ticks.
std::uint64_t ticks_of(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 > stat.size()) return 0;
  const auto fields = split(trim(stat.substr(name_end + 2)), ' ');
  std::uint64_t sum = 0;
  for (std::size_t i = 11; i <= 14 && i < fields.size(); ++i) {
    std::uint64_t value = 0;
    std::from_chars(fields[i].data(), fields[i].data() + fields[i].size(), value);
    sum += value;
  }
  return sum;
}

int processor_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::uint64_t meminfo(std::string_view text, std::string_view name) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    line = trim(line.substr(name.size() + 1));
    std::uint64_t kib = 0;
    std::from_chars(line.data(), line.data() + line.size(), kib);
    return kib * 1024;
  }
  return 0;
}

}  // namespace

double processor_seconds() {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), &::closedir);
  if (!directory) return 0;
  std::uint64_t ticks = 0;
  while (const dirent* item = ::readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (item->d_name[0] < '1' || item->d_name[0] > '9') continue;
    char path[64];
    std::snprintf(path, sizeof path, "%.40s/stat", item->d_name);
    ticks += ticks_of(read_small(::dirfd(directory.get()), path));
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

GivenResources parse_resources(std::string_view text) {
  GivenResources given;
  auto read = [](std::string_view digits, auto& into) {
    auto value = into;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size() && value >= 0) into = value;
  };
  for (std::string_view part : split(text, ';')) {
    part = trim(part);
    if (part.starts_with("cpus=")) read(part.substr(5), given.cpus);
    if (part.starts_with("disk=")) read(part.substr(5), given.disk_bytes);
    if (part.starts_with("disk-used=")) read(part.substr(10), given.disk_used_bytes);
  }
  return given;
}

Metrics::Metrics(Context& context)
    : context_(context), memory_(context.memory_cgroup.get()), timer_(context.io), cpus_(context.cpus) {}

asio::awaitable<void> Metrics::sample() {
  auto self = shared_from_this();
  while (Steady::now() - last_asked_ < kKeepSampling) {
    const double before = processor_seconds();
    const auto begin = Steady::now();
    timer_.expires_after(kWindow);
    auto [code] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (code) break;
    const double seconds = std::chrono::duration<double>(Steady::now() - begin).count();
    const double cpus = cpus_ > 0 ? cpus_ : processor_count();
    const double used = std::max(0.0, processor_seconds() - before);
    used_percent_ = 100.0 * used / seconds / cpus;
  }
  used_percent_ = 0;
  sampling_ = false;
}

std::string Metrics::to_json(const GivenResources& given) {
  if (given.cpus > 0) cpus_ = given.cpus;
  last_asked_ = Steady::now();
  if (!std::exchange(sampling_, true)) asio::co_spawn(context_.io, sample(), asio::detached);

  const std::string machine = read_small(AT_FDCWD, "/proc/meminfo");
  std::uint64_t total = meminfo(machine, "MemTotal");
  std::uint64_t cache = meminfo(machine, "Cached");
  std::uint64_t used = total - std::min(total, meminfo(machine, "MemAvailable"));
  if (const auto in_cgroup = memory_.used_bytes()) {
    cache = memory_.cache_bytes().value_or(0);
    used = *in_cgroup - std::min(*in_cgroup, cache);
    total = std::min(total, memory_.limit_bytes().value_or(total));
  }
  struct statvfs disk{};
  ::statvfs("/", &disk);
  // The file system tells of the pool that all sandboxes share; its own limit only the platform knows.
  std::uint64_t disk_total = disk.f_blocks * disk.f_frsize;
  std::uint64_t disk_used = disk_total - std::min(disk_total, disk.f_bfree * disk.f_frsize);
  std::uint64_t disk_free = disk.f_bavail * disk.f_frsize;
  if (given.disk_bytes > 0) {
    disk_total = given.disk_bytes;
    disk_used = given.disk_used_bytes;
    disk_free = std::min(disk_free, disk_total - std::min(disk_total, disk_used));
  }
  const WallMs now = system_clock().wall_ms();
  char text[512];
  std::snprintf(text, sizeof text,
                "{\"cpuCount\":%d,\"cpuUsedPct\":%.2f,\"memTotal\":%llu,\"memUsed\":%llu,\"memCache\":%llu,"
                "\"diskTotal\":%llu,\"diskUsed\":%llu,\"diskFree\":%llu,\"timestamp\":\"%s\",\"timestampUnix\":%lld}",
                cpus_ > 0 ? std::max(1, static_cast<int>(cpus_ + 0.5)) : processor_count(), used_percent_,
                static_cast<unsigned long long>(total), static_cast<unsigned long long>(used),
                static_cast<unsigned long long>(cache), static_cast<unsigned long long>(disk_total),
                static_cast<unsigned long long>(disk_used), static_cast<unsigned long long>(disk_free),
                iso8601(now).c_str(), static_cast<long long>(now / 1000));
  return text;
}

}  // namespace sebring::toolbox
