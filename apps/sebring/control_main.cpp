// What the control process is made of.
#include "cli/output.h"
#include "role.h"

namespace sebring {

int run_control(RoleInput) {
  return cli::Output().fail(Error(Errc::not_implemented, "this build has no control plane"), 78);
}

}  // namespace sebring
