#pragma once
// Which value of each setting is in force, and from where.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace sebring::config {

enum class Origin { default_value, file, environment, flag };

struct Value {
  std::string text;  // normalised
  Origin origin = Origin::default_value;
  std::string where;  // "default", "/etc/x.conf:3", "SEBRING_LISTEN", "--listen"
};

struct Loaded {
  Config config;
  std::vector<Value> values;  // in the order of settings()
  std::string file;           // the file that was read; empty: none
};

using NameValue = std::pair<std::string, std::string>;

struct Sources {
  std::vector<NameValue> flags;        // setting name without dashes, value
  std::vector<NameValue> environment;  // all of it; what does not start with SEBRING_ is ignored
  // --config. Must exist then; otherwise SEBRING_CONFIG, otherwise DATA-DIR/sebring.conf when it exists.
  std::optional<std::string> file;
};

// Unknown names and bad values are errors that name the key and where it stands.
Result<Loaded> load(const Sources& sources);

// For a role started by `sebring up`: all values as "name = value" lines, and back. Origins are lost.
std::string serialise(const Config& config);
Result<Config> deserialise(std::string_view text);

// The environment of this process.
std::vector<NameValue> current_environment();

}  // namespace sebring::config
