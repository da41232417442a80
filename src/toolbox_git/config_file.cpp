#include "toolbox_git/config_file.h"

#include <unistd.h>

#include "base/text.h"
#include "toolbox_git/configuration.h"
#include "toolbox_git/environment.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/repository.h"

namespace sebring::toolbox_git {
namespace {

constexpr char kSystemFile[] = "/etc/gitconfig";

// Where git writes the user's settings: ~/.gitconfig unless only the newer place exists.
Result<std::string> user_file() {
  if (home_directory().empty()) return fail(Errc::internal, "git configuration: there is no home directory");
  const auto classic = home_directory() + "/.gitconfig";
  const auto newer = xdg_directory() + "/config";
  if (::access(classic.c_str(), F_OK) != 0 && ::access(newer.c_str(), F_OK) == 0) return newer;
  return classic;
}

// The scope's own level only, without what the others say.
Result<Config> open_scope(Scope scope, const std::string& repository) {
  Config config;
  if (scope == Scope::local) {
    SB_TRY(auto opened, open_repository(repository));
    Config all;
    GIT_CHECK(git_repository_config(out(all), opened.get()), "open configuration");
    GIT_CHECK(git_config_open_level(out(config), all.get(), GIT_CONFIG_LEVEL_LOCAL), "open configuration");
    return config;
  }
  std::string file = kSystemFile;
  auto level = GIT_CONFIG_LEVEL_SYSTEM;
  if (scope == Scope::global) {
    SB_TRY(file, user_file());
    level = GIT_CONFIG_LEVEL_GLOBAL;
  }
  GIT_CHECK(git_config_new(out(config)), "open configuration");
  GIT_CHECK(git_config_add_file_ondisk(config.get(), file.c_str(), level, nullptr, 0), "open " + file);
  return config;
}

// "section.name" or "section.anything.name".
Result<void> check_key(const std::string& key) {
  const auto first = key.find('.');
  if (first == key.npos || first == 0 || key.ends_with('.'))
    return fail(Errc::invalid_argument, "key '" + key + "' must have the form section.name");
  return {};
}

// git_config_set_multivar writes the value as it is, unlike git_config_set_string: a backslash would make the file
// unreadable, a line feed would add lines to it.
std::string escaped(const std::string& value) {
  constexpr std::string_view kSpecial = "\n\t\b\"\\";
  constexpr std::string_view kLetters = "ntb\"\\";
  std::string text;
  for (const char c : value) {
    const auto at = kSpecial.find(c);
    if (at == kSpecial.npos) {
      text += c;
    } else {
      text += '\\';
      text += kLetters[at];
    }
  }
  return text;
}

Result<void> set(Scope scope, const std::string& repository, const std::string& key, const std::string& value,
                 const char* replaced) {
  SB_CHECK(check_key(key));
  SB_TRY(auto config, open_scope(scope, repository));
  GIT_CHECK(git_config_set_multivar(config.get(), key.c_str(), replaced, escaped(value).c_str()), "set " + key);
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_config(Scope scope, const std::string& repository, const std::string& key) {
  SB_CHECK(check_key(key));
  SB_TRY(auto config, open_scope(scope, repository));
  Buffer value;
  const int rc = git_config_get_string_buf(value.get(), config.get(), key.c_str());
  if (rc == GIT_ENOTFOUND) return std::nullopt;
  GIT_CHECK(rc, "read " + key);
  return to_valid_utf8(value.text());
}

Result<void> write_config(Scope scope, const std::string& repository, const std::string& key,
                          const std::string& value) {
  return set(scope, repository, key, value, ".*");
}

Result<void> add_config_value(Scope scope, const std::string& repository, const std::string& key,
                              const std::string& value) {
  return set(scope, repository, key, value, "a^");  // matches no value, so none is replaced
}

}  // namespace sebring::toolbox_git
