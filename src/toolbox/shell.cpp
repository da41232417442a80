#include "toolbox/shell.h"

#include <sys/stat.h>

#include <algorithm>

#include "toolbox/identity.h"

namespace sebring::toolbox {
namespace {

constexpr const char* kQuickBash = "/usr/libexec/sebring/bash";

bool is_roots_program(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_uid == 0 && (status.st_mode & 0111) == 0111 &&
         (status.st_mode & (S_IWGRP | S_IWOTH | S_ISUID | S_ISGID)) == 0;
}

}  // namespace

std::vector<std::string> choose_shells(std::string_view shells_file, std::string_view shell_variable) {
  const std::vector<std::string> listed = parse_shells(shells_file);
  std::vector<std::string> chosen;
  auto add = [&](std::string_view path) {
    if (std::find(chosen.begin(), chosen.end(), path) == chosen.end()) chosen.emplace_back(path);
  };
  for (std::string_view name : {"/zsh", "/bash"}) {
    for (const std::string& path : listed) {
      if (path.ends_with(name)) add(path);
    }
  }
  // A login shell that refuses logins would refuse every command too.
  const bool refuses = shell_variable.ends_with("/nologin") || shell_variable.ends_with("/false");
  if (shell_variable.starts_with('/') && !refuses) add(shell_variable);
  for (std::string_view path : {"/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash", "/busybox/sh"}) add(path);
  return chosen;
}

std::vector<std::string> shell_candidates(const Context& context) {
  const auto variable = context.environment.find("SHELL");
  return choose_shells(read_image_file("/etc/shells", 64 << 10),
                       variable == context.environment.end() ? "" : variable->second);
}

std::string quick_form(const std::string& path) {
  if (path != "/bin/bash" && path != "/usr/bin/bash") return path;
  struct stat usual{};
  struct stat quick{};
  const bool same = ::stat(path.c_str(), &usual) == 0 && ::lstat(kQuickBash, &quick) == 0 && is_roots_program(quick) &&
                    usual.st_mtim.tv_sec == quick.st_mtim.tv_sec && usual.st_mtim.tv_nsec == quick.st_mtim.tv_nsec;
  return same ? kQuickBash : path;
}

}  // namespace sebring::toolbox
