// What the runner process is made of.
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/output.h"
#include "os/file.h"
#include "role.h"
#include "runner/runner.h"
#include "users.h"

namespace sebring {
namespace {

Result<runner::RunnerConfig> runner_config(const RoleInput& input) {
  const config::Config& settings = input.config;
  if (!input.sockets.contains("api") || !input.sockets.contains("dial"))
    return fail(Errc::invalid_argument, "the runner needs its two sockets");
  runner::RunnerConfig out;
  out.version = SEBRING_VERSION;
  out.instance = input.instance;
  out.data_dir = settings.data_dir;
  out.run_dir = settings.run_dir + "/runner";
  out.pool_dir = settings.pool_dir;
  out.images_dir = settings.images;
  out.objects_dir = settings.data_dir + "/objects";
  out.toolbox = settings.toolbox;
  // A build without the helper serves everything but git.
  if (os::exists_at(AT_FDCWD, settings.toolbox_git)) out.toolbox_git = settings.toolbox_git;
  out.pool_bytes = static_cast<std::uint64_t>(settings.pool_size_gib) << 30;
  out.slots = static_cast<std::size_t>(settings.slots);
  for (auto part : split(settings.dns, ','))
    if (auto address = trim(part); !address.empty()) out.dns.emplace_back(address);
  out.network = settings.sandbox_network;
  SB_TRY(SystemUser control, ensure_user(settings.control_user));
  out.control_gid = control.gid;
  SB_CHECK(os::make_dirs(out.objects_dir, 0750));
  if (::chown(out.objects_dir.c_str(), 0, control.gid) != 0)
    return fail_errno(errno, "set the owner of " + out.objects_dir);
  out.api_listen_fd = input.sockets.at("api").get();
  out.dial_listen_fd = input.sockets.at("dial").get();
  if (auto pulse = input.sockets.find("pulse"); pulse != input.sockets.end()) out.pulse_fd = pulse->second.get();
  return out;
}

}  // namespace

int run_runner(RoleInput input) {
  auto settings = runner_config(input);
  if (!settings) return cli::Output().fail(settings.error(), 78);
  return runner::run(*settings);
}

}  // namespace sebring
