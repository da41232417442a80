#pragma once
// The files of the terminal's page.
#include <optional>
#include <string_view>

namespace sebring::terminal {

// `name` as below assets/: "terminal.js", "vendor/xterm.mjs".
std::optional<std::string_view> find_asset(std::string_view name);

}  // namespace sebring::terminal
