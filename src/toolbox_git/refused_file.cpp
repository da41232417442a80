#include "toolbox_git/refused_file.h"

namespace sebring::toolbox_git {
namespace {

std::string& last() {
  static std::string path;  // one thread
  return path;
}

}  // namespace

void refuse_file(const char* path) { last() = path; }

const std::string& refused_file() { return last(); }

}  // namespace sebring::toolbox_git
