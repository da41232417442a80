#include "toolbox_git/configuration.h"

#include "toolbox_git/git_error.h"

namespace sebring::toolbox_git {

Result<Config> configuration_of(git_repository* repository) {
  Config config;
  if (repository) {
    GIT_CHECK(git_repository_config_snapshot(out(config), repository), "read configuration");
    return config;
  }
  Config live;
  GIT_CHECK(git_config_open_default(out(live)), "read configuration");
  GIT_CHECK(git_config_snapshot(out(config), live.get()), "read configuration");
  return config;
}

std::optional<std::string> config_text(git_config* config, const char* name) {
  Buffer value;
  if (git_config_get_string_buf(value.get(), config, name) != 0) return std::nullopt;
  return std::string(value.text());
}

std::optional<bool> config_boolean(git_config* config, const char* name) {
  int value = 0;
  if (git_config_get_bool(&value, config, name) != 0) return std::nullopt;
  return value != 0;
}

namespace {

std::vector<std::string> collect(git_config_iterator* iterator) {
  std::vector<std::string> values;
  git_config_entry* entry = nullptr;
  while (git_config_next(&entry, iterator) == 0)
    if (entry->value) values.emplace_back(entry->value);
  return values;
}

}  // namespace

std::vector<std::string> config_values(git_config* config, const char* name) {
  ConfigIterator iterator;
  if (git_config_multivar_iterator_new(out(iterator), config, name, nullptr) != 0) return {};
  return collect(iterator.get());
}

std::vector<std::string> config_values_matching(git_config* config, const char* pattern) {
  ConfigIterator iterator;
  if (git_config_iterator_glob_new(out(iterator), config, pattern) != 0) return {};
  return collect(iterator.get());
}

}  // namespace sebring::toolbox_git
