#pragma once
// Texts of scripts/, built into the program.
#include <string_view>

namespace sebring::toolbox {

extern const std::string_view kChartWrapper;
extern const std::string_view kTypescriptLoader;

}  // namespace sebring::toolbox
