#pragma once
// Which shell runs the user's commands.
#include <string>
#include <vector>

#include "toolbox/context.h"

namespace sebring::toolbox {

// Paths to try in this order (StartSpec::candidates): every zsh of the image's shells file, then every bash, then
// $SHELL of the environment, then /bin/sh and its usual other places. The file is read again when it has changed.
std::vector<std::string> shell_candidates(const Context& context);
// The same from the file's text.
std::vector<std::string> choose_shells(std::string_view shells_file, std::string_view shell_variable);

// The file to execute for the shell at `path`, whose name (argv[0]) stays `path`. An image may bring its bash once
// more, linked statically, which starts a quarter sooner: root's file /usr/libexec/sebring/bash with the very time
// stamp of /bin/bash, so that a bash that was replaced since is not passed over. `path` itself in every other case.
std::string quick_form(const std::string& path);

}  // namespace sebring::toolbox
