#include "runtime/root.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "os/file.h"
#include "os/mount.h"

namespace sebring::runtime {
namespace {

// Raw calls: they change this thread alone.
class BorrowedIds {
 public:
  explicit BorrowedIds(std::uint32_t id) {
    ::syscall(SYS_setfsgid, id);
    ::syscall(SYS_setfsuid, id);
  }
  ~BorrowedIds() {
    ::syscall(SYS_setfsuid, 0);
    ::syscall(SYS_setfsgid, 0);
  }
};

constexpr std::size_t kOptionMax = 255;  // of the kernel, for one value

// Makes the folder of our descriptors the current one, of this thread alone: names in it are short, so that more of
// them fit into one option.
class AmongDescriptors {
 public:
  Result<void> enter() {
    thread_local bool alone = false;
    if (!alone && ::unshare(CLONE_FS) < 0) return fail_errno(errno, "have a current folder of this thread's own");
    alone = true;
    if (::chdir("/proc/self/fd") < 0) return fail_errno(errno, "enter the folder of descriptors");
    entered_ = true;
    return {};
  }
  AmongDescriptors() = default;
  AmongDescriptors(const AmongDescriptors&) = delete;
  AmongDescriptors& operator=(const AmongDescriptors&) = delete;
  ~AmongDescriptors() {
    if (entered_) (void)!::chdir("/");
  }

 private:
  bool entered_ = false;
};

Result<void> set_layers(os::FileSystem& overlay, const std::vector<UniqueFd>& layers, const os::Abilities& abilities) {
  if (abilities.layers_by_descriptor) {
    for (const auto& layer : layers) SB_CHECK(overlay.set_fd("lowerdir+", layer.get()));
    return {};
  }
  std::string list;
  for (const auto& layer : layers) list += (list.empty() ? "" : ":") + std::to_string(layer.get());
  if (list.size() > kOptionMax)
    return fail(Errc::not_implemented, "this kernel mounts no image of " + std::to_string(layers.size()) + " layers");
  return overlay.set("lowerdir", list);
}

}  // namespace

Result<void> prepare_mounting_thread() {
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
    return fail_errno(errno, "keep capabilities while changing file system ids");
  return {};
}

Result<PoolView> make_pool_view(int pool_root, int user_namespace, const os::Abilities& abilities,
                                const std::string& place, Index index) {
  PoolView view;
  SB_TRY(view.mount, os::clone_mount(pool_root, ""));
  SB_CHECK(os::id_map_mount(view.mount.get(), user_namespace));
  if (abilities.detached_sources) return view;
  std::string at = place + "/" + name_of(index);
  SB_CHECK(os::make_dir_at(AT_FDCWD, at, 0755));
  SB_CHECK(os::attach_mount(view.mount.get(), AT_FDCWD, at));
  view.attached_at = at;
  return view;
}

Result<UniqueFd> make_root(const PoolView& view, const RootSpec& spec, const os::Abilities& abilities, Index index) {
  if (spec.layers.empty()) return fail(Errc::invalid_argument, "an image needs at least one layer");
  BorrowedIds borrowed(first_uid(index));
  std::vector<UniqueFd> layers;  // overlayfs wants the topmost first
  for (auto layer = spec.layers.rbegin(); layer != spec.layers.rend(); ++layer) {
    SB_TRY(auto fd, os::open_at(view.mount.get(), *layer, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    layers.push_back(std::move(fd));
  }
  SB_TRY(auto upper, os::open_at(view.mount.get(), spec.upper + "/u", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  SB_TRY(auto work, os::open_at(view.mount.get(), spec.upper + "/w", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  SB_TRY(auto overlay, os::FileSystem::open("overlay"));
  AmongDescriptors here;  // until the mount: before 6.5 the names are looked up only then
  if (!abilities.layers_by_descriptor) SB_CHECK(here.enter());
  SB_CHECK(set_layers(overlay, layers, abilities));
  if (abilities.layers_by_descriptor) {
    SB_CHECK(overlay.set_fd("upperdir", upper.get()));
    SB_CHECK(overlay.set_fd("workdir", work.get()));
  } else {
    SB_CHECK(overlay.set("upperdir", os::fd_path(upper.get())));
    SB_CHECK(overlay.set("workdir", os::fd_path(work.get())));
  }
  // Uppers stay plain layers that can be exported; nothing is found through links that a user could write.
  SB_CHECK(overlay.set("redirect_dir", "nofollow"));
  SB_CHECK(overlay.set("metacopy", "off"));
  SB_CHECK(overlay.set("index", "off"));
  SB_CHECK(overlay.set("xino", "off"));
  SB_TRY(auto root, overlay.mount(MOUNT_ATTR_NODEV));
  // Mounting succeeds read-only when the work directory could not be made: a full disk, ids that are not mapped.
  struct statvfs status;
  if (::fstatvfs(root.get(), &status) < 0 || (status.f_flag & ST_RDONLY))
    return fail(Errc::unavailable, "the root came up read-only: its disk is full or the pool is damaged");
  return root;
}

}  // namespace sebring::runtime
