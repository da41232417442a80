#pragma once
// The helper's whole life: one job from `in`, its events and answer to `out`.

namespace sebring::toolbox_git {

// Descriptors are borrowed. Returns the exit code: 0 when an answer or a typed error was written whole.
int run(int in, int out);

}  // namespace sebring::toolbox_git
