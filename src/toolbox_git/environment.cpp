#include "toolbox_git/environment.h"

#include <cstdlib>

namespace sebring::toolbox_git {

// NOLINTBEGIN(concurrency-mt-unsafe): one thread.
std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

void set_environment_variable(const char* name, const char* value) { ::setenv(name, value, 1); }
// NOLINTEND(concurrency-mt-unsafe)

std::string home_directory() { return environment_variable("HOME"); }

std::string xdg_directory() {
  const auto base = environment_variable("XDG_CONFIG_HOME");
  return (base.empty() ? home_directory() + "/.config" : base) + "/git";
}

}  // namespace sebring::toolbox_git
