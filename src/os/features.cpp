#include "os/features.h"

#include <sys/mount.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>

#include "os/mount.h"

namespace sebring::os {
namespace {

Result<UniqueFd> detached_tmpfs() {
  SB_TRY(auto context, FileSystem::open("tmpfs"));
  return context.mount(0);
}

bool kernel_at_least(int major, int minor) {
  utsname name;
  int have_major = 0, have_minor = 0;
  if (::uname(&name) < 0 || std::sscanf(name.release, "%d.%d", &have_major, &have_minor) != 2) return false;
  return have_major > major || (have_major == major && have_minor >= minor);
}

}  // namespace

Abilities probe_abilities() {
  Abilities abilities;
  auto detached = detached_tmpfs();
  if (!detached) return abilities;
  abilities.detached_sources = clone_mount(detached->get(), "").has_value();
  if (auto overlay = FileSystem::open("overlay"))
    abilities.layers_by_descriptor = overlay->set_fd("lowerdir+", detached->get()).has_value();
  abilities.id_mapped_tmpfs = kernel_at_least(6, 3);
  // For tests of the way that older kernels take.
  const char* off = std::getenv("SEBRING_OLD_KERNEL");  // NOLINT(concurrency-mt-unsafe): nobody changes it
  if (off && *off == '1') abilities = {};
  return abilities;
}

}  // namespace sebring::os
