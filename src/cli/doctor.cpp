#include "cli/doctor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "base/unique_fd.h"
#include "cli/table.h"

namespace sebring::cli {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::good:
      return "ok";
    case Severity::advice:
      return "advice";
    case Severity::degraded:
      return "degraded";
    case Severity::missing:
      return "MISSING";
  }
  return "";
}

}  // namespace

std::optional<std::string> HostFiles::read(std::string_view path) const {
  UniqueFd fd(::open((root + std::string(path)).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::string out;
  char bytes[16 * 1024];
  while (out.size() < kFileBytesMax) {
    ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    out.append(bytes, static_cast<std::size_t>(got));
  }
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

bool HostFiles::exists(std::string_view path) const { return ::access((root + std::string(path)).c_str(), F_OK) == 0; }

std::string existing_parent(std::string path) {
  while (path.size() > 1 && ::access(path.c_str(), F_OK) != 0) path.erase(path.rfind('/'));
  return path.empty() ? "/" : path;
}

std::pair<int, int> kernel_version(std::string_view release) {
  auto parts = split(release, '.');
  if (parts.size() < 2) return {0, 0};
  std::string_view minor = parts[1].substr(0, parts[1].find_first_not_of("0123456789"));
  return {static_cast<int>(parse_integer(parts[0]).value_or(0)), static_cast<int>(parse_integer(minor).value_or(0))};
}

std::vector<Finding> examine(const config::Config& config) {
  const HostFiles host;
  std::vector<Finding> out;
  for (auto&& part : {examine_kernel(host), probe_features(config.data_dir), examine_host(host),
                      examine_storage(config), examine_programs(config)})
    out.insert(out.end(), part.begin(), part.end());
  return out;
}

bool can_run(const std::vector<Finding>& findings) {
  return std::ranges::none_of(findings, [](const Finding& one) { return one.severity == Severity::missing; });
}

std::string render_findings(const std::vector<Finding>& findings, bool all) {
  std::string out;
  std::vector<std::size_t> counts(4, 0);
  for (const Finding& one : findings) ++counts[static_cast<std::size_t>(one.severity)];
  if (all) {
    Table table({"AREA", "CHECK", "RESULT", "FOUND"});
    for (const Finding& one : findings) table.add({one.area, one.check, std::string(name_of(one.severity)), one.found});
    out = table.render() + "\n";
  }
  for (Severity severity : {Severity::missing, Severity::degraded, Severity::advice}) {
    for (const Finding& one : findings) {
      if (one.severity != severity) continue;
      out += std::string(name_of(severity)) + "  " + one.area + ": " + one.check + ": " + printable(one.found) + "\n";
      out += "    cost: " + one.cost + "\n    mend: " + one.mend + "\n";
    }
  }
  out += can_run(findings) ? "This machine can run sebring" : "This machine can not run sebring yet";
  out += ": " + std::to_string(counts[0]) + " checks good, " + std::to_string(counts[3]) + " missing, " +
         std::to_string(counts[2]) + " degraded, " + std::to_string(counts[1]) + " with advice.\n";
  return out;
}

boost::json::value findings_json(const std::vector<Finding>& findings) {
  boost::json::array list;
  for (const Finding& one : findings)
    list.push_back(boost::json::object{{"area", one.area},
                                       {"check", one.check},
                                       {"severity", to_lower(name_of(one.severity))},
                                       {"found", to_valid_utf8(one.found)},
                                       {"cost", one.cost},
                                       {"mend", one.mend}});
  return boost::json::object{{"canRun", can_run(findings)}, {"findings", std::move(list)}};
}

}  // namespace sebring::cli
