#include "runner/oom_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace sebring::runner {
namespace {

constexpr std::size_t kKillsMax = 256;

std::string value_of(std::string_view line, std::string_view key) {
  auto at = line.find(key);
  if (at == std::string_view::npos) return "";
  auto rest = line.substr(at + key.size());
  return std::string(rest.substr(0, rest.find(',')));
}

// "Memory cgroup out of memory: Killed process 1234 (name) total-vm:...": printed for each, without the group.
std::optional<OomKill> parse_killed(std::string_view line) {
  auto at = line.find("Killed process ");
  if (at == std::string_view::npos) return std::nullopt;
  auto rest = line.substr(at + 15);
  auto open = rest.find(" ("), close = rest.find(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  auto pid = parse_integer(rest.substr(0, open));
  if (!pid) return std::nullopt;
  return OomKill{
      .pid = static_cast<pid_t>(*pid), .name = std::string(rest.substr(open + 2, close - open - 2)), .group = ""};
}

// The second field of what stands before every message: "6,1234,98765,-;text".
std::uint64_t number_of(std::string_view message) {
  const auto begin = message.find(',');
  if (begin == std::string_view::npos) return 0;
  const auto rest = message.substr(begin + 1);
  const auto number = parse_integer(rest.substr(0, rest.find(',')));
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

}  // namespace

std::optional<OomKill> parse_oom_line(std::string_view line) {
  if (line.find("oom-kill:") == std::string_view::npos) return parse_killed(line);
  // The name comes after the groups and may hold anything but is cut at 15 characters: take the pid from the end.
  auto task = line.find(",task="), last = line.rfind(",pid=");
  if (task == std::string_view::npos || last == std::string_view::npos || last < task) return std::nullopt;
  auto pid = parse_integer(value_of(line.substr(last), ",pid="));
  if (!pid) return std::nullopt;
  OomKill kill{
      .pid = static_cast<pid_t>(*pid), .name = std::string(line.substr(task + 6, last - task - 6)), .group = ""};
  if (line.find("CONSTRAINT_MEMCG") != std::string_view::npos) kill.group = value_of(line, ",oom_memcg=");
  return kill;
}

std::optional<std::string> name_in_tree(std::string_view group, std::string_view tree) {
  const auto slash = group.rfind('/');
  if (slash == std::string_view::npos || slash + 1 == group.size()) return std::nullopt;
  const auto parent = group.substr(0, slash);
  if (!parent.ends_with(tree) || !parent.substr(0, parent.size() - tree.size()).ends_with('/')) return std::nullopt;
  return std::string(group.substr(slash + 1));
}

OomLog::OomLog(asio::any_io_executor executor, std::string tree, Heard heard)
    : tree_(std::move(tree)), heard_(std::move(heard)) {
  int fd = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  ::lseek(fd, 0, SEEK_END);
  log_ = std::make_shared<asio::posix::stream_descriptor>(executor, fd);
  wait();
}

void OomLog::wait() {
  log_->async_wait(asio::posix::stream_descriptor::wait_read,
                   [this, alive = std::weak_ptr(log_)](boost::system::error_code error) {
                     if (error || alive.expired()) return;
                     drain();
                     wait();
                   });
}

void OomLog::drain() {
  char message[8192];  // one per read
  for (;;) {
    ssize_t n = ::read(log_->native_handle(), message, sizeof message);
    if (n < 0 && errno == EPIPE) continue;  // some were overwritten before we came
    if (n <= 0) return;
    auto kill = parse_oom_line(std::string_view(message, static_cast<std::size_t>(n)));
    if (!kill) continue;
    kill->number = number_of(std::string_view(message, static_cast<std::size_t>(n)));
    hear(*kill);
    // The second message about the same process has no group; the first one's is kept.
    if (kill->group.empty() && !kills_.empty() && kills_.back().pid == kill->pid) continue;
    kills_.push_back(std::move(*kill));
    if (kills_.size() > kKillsMax) kills_.pop_front();
  }
}

void OomLog::hear(const OomKill& kill) const {
  if (auto name = name_in_tree(kill.group, tree_); name && heard_) heard_(*name, kill);
}

std::optional<OomKill> OomLog::of_process(pid_t pid) const {
  for (auto kill = kills_.rbegin(); kill != kills_.rend(); ++kill)
    if (kill->pid == pid) return *kill;
  return std::nullopt;
}

std::optional<OomKill> OomLog::of_group(const std::string& name) const {
  for (auto kill = kills_.rbegin(); kill != kills_.rend(); ++kill)
    if (name_in_tree(kill->group, tree_) == name) return *kill;
  return std::nullopt;
}

}  // namespace sebring::runner
