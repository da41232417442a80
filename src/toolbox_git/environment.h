#pragma once
// The helper's own environment. Only this file touches it, and only from one thread.
#include <string>

namespace sebring::toolbox_git {

std::string environment_variable(const char* name);  // "" when it is not set
void set_environment_variable(const char* name, const char* value);

// Of the user: "" when there is none.
std::string home_directory();
// Where newer files of git's configuration lie: $XDG_CONFIG_HOME/git, else ~/.config/git.
std::string xdg_directory();

}  // namespace sebring::toolbox_git
