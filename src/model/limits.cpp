#include "model/limits.h"

#include <string>

namespace sebring::model {
namespace {

constexpr const char* kRaisePerSandbox =
    "\nNeed higher resource limits per-sandbox? Raise them in the settings of this server.";
constexpr const char* kRaiseTotal = "\nNeed more? Stop or delete sandboxes, or raise the quota in the settings.";

std::unexpected<Error> bad(std::string message) { return fail(Errc::invalid_argument, std::move(message)); }

std::unexpected<Error> above(std::string_view what, int asked, const char* unit, int max) {
  return bad(std::string(what) + " request " + std::to_string(asked) + unit + " exceeds maximum allowed per sandbox (" +
             std::to_string(max) + unit + ")." + kRaisePerSandbox);
}

std::unexpected<Error> no_room(std::string_view what, int max, const char* unit) {
  return bad("Total " + std::string(what) + " limit exceeded. Maximum allowed: " + std::to_string(max) + unit + "." +
             kRaiseTotal);
}

Result<std::int64_t> checked(std::int64_t minutes, const char* what) {
  if (minutes < 0) return bad(std::string(what) + " must be non-negative");
  if (minutes > kIntervalMax) {
    return bad(std::string(what) + " must not be greater than " + std::to_string(kIntervalMax));
  }
  return minutes;
}

}  // namespace

Result<void> check_per_sandbox(const Resources& wanted, const Limits& limits) {
  if (wanted.cpu > limits.cpu_per_sandbox) return above("CPU", wanted.cpu, "", limits.cpu_per_sandbox);
  if (wanted.memory_gib > limits.memory_gib_per_sandbox) {
    return above("Memory", wanted.memory_gib, "GB", limits.memory_gib_per_sandbox);
  }
  if (wanted.disk_gib > limits.disk_gib_per_sandbox) {
    return above("Disk", wanted.disk_gib, "GB", limits.disk_gib_per_sandbox);
  }
  return {};
}

Result<void> check_totals(const Resources& wanted, const Resources& used, const Limits& limits) {
  const auto full = [](int used_now, int more, int total) { return total > 0 && more > 0 && used_now + more > total; };
  if (full(used.cpu, wanted.cpu, limits.cpu_total)) return no_room("CPU", limits.cpu_total, "");
  if (full(used.memory_gib, wanted.memory_gib, limits.memory_gib_total)) {
    return no_room("memory", limits.memory_gib_total, "GiB");
  }
  if (full(used.disk_gib, wanted.disk_gib, limits.disk_gib_total)) {
    return no_room("disk", limits.disk_gib_total, "GiB");
  }
  return {};
}

Result<std::int64_t> check_stop_interval(std::int64_t minutes) { return checked(minutes, "Auto-stop interval"); }
Result<std::int64_t> check_pause_interval(std::int64_t minutes) { return checked(minutes, "Auto-pause interval"); }
Result<std::int64_t> check_ttl(std::int64_t minutes) { return checked(minutes, "TTL"); }

Result<std::int64_t> check_archive_interval(std::int64_t minutes) {
  if (minutes < 0) return bad("Auto-archive interval must be non-negative");
  return minutes == 0 || minutes > kArchiveIntervalMax ? kArchiveIntervalMax : minutes;
}

Result<std::int64_t> check_destroy_interval(std::int64_t minutes) {
  if (minutes > kIntervalMax) {
    return bad("Auto-delete interval must not be greater than " + std::to_string(kIntervalMax));
  }
  return minutes < 0 ? -1 : minutes;
}

Result<void> check_together(const Intervals& intervals) {
  if (intervals.stop > 0 && intervals.pause > 0) {
    return bad("At most one of autoStopInterval and autoPauseInterval may be non-zero");
  }
  if (intervals.pause > 0 && intervals.destroy == 0) {
    return bad("Auto-pause is not allowed for ephemeral sandboxes");
  }
  return {};
}

Result<Resources> resized(const Sandbox& sandbox, const Resize& asked) {
  Resources next = sandbox.resources;
  if (!asked.cpu && !asked.memory_gib && !asked.disk_gib) {
    return bad("At least one of cpu, memory or disk must be given");
  }
  if (asked.cpu) next.cpu = *asked.cpu;
  if (asked.memory_gib) next.memory_gib = *asked.memory_gib;
  if (asked.disk_gib) next.disk_gib = *asked.disk_gib;
  if (next.cpu < 1 || next.memory_gib < 1 || next.disk_gib < 1) return bad("cpu, memory and disk must be at least 1");
  if (next.disk_gib < sandbox.resources.disk_gib) return bad("Disk size cannot be decreased");
  if (sandbox.state != SandboxState::stopped) {
    if (next.disk_gib != sandbox.resources.disk_gib) {
      return bad("Disk can only be resized when the sandbox is stopped");
    }
    if (next.cpu < sandbox.resources.cpu) return bad("CPU can only be decreased when the sandbox is stopped");
    if (next.memory_gib < sandbox.resources.memory_gib) {
      return bad("Memory can only be decreased when the sandbox is stopped");
    }
  }
  return next;
}

}  // namespace sebring::model
