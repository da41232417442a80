#include "fixture.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "os/file.h"
#include "os/link.h"
#include "os/mount.h"
#include "os/program.h"
#include "runtime/strays.h"

namespace sebring::test {
namespace {

// Without the fixture there is nothing to test. Not by doctest's means: the benchmark uses it too.
[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "test fixture: %s\n", why.c_str());
  std::abort();
}

constexpr char kInstance[] = "root-test";
constexpr char kLayer[] = "test-image";

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().message());
  return std::move(*result);
}
void must(Result<void> result) {
  if (!result) give_up(result.error().message());
}

std::unique_ptr<Machine> machine;

}  // namespace

std::string beside_me(const std::string& name) {
  char path[4096] = {};
  if (::readlink("/proc/self/exe", path, sizeof path - 1) < 0) give_up("read /proc/self/exe");
  std::string self = path;
  return self.substr(0, self.rfind('/') + 1) + name;
}

void make_image(const std::string& layer) {
  std::string script = R"SH(set -e
layer=$1
mkdir -p $layer/bin $layer/usr $layer/etc $layer/tmp $layer/root $layer/home/user $layer/proc $layer/sys $layer/dev $layer/lib64
ln -sfn ../bin $layer/usr/bin
chmod 1777 $layer/tmp
chown 1000:1000 $layer/home/user
copy() { mkdir -p "$layer$(dirname "$1")"; cp -L "$1" "$layer$1"; }
for tool in sh cat ls id nproc stat dd mkdir rm ln sleep mount umount chmod chown mv cp kill head tail wc sync truncate df uname readlink touch true false hostname sort find env mknod grep sed seq setpriv setsid unshare; do
  path=$(command -v $tool) || continue
  case $path in /*) ;; *) continue ;; esac
  cp -L "$path" $layer/bin/$tool
  ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do [ -e "$layer$library" ] || copy "$library"; done
done
cp $2 $layer/bin/probe
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' > $layer/etc/passwd
)SH";
  auto made = os::run_program_checked({"sh", "-c", script, "sh", layer, beside_me("root_probe")});
  if (!made) give_up(made.error().message());
}

Machine& Machine::get() {
  if (!machine) machine.reset(new Machine());
  return *machine;
}

void Machine::shut_down() { machine.reset(); }

Machine::Machine() {
  const char* base = std::getenv("SEBRING_TEST_DIR");
  directory_ = std::string(base ? base : "/var/tmp") + "/sebring-root-test";
  must(os::make_dirs(directory_ + "/run", 0755));
  must(os::make_dirs(directory_ + "/data/runner", 0755));
  auto run = must(os::FileSystem::open("tmpfs"));
  must(os::attach_mount(must(run.mount(0)).get(), AT_FDCWD, directory_ + "/run"));
  must(runtime::prepare_mounting_thread());
  runtime::HostConfig config;
  config.data_dir = directory_ + "/data";
  config.run_dir = directory_ + "/run";
  config.pool_dir = directory_ + "/pool";
  config.instance = kInstance;
  config.pool_bytes = std::uint64_t{4} << 30;
  config.toolbox = beside_me("test_toolbox");
  config.allow_loop = !std::getenv("SEBRING_TEST_NO_LOOP");
  host_ = must(runtime::Host::open(config));
  must(os::make_dir_at(host_->pool().layers(), kLayer, 0755));
  make_image("/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(host_->pool().layers()) + "/" + kLayer);
  must(host_->pool().layers_grew());
  cleanup_ = must(runtime::Cleanup::start(*host_));
  runtime::destroy_strays(*host_, *cleanup_, {});  // of a test that was killed
  cleanup_->wait_until_empty(20'000);
  slots_ = std::make_unique<runtime::SlotPool>(*host_, *cleanup_, runtime::SlotPoolConfig{.wanted = 4, .threads = 1});
  slots_->start();
  wires_ = must(host_->open_wires());
}

const runtime::Container& Machine::shared() {
  if (!shared_) shared_.emplace(start(spec()));
  return *shared_;
}

Machine::~Machine() {
  if (shared_) destroy(std::move(*shared_));
  slots_.reset();
  cleanup_->wait_until_empty(20'000);
  cleanup_.reset();
  host_->pool().remove_instance();
  if (host_->firewall()) host_->firewall()->unload();
  host_->cgroups().remove_tree();
  host_->leases().give_back_unused();
  host_.reset();
  (void)os::detach_mount(directory_ + "/run");
  (void)os::run_program({"rm", "-rf", "--one-file-system", directory_ + "/run", directory_ + "/data"});
}

runtime::StartSpec Machine::spec() const {
  runtime::StartSpec spec;
  spec.layers = {std::string("layers/") + kLayer};
  spec.limits = {.cpus = 1, .memory_bytes = 256 << 20, .disk_bytes = 64 << 20, .pids_max = 128};
  spec.hostname = "box-one";
  return spec;
}

runtime::Container Machine::start(const runtime::StartSpec& spec) {
  auto slot = must(slots_->take(spec.layers, !spec.upper.empty(), spec.limits, 20'000));
  return must(runtime::start_container(*host_, wires_, *cleanup_, std::move(slot), spec));
}

void Machine::destroy(runtime::Container container, bool disk) {
  cleanup_->dispose(leftover_of(std::move(container), disk));
}

Output run(const runtime::Container& container, const std::string& command, int uid) {
  UniqueFd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  container.socket.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    return {-1, "connect: " + errno_text(errno)};
  (void)os::write_all(connection.get(), std::to_string(uid) + " " + command);
  ::shutdown(connection.get(), SHUT_WR);
  auto answer = os::read_all(connection.get(), 16 << 20);
  if (!answer) return {-1, answer.error().message()};
  auto end = answer->rfind('\0');
  if (end == std::string::npos) return {-1, *answer};
  return {std::atoi(answer->c_str() + end + 1), answer->substr(0, end)};
}

// Other instances on this machine have links of that kind too: ours are those of a chunk that we have leased.
static bool ours(std::string_view number) {
  auto index = parse_integer(number.substr(0, number.find_first_not_of("0123456789")));
  auto owner = index ? os::read_at(AT_FDCWD, "/run/sebring/leases/" + std::to_string(*index / runtime::kChunk))
                     : Result<std::string>("");
  return owner && owner->find("root-test") != std::string::npos;
}

std::vector<std::string> traces() {
  std::vector<std::string> found;
  auto add_lines = [&](const std::string& what, const std::string& text, std::string_view needle) {
    for (auto line : split(text, '\n'))
      if (line.find(needle) != std::string_view::npos) found.push_back(what + ": " + std::string(line));
  };
  auto mounts = os::read_at(AT_FDCWD, "/proc/1/mountinfo", 4 << 20);
  add_lines("mount", mounts ? *mounts : "", "sebring-root-test");
  auto links = os::run_program_checked({"ip", "-o", "link"});
  for (auto line : split(links ? std::string_view(*links) : std::string_view(), '\n'))
    if (auto at = line.find(": sb"); at != std::string_view::npos && ours(line.substr(at + 4)))
      found.push_back("link: " + std::string(line));
  auto rules = os::run_program_checked({"nft", "list", "tables"});
  add_lines("rules", rules ? *rules : "", "sebring_root_test");
  auto groups = os::run_program_checked({"find", "/sys/fs/cgroup", "-type", "d", "-name", "*sebring-root-test*"});
  add_lines("group", groups ? *groups : "", "sebring");
  auto names = os::list_dir_at(AT_FDCWD, "/proc");
  for (const auto& name : names ? *names : std::vector<std::string>{})
    if (parse_integer(name))
      if (auto groups_of = os::read_at(AT_FDCWD, "/proc/" + name + "/cgroup");
          groups_of && groups_of->find("sebring-root-test") != std::string::npos)
        found.push_back("process: " + name);
  return found;
}

}  // namespace sebring::test
