#pragma once
// What the control plane tells a toolbox about its sandbox. JSON, opaque to the runner in between:
//   {"sandboxId": "...",          required
//    "version": "0.1.0",          of sebring, answered by GET /version
//    "user": "daytona",           as an image names it (identity.h); "" is root
//    "workDir": "/home/daytona",  image WORKDIR; "" or absent: the user's home
//    "env": {"NAME": "value"},    image ENV, then the sandbox's own, merged by control
//    "entrypoint": ["sh", "-c"],  image ENTRYPOINT + CMD; absent or empty: none
//    "hostname": "...",           for HOSTNAME in the environment; the name itself is set by the runner
//    "cpus": 1.5,                 its share, for GET /system/metrics; absent: what the kernel lets us run on. A later
//                                 change comes with the requests (metrics.h)
//    "keptDisk": true,            the disk is of an earlier life
//    "checkUser": true,           the user is not the image's own: the slot is refused where the image does not know it
//    "logDir": "/..."}            for session logs; absent: chosen here
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "toolbox/context.h"

namespace sebring::toolbox {

struct Configuration {
  std::string sandbox_id;
  std::string version;
  std::string user;
  std::string work_dir;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> entrypoint;
  std::string hostname;
  std::string log_dir;
  double cpus = 0;
  bool kept_disk = false;
  bool check_user = false;
};

Result<Configuration> parse_configuration(std::string_view json);

// ^[A-Za-z_][A-Za-z0-9_]*$
bool is_environment_name(std::string_view name);
// "NAME=value" for a process: the context's, with `extra` on top, and UTF-8 as the text's encoding where neither says
// anything of a locale. Errc::invalid_argument for a name that is none.
Result<std::vector<std::string>> environment_of(const Context& context,
                                                const std::vector<std::pair<std::string, std::string>>& extra = {});
// The environment of a login of `user`, before the image's and the sandbox's own are laid over it.
Environment login_environment(const Identity& user);

}  // namespace sebring::toolbox
