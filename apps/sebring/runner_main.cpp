// What the runner process is made of.
#include "cli/output.h"
#include "role.h"

namespace sebring {

int run_runner(RoleInput) { return cli::Output().fail(Error(Errc::not_implemented, "this build has no runner"), 78); }

}  // namespace sebring
