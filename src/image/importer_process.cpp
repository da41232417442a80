#include "image/importer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/passing.h"
#include "os/pidfd.h"

namespace sebring::image {
namespace {

constexpr const char* kOpaque = "trusted.overlay.opaque";
constexpr int kStartMs = 30'000;  // a machine under full load has needed 2 s
constexpr int kEndMs = 10'000;
constexpr int kDeathMs = 1'000;  // between closing its socket and its end

// What it says is made of an image's bytes, or by somebody who has taken it over.
std::string clean(std::string_view text) {
  std::string line = to_valid_utf8(text.substr(0, 1000));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return line;
}

Result<std::uint64_t> mount_id_of(int fd) {
  struct statx status;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &status) < 0)
    return fail_errno(errno, "look at a mount");
  if (!(status.stx_mask & STATX_MNT_ID)) return fail(Errc::internal, "the kernel does not tell mounts apart");
  return status.stx_mnt_id;
}

std::unexpected<Error> not_wanted() { return fail(Errc::cancelled, "nobody wants the result any more"); }

struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
};

// posix_spawn and not fork: the runner has many threads and much memory.
Result<pid_t> spawn(const std::string& path, int socket) {
  SpawnPlan plan;
  for (int fd = 0; fd < 3; ++fd) ::posix_spawn_file_actions_addopen(&plan.actions, fd, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&plan.actions, socket, kImporterSocket);
  ::posix_spawn_file_actions_addclosefrom_np(&plan.actions, kImporterSocket + 1);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&plan.attributes, &none);
  ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
  ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char name[] = "sebring", verb[] = "importer", language[] = "LC_ALL=C";
  char* arguments[] = {name, verb, nullptr};
  char* environment[] = {language, nullptr};
  pid_t pid;
  int error = ::posix_spawn(&pid, path.c_str(), &plan.actions, &plan.attributes, arguments, environment);
  if (error) return fail(Error::from_errno(error, "start the importer " + path).with_code(Errc::internal));
  return pid;
}

}  // namespace

Result<ImporterProcess> ImporterProcess::start(const ImporterProgram& program, int give_up) {
  SB_TRY(auto pair, os::make_packet_pair(kImporterMessageMax));
  // The child's copy must not be descriptor 3 already: dup2 onto itself would leave it close-on-exec on old systems.
  UniqueFd theirs(::fcntl(pair.second.get(), F_DUPFD_CLOEXEC, 10));
  if (!theirs) return fail_errno(errno, "duplicate a descriptor");
  pair.second.reset();
  if (::fcntl(pair.first.get(), F_SETFL, O_NONBLOCK) < 0) return fail_errno(errno, "set up the importer's socket");
  SB_TRY(pid_t pid, spawn(program.path, theirs.get()));
  theirs.reset();
  auto pidfd = os::open_pidfd(pid);
  if (!pidfd) {  // not yet reaped, so the number is still its own
    ::kill(pid, SIGKILL);
    return std::unexpected(std::move(pidfd).error());
  }
  ImporterProcess process(pid, *std::move(pidfd), std::move(pair.first));
  SB_CHECK(process.wait_for_namespaces(give_up));
  SB_CHECK(process.map_ids(pid, program.first_id));
  return process;
}

ImporterProcess::~ImporterProcess() {
  if (!pidfd_) return;
  socket_.reset();
  if (!os::wait_pidfd(pidfd_.get(), outcome_ ? kEndMs : 0)) (void)os::signal_pidfd(pidfd_.get(), SIGKILL);
  os::wait_pidfd(pidfd_.get(), kEndMs);
  os::reap_pidfd(pidfd_.get());
}

Result<void> ImporterProcess::wait_for_namespaces(int give_up) {
  pollfd waits[] = {{socket_.get(), POLLIN, 0}, {give_up, POLLIN, 0}};
  while (::poll(waits, 2, kStartMs) < 0 && errno == EINTR) {
  }
  if (waits[1].revents) return not_wanted();
  SB_TRY(auto message, os::receive_message(socket_.get(), kImporterMessageMax, 0));
  if (message.data.size() == 1 && message.data[0] == static_cast<char>(ImporterMessage::unshared)) return {};
  if (!message.data.empty() && message.data[0] == static_cast<char>(ImporterMessage::report)) {
    take_report(message.data);
    if (outcome_ && !outcome_->result) return std::unexpected(outcome_->result.error());
  }
  return fail(Errc::internal, "the importer does not begin: is its program right?");
}

Result<void> ImporterProcess::map_ids(pid_t pid, std::uint32_t first_id) {
  std::string proc = "/proc/" + std::to_string(pid) + "/";
  std::string map = "0 " + std::to_string(first_id) + " 65536\n";
  SB_CHECK(os::write_at(AT_FDCWD, proc + "uid_map", map));
  SB_CHECK(os::write_at(AT_FDCWD, proc + "gid_map", map));
  SB_TRY(user_namespace_, os::open_at(AT_FDCWD, proc + "ns/user", O_RDONLY));
  return {};
}

Result<void> ImporterProcess::give(const ImporterJob& job, int first, int second) {
  SB_TRY(auto tmpfs, os::FileSystem::open("tmpfs"));
  SB_CHECK(tmpfs.set("mode", "0555"));
  SB_CHECK(tmpfs.set("size", "4096"));
  SB_TRY(auto empty, tmpfs.mount(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  int fds[] = {empty.get(), first, second};
  return os::send_message(socket_.get(), {reinterpret_cast<const char*>(&job), sizeof job}, fds);
}

bool ImporterProcess::handle_message() {
  if (outcome_) return true;
  auto message = os::receive_message(socket_.get(), kImporterMessageMax);
  if (!message || message->ended || message->data.empty()) {
    died();
    return true;
  }
  auto kind = static_cast<ImporterMessage>(message->data[0]);
  if (kind == ImporterMessage::report) {
    take_report(message->data);
    return true;
  }
  answer(kind, message->fds);
  return outcome_.has_value();
}

// Only for directories of the one mount it was given: anything else would be somebody's try to borrow our privilege.
void ImporterProcess::answer(ImporterMessage kind, const std::vector<UniqueFd>& fds) {
  char reply = 2;
  struct stat status;
  if (fds.size() == 1 && mount_id_ != 0 && ::fstat(fds[0].get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    auto mount = mount_id_of(fds[0].get());
    if (mount && *mount == mount_id_ && kind == ImporterMessage::make_opaque) {
      reply = ::fsetxattr(fds[0].get(), kOpaque, "y", 1, 0) == 0 ? 1 : 2;
    } else if (mount && *mount == mount_id_ && kind == ImporterMessage::is_opaque) {
      char value[8];
      reply = ::fgetxattr(fds[0].get(), kOpaque, value, sizeof value) == 1 && value[0] == 'y' ? 1 : 0;
    }
  }
  // The socket does not wait: who asks and does not read the answers is up to no good.
  if (!os::send_message(socket_.get(), {&reply, 1})) died();
}

void ImporterProcess::take_report(std::string_view message) {
  if (message.size() < 1 + sizeof(ImporterReport)) return died();
  Outcome outcome;
  std::memcpy(&outcome.report, message.data() + 1, sizeof outcome.report);
  std::string_view text = message.substr(1 + sizeof outcome.report);
  if (outcome.report.failed) {
    auto code = outcome.report.code;
    bool known = code == Errc::unprocessable || code == Errc::too_large || code == Errc::exhausted ||
                 code == Errc::cancelled || code == Errc::conflict;
    outcome.result = fail(known ? code : Errc::internal, clean(text));
  } else {
    for (auto line : split(text, '\n'))
      if (!line.empty()) outcome.remarks.push_back(clean(line));
  }
  outcome_ = std::move(outcome);
}

void ImporterProcess::died() {
  Outcome outcome;
  std::string how = "the importer ended without a report";
  bool by_itself = os::wait_pidfd(pidfd_.get(), kDeathMs);
  if (!by_itself) (void)os::signal_pidfd(pidfd_.get(), SIGKILL);
  os::wait_pidfd(pidfd_.get(), kEndMs);
  auto ended = os::reap_pidfd(pidfd_.get());
  if (by_itself && ended && ended->signal == SIGXCPU)
    how = "the importer has used up its processor time";
  else if (by_itself && ended && ended->signal)
    how = "the importer was ended by signal " + std::to_string(ended->signal);
  outcome.result = fail(Errc::internal, how);
  outcome_ = std::move(outcome);
}

// utime and stime: fields 14 and 15, behind the name, which may hold anything.
std::optional<std::uint64_t> ImporterProcess::ticks() const {
  auto stat = os::read_at(AT_FDCWD, "/proc/" + std::to_string(pid_) + "/stat", 4096);
  const std::size_t name_end = stat ? stat->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = split(std::string_view(*stat).substr(name_end + 2), ' ');
  if (fields.size() < 13 || fields[0] == "D") return std::nullopt;
  const auto user = parse_integer(fields[11]), system = parse_integer(fields[12]);
  if (!user || !system) return std::nullopt;
  return static_cast<std::uint64_t>(*user + *system);
}

namespace {

// A process that somebody has stopped would hold its sandbox for hours. Neither has used any time, neither waits for
// the disk: nothing moves. Counted in our own looks, so that a machine that stood still blames nobody.
class Stillness {
 public:
  bool too_long(const ImporterProcess& first, const ImporterProcess& second) {
    const auto now = std::pair(first.ticks(), second.ticks());
    const bool ended = first.outcome() || second.outcome();  // the other's time alone counts then
    const bool unknown = !ended && (!now.first || !now.second);
    looks_ = now == before_ && !unknown ? looks_ + 1 : 0;
    before_ = now;
    return looks_ >= kLooksMax;
  }

 private:
  static constexpr int kLooksMax = 30;
  std::pair<std::optional<std::uint64_t>, std::optional<std::uint64_t>> before_;
  int looks_ = 0;
};

constexpr int kLookMs = 1'000;

}  // namespace

Result<void> run_both(ImporterProcess& first, ImporterProcess& second, std::chrono::steady_clock::time_point deadline,
                      int give_up) {
  Stillness stillness;
  auto looked = std::chrono::steady_clock::now();
  for (bool first_ended = false, second_ended = false; !first_ended || !second_ended;) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return fail(Errc::timed_out, "takes too long");
    pollfd waits[] = {{first_ended ? -1 : first.socket(), POLLIN, 0},
                      {second_ended ? -1 : second.socket(), POLLIN, 0},
                      {give_up, POLLIN, 0}};
    int n = ::poll(waits, 3, static_cast<int>(std::min<long>(left, kLookMs)));
    if (n < 0 && errno != EINTR) return fail_errno(errno, "wait for the importer");
    if (n > 0 && waits[2].revents) return not_wanted();
    if (auto now = std::chrono::steady_clock::now(); now - looked >= std::chrono::milliseconds(kLookMs)) {
      looked = now;
      if (stillness.too_long(first, second)) return fail(Errc::timed_out, "the importer stands still");
    }
    if (n <= 0) continue;
    if (waits[0].revents) first_ended = first.handle_message();
    if (waits[1].revents) second_ended = second.handle_message();
  }
  return {};
}

Result<MappedDirectory> map_directory(int dir, const std::string& path, int user_namespace, bool read_only) {
  MappedDirectory mapped;
  SB_TRY(mapped.mount, os::clone_mount(dir, path));
  std::uint64_t attributes =
      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | (read_only ? MOUNT_ATTR_RDONLY : 0);
  SB_CHECK(os::set_mount_attributes(mapped.mount.get(), attributes));
  SB_CHECK(os::id_map_mount(mapped.mount.get(), user_namespace));
  SB_TRY(mapped.mount_id, mount_id_of(mapped.mount.get()));
  return mapped;
}

Result<std::pair<UniqueFd, UniqueFd>> make_wide_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
  ::fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);  // smaller only means slower
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

}  // namespace sebring::image
