#pragma once
// One line per event on standard error; the supervisor adds time and place.
#include <string_view>

namespace sebring::control {

void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace sebring::control
