#pragma once
// Every setting of the server, once: what `sebring config`, the flags of `sebring up`, the file and the environment
// share.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace sebring::config {

// Values in force, typed. Empty text means "derived" where the table says so; paths are absolute or empty.
struct Config {
  std::string data_dir;
  std::string run_dir;
  std::string pool_dir;
  std::string images;
  std::string toolbox;
  std::string toolbox_git;
  std::string listen;
  std::string public_url;
  std::string preview_domain;
  std::string ssh_listen;  // "off": no gateway
  std::string tls_listen;  // "off": plain HTTP only
  std::string tls_certificate;
  std::string tls_key;
  std::string trusted_proxies;
  std::string dns;
  std::string sandbox_network;
  std::string log_level;
  std::string control_user;
  std::string import_user;
  std::string default_snapshot;
  std::int64_t pool_size_gib = 0;
  std::int64_t slots = 0;
  std::int64_t cpus_per_sandbox_max = 0;
  std::int64_t memory_gib_per_sandbox_max = 0;
  std::int64_t disk_gib_per_sandbox_max = 0;
  std::int64_t cpus_total_max = 0;  // the three totals: 0 is no limit
  std::int64_t memory_gib_total_max = 0;
  std::int64_t disk_gib_total_max = 0;
  std::int64_t pids_per_sandbox_max = 0;
  std::int64_t patience = 1;
  std::int64_t creates_at_once = 0;
  std::int64_t creates_waiting_max = 0;
  bool wake_stopped = false;
  bool preview_warning = false;
  bool stop_sandboxes_on_exit = true;
};

enum class Kind {
  text,       // one line, no control characters
  path,       // absolute
  address,    // HOST:PORT, host a literal address or "localhost"; IPv6 in brackets; port 0 picks one
  listener,   // an address, or "off"
  url,        // http:// or https:// with a host, without query; a trailing slash is dropped
  domain,     // host name, with an optional port
  addresses,  // literal addresses separated by commas
  ranges,     // literal addresses and CIDR networks separated by commas
  network,    // IPv4 CIDR
  name,       // of a system user
  choice,
  integer,
  boolean,  // true false yes no on off 1 0
};

struct Setting {
  std::string_view name;  // "data-dir": --data-dir, SEBRING_DATA_DIR, data-dir = in the file
  Kind kind;
  std::string_view default_text;  // "" may mean derived; the description says from what
  std::string_view description;
  std::variant<std::string Config::*, std::int64_t Config::*, bool Config::*> member;
  std::int64_t min = 0;           // of an integer
  std::int64_t max = 0;           // of an integer, inclusive
  std::string_view choices = {};  // of a choice, separated by spaces
};

std::span<const Setting> settings();
// nullptr when there is none.
const Setting* find_setting(std::string_view name);
// "SEBRING_DATA_DIR"
std::string environment_name(const Setting& setting);
// "absolute path", "1 to 1024": what a value may be, for help and messages.
std::string allowed_values(const Setting& setting);

// Checks and normalises one value. An empty value is allowed only where the default is empty.
// Errc::invalid_argument naming the setting, the value, and what is allowed.
Result<std::string> normalise(const Setting& setting, std::string_view text);
// Precondition: `normalised` came from normalise().
void assign(Config& config, const Setting& setting, std::string_view normalised);

struct HostPort {
  std::string host;  // literal address, without brackets
  std::uint16_t port = 0;
};
// The value of an `address` setting.
Result<HostPort> parse_address(std::string_view text);

}  // namespace sebring::config
