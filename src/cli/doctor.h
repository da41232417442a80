#pragma once
// `sebring doctor`: what this machine lacks, what that costs, and the command that mends it. Changes nothing.
#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace sebring::cli {

enum class Severity {
  good,
  advice,    // works; something is slower, or less well guarded
  degraded,  // works without something that users will ask for
  missing,   // the server can not run
};

struct Finding {
  std::string area;   // "kernel", "cgroups", "storage", "network", "host", "programs"
  std::string check;  // "user namespaces"
  Severity severity = Severity::good;
  std::string found;
  std::string cost;  // what is lost; empty when good
  std::string mend;  // a command or a sentence; empty when good
};

// Where to look, so that tests can build a host out of files.
struct HostFiles {
  std::string root;  // "" is this machine; otherwise a directory with proc/, sys/, lib/
  // Whole file, at most 1 MiB, without the final newline; nullopt when it can not be read.
  std::optional<std::string> read(std::string_view path) const;
  bool exists(std::string_view path) const;
};

// From files alone.
std::vector<Finding> examine_kernel(const HostFiles& host);  // version, file systems, cgroups, pressure
std::vector<Finding> examine_host(const HostFiles& host);    // sysctls and other settings of the machine
std::vector<Finding> examine_storage(const config::Config& config);
std::vector<Finding> examine_programs(const config::Config& config);
// By trying, in a process of its own: namespaces, id-mapped mounts, links, nftables. Without root they say so.
std::vector<Finding> probe_features(const std::string& data_dir);

std::vector<Finding> examine(const config::Config& config);

bool can_run(const std::vector<Finding>& findings);
// `all`: also what is good.
std::string render_findings(const std::vector<Finding>& findings, bool all);
boost::json::value findings_json(const std::vector<Finding>& findings);

// The nearest parent that exists: before the first start there is no data directory.
std::string existing_parent(std::string path);
// "6.1.0-18-amd64" -> {6, 1}; {0, 0} for what is no version.
std::pair<int, int> kernel_version(std::string_view release);

}  // namespace sebring::cli
