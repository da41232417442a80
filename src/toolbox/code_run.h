#pragma once
// Which program runs a piece of code, and what it prints besides its output.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sebring::toolbox {

struct CodeProgram {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  std::string input;              // its standard input
  bool has_charts = false;        // the output may contain them
};

// `language`: python, javascript, typescript. The program reads its text from standard input, as `python3 -u - ARGS`
// and `node - ARGS` do, and finds the end of file behind it.
Result<CodeProgram> make_program(std::string_view language, std::string_view code,
                                 const std::vector<std::string>& arguments);

// Whether Python code uses matplotlib, comments left aside.
bool uses_matplotlib(std::string_view code);

// Takes the lines with charts out of `output` and returns {"charts":[...]}, or "" when there were none.
std::string take_charts(std::string& output);

}  // namespace sebring::toolbox
