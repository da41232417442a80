#pragma once
#include "control/config.h"
#include "control/runner_client.h"
#include "model/sandbox.h"

namespace sebring::control {

// What the runner needs to run this sandbox. `must_exist`: it has a disk already, which must not be made anew.
// `check_user`: somebody named the user, whom the image may not know.
RunnerSpec make_runner_spec(const ControlConfig& config, const model::Sandbox& sandbox, bool must_exist,
                            bool check_user = false);

// The toolbox's configuration, opaque to the runner; toolbox/configuration.h reads it. Its environment is the image's,
// then what tells a program where it is (DAYTONA_SANDBOX_ID and the like, which clients' programs look for), then the
// sandbox's own, the later winning. `kept_disk`: of an earlier life.
std::string make_toolbox_configuration(const ControlConfig& config, const model::Sandbox& sandbox, bool kept_disk,
                                       bool check_user = false);

}  // namespace sebring::control
