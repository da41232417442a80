#include "os/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "os/file.h"
#include "os/program.h"

namespace sebring::os {
namespace {

std::string device_path(long number) { return "/dev/loop" + std::to_string(number); }

// Inode and device of the backing file, not its path: that may have been renamed, or lie in another mount namespace.
Result<UniqueFd> find_existing(const struct stat& file, std::string& path) {
  SB_TRY(auto names, list_dir_at(AT_FDCWD, "/sys/block"));
  for (const auto& name : names) {
    if (!name.starts_with("loop") || !exists_at(AT_FDCWD, "/sys/block/" + name + "/loop/backing_file")) continue;
    auto device = open_at(AT_FDCWD, "/dev/" + name, O_RDWR);
    loop_info64 info{};
    if (!device || ::ioctl(device->get(), LOOP_GET_STATUS64, &info) < 0) continue;
    if (info.lo_inode != file.st_ino || info.lo_device != file.st_dev) continue;
    path = "/dev/" + name;
    return std::move(*device);
  }
  return UniqueFd();
}

// Where nobody has made the node for a module that is not loaded (udev does), only its name loads it.
Result<UniqueFd> open_control() {
  auto control = open_at(AT_FDCWD, "/dev/loop-control", O_RDWR);
  if (control || control.error().os_errno() != ENOENT) return control;
  if (auto loaded = run_program_checked({"modprobe", "loop"}); !loaded)
    return fail(Errc::unavailable, "no loop devices: " + loaded.error().message());
  return open_at(AT_FDCWD, "/dev/loop-control", O_RDWR);
}

Result<LoopDevice> configure_free_device(int file) {
  SB_TRY(auto control, open_control());
  loop_config config{};
  config.fd = static_cast<unsigned>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  for (int tries = 0; tries < 64; ++tries) {
    long number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno(errno, "find a free loop device");
    auto device = open_at(AT_FDCWD, device_path(number), O_RDWR);
    if (!device) return std::unexpected(std::move(device).error());
    if (::ioctl(device->get(), LOOP_CONFIGURE, &config) == 0)
      return LoopDevice{std::move(*device), device_path(number), (config.info.lo_flags & LO_FLAGS_DIRECT_IO) != 0};
    if (errno == EINVAL && (config.info.lo_flags & LO_FLAGS_DIRECT_IO)) {
      config.info.lo_flags &= ~static_cast<unsigned>(LO_FLAGS_DIRECT_IO);
      continue;
    }
    if (errno != EBUSY) return fail_errno(errno, "set up " + device_path(number));
  }
  return fail(Errc::unavailable, "set up a loop device: all are taken");
}

}  // namespace

Result<LoopDevice> attach_loop(int file) {
  struct stat status;
  if (::fstat(file, &status) < 0) return fail_errno(errno, "stat the pool's file");
  std::string path;
  SB_TRY(auto existing, find_existing(status, path));
  if (existing) return LoopDevice{std::move(existing), path, true};
  SB_TRY(auto made, configure_free_device(file));
  if (!made.direct_io && ::ioctl(made.device.get(), LOOP_SET_DIRECT_IO, 1UL) == 0) made.direct_io = true;
  return made;
}

Result<void> refresh_loop_size(int device) {
  if (::ioctl(device, LOOP_SET_CAPACITY) < 0) return fail_errno(errno, "resize the loop device");
  return {};
}

}  // namespace sebring::os
