#include "places.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "config/instance.h"
#include "network_choice.h"

namespace sebring {
namespace {

constexpr long kTmpfsMagic = 0x01021994;

struct Directory {
  std::string path;
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0755;
};

Result<void> make_directory(const Directory& wanted) {
  std::string parent = wanted.path.substr(0, wanted.path.rfind('/'));
  if (!parent.empty() && ::access(parent.c_str(), F_OK) != 0) SB_CHECK(make_directory({parent}));
  if (::mkdir(wanted.path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, "make " + wanted.path);
  // By descriptor and without following: the parent may be writable for others (/dev/shm).
  UniqueFd fd(::open(wanted.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open " + wanted.path);
  if (::fchown(fd.get(), wanted.uid, wanted.gid) != 0 || ::fchmod(fd.get(), wanted.mode) != 0)
    return fail_errno(errno, "set owner and mode of " + wanted.path);
  return {};
}

bool on_tmpfs(const std::string& path) {
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 && static_cast<long>(status.f_type) == kTmpfsMagic;
}

// The control process reaches its part of the data directory by path, as a user of its own.
Result<void> check_reachable(const std::string& path) {
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    struct stat status{};
    if (::stat(part.c_str(), &status) != 0) return fail_errno(errno, "look at " + part);
    if ((status.st_mode & S_IXOTH) == 0)
      return fail(Errc::invalid_argument,
                  part + " can not be entered by other users, so the control process could not reach " + path +
                      " in it: chmod o+x " + part + ", or choose another --data-dir");
  }
  return {};
}

Result<std::string> derive_run_dir(Places& places) {
  const std::string usual = "/run/sebring/" + places.instance;
  SB_CHECK(make_directory({"/run/sebring"}));
  std::error_code ignored;
  if (on_tmpfs("/run/sebring") || !on_tmpfs("/dev/shm")) return usual;
  // Names of sockets on a disk cost more than everything else that a slot does with files.
  const std::string real = "/dev/shm/sebring-" + places.instance;
  if (!std::filesystem::is_symlink(usual, ignored)) std::filesystem::remove_all(usual, ignored);
  if (::symlink(real.c_str(), usual.c_str()) != 0 && errno != EEXIST) return fail_errno(errno, "link " + usual);
  places.run_link = usual;
  return real;
}

// Another directory's server with the same id would share cgroups and links with this one.
Result<void> claim_run_dir(const std::string& run_dir, const std::string& data_dir) {
  const std::string path = run_dir + "/data-dir";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(errno, "open " + path);
  char bytes[4096];
  ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
  std::string owner(trim(std::string_view(bytes, got > 0 ? static_cast<std::size_t>(got) : 0)));
  if (!owner.empty() && owner != data_dir && ::access((owner + "/instance").c_str(), F_OK) == 0)
    return fail(Errc::conflict, run_dir + " belongs to the server with data directory " + owner +
                                    ". Was the directory copied? Remove " + data_dir + "/instance then");
  const std::string line = data_dir + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), line.data(), line.size(), 0) < 0)
    return fail_errno(errno, "write " + path);
  return {};
}

Result<std::string> executable_beside(const std::string& name) {
  std::error_code error;
  auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail_errno(error.value(), "read /proc/self/exe");
  return (self.parent_path() / name).string();
}

}  // namespace

Result<UniqueFd> lock_data_dir(const std::string& data_dir) {
  std::error_code error;
  std::filesystem::create_directories(data_dir, error);
  if (error) return fail_errno(error.value(), "make " + data_dir);
  const std::string path = data_dir + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(errno, "open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + path);
    char bytes[32];
    ssize_t got = ::pread(fd.get(), bytes, sizeof bytes, 0);
    std::string pid(trim(std::string_view(bytes, got > 0 ? static_cast<std::size_t>(got) : 0)));
    return fail(Errc::conflict, "a server with data directory " + data_dir + " runs already" +
                                    (pid.empty() ? "" : " (process " + pid + ")") +
                                    ". Stop it, or give this one another --data-dir and --listen");
  }
  const std::string line = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), line.data(), line.size(), 0) < 0)
    return fail_errno(errno, "write " + path);
  return fd;
}

Result<Places> prepare_places(config::Config& config, const SystemUser& control, const SystemUser& importer) {
  Places out;
  SB_TRY(out.instance, config::ensure_instance(config.data_dir));
  if (config.run_dir.empty()) {
    SB_TRY(config.run_dir, derive_run_dir(out));
  }
  out.run_dir = config.run_dir;
  if (config.pool_dir.empty()) config.pool_dir = config.data_dir + "/pool";
  if (config.images.empty()) config.images = config.data_dir + "/images";
  if (config.toolbox.empty()) {
    SB_TRY(config.toolbox, executable_beside("sebring-toolbox"));
  }
  if (config.toolbox_git.empty()) {
    SB_TRY(config.toolbox_git, executable_beside("sebring-toolbox-git"));
  }
  const Directory directories[] = {
      {config.data_dir + "/control", control.uid, control.gid, 0700},
      {config.data_dir + "/runner", 0, 0, 0700},
      {config.data_dir + "/import", 0, importer.gid, 0750},
      {config.pool_dir, 0, 0, 0700},
      {config.run_dir, 0, 0, 0755},
      {config.run_dir + "/control", control.uid, control.gid, 0750},
      {config.run_dir + "/runner", 0, 0, 0711},
  };
  for (const Directory& directory : directories) SB_CHECK(make_directory(directory));
  SB_CHECK(check_reachable(config.data_dir));
  SB_CHECK(claim_run_dir(config.run_dir, config.data_dir));
  if (config.sandbox_network.empty()) {
    SB_TRY(NetworkChoice choice, choose_network(config.run_dir, out.instance));
    config.sandbox_network = choice.network;
    out.network_claim = std::move(choice.claim);
  }
  return out;
}

void remove_run_dir(const Places& places) {
  std::error_code ignored;
  // By name: the directory may be one that the administrator chose and uses for more.
  for (const char* ours : {"control", "runner", "runner.sock", "dial.sock", "data-dir", "network"})
    std::filesystem::remove_all(places.run_dir + "/" + ours, ignored);
  ::rmdir(places.run_dir.c_str());
  if (!places.run_link.empty()) std::filesystem::remove(places.run_link, ignored);
}

}  // namespace sebring
