#pragma once
// Pipes and devices in places where git expects files. Opening or reading one may take for ever, so they are not opened
// (plain_open.cpp of the executable); what libgit2 reports then is explained with the path.
#include <string>

namespace sebring::toolbox_git {

void refuse_file(const char* path);
// The last one; empty when there was none.
const std::string& refused_file();

}  // namespace sebring::toolbox_git
