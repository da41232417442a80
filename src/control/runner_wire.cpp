#include "control/runner_wire.h"

#include <array>
#include <boost/json.hpp>

#include "json/json.h"

namespace sebring::control {
namespace bj = boost::json;
namespace {

bj::array texts(const std::vector<std::string>& list) {
  bj::array array;
  for (const std::string& text : list) array.emplace_back(text);
  return array;
}

std::optional<RunnerCause> read_cause(json::ObjectReader& reader) {
  const bj::object* object = reader.object("cause");
  if (object == nullptr) return std::nullopt;
  json::ObjectReader fields(*object);
  RunnerCause cause;
  cause.kind = fields.text("kind").value_or("killed");
  cause.message = fields.text("message").value_or("");
  cause.limit_bytes = fields.integer("limitBytes");
  cause.peak_bytes = fields.integer("peakBytes");
  cause.victim = fields.text("victim").value_or("");
  return cause;
}

struct CodeName {
  std::string_view name;
  Errc code;
};
constexpr std::array kCodes = {CodeName{"invalid_argument", Errc::invalid_argument},
                               CodeName{"forbidden", Errc::forbidden},
                               CodeName{"not_found", Errc::not_found},
                               CodeName{"timed_out", Errc::timed_out},
                               CodeName{"conflict", Errc::conflict},
                               CodeName{"gone", Errc::gone},
                               CodeName{"too_large", Errc::too_large},
                               CodeName{"unprocessable", Errc::unprocessable},
                               CodeName{"exhausted", Errc::exhausted},
                               CodeName{"internal", Errc::internal},
                               CodeName{"not_implemented", Errc::not_implemented},
                               CodeName{"bad_gateway", Errc::bad_gateway},
                               CodeName{"unavailable", Errc::unavailable}};

Errc code_of_status(int status) {
  switch (status) {
    case 400:
      return Errc::invalid_argument;
    case 404:
      return Errc::not_found;
    case 409:
      return Errc::conflict;
    case 422:
      return Errc::unprocessable;
    case 429:
      return Errc::exhausted;
    case 501:
      return Errc::not_implemented;
    case 503:
      return Errc::unavailable;
    default:
      return Errc::internal;
  }
}

}  // namespace

std::string write_spec(const RunnerSpec& spec) {
  bj::object image{{"layers", texts(spec.layers)}};
  if (!spec.base.empty()) image["base"] = spec.base;
  bj::array hosts;
  for (const auto& host : spec.hosts) hosts.push_back(bj::object{{"address", host.address}, {"name", host.name}});
  bj::object object{{"image", std::move(image)},
                    {"cpus", spec.cpus},
                    {"memoryBytes", spec.memory_bytes},
                    {"diskBytes", spec.disk_bytes},
                    {"pidsMax", spec.pids_max},
                    {"hostname", spec.hostname},
                    {"hosts", std::move(hosts)},
                    {"network", bj::object{{"blockAll", spec.block_all}, {"allow", texts(spec.allow)}}},
                    {"mustExist", spec.must_exist}};
  if (!spec.linked_to.empty()) object["linkedTo"] = spec.linked_to;
  boost::system::error_code error;
  bj::value toolbox = bj::parse(spec.toolbox, error);
  object["toolbox"] = error ? bj::value(bj::object()) : std::move(toolbox);
  return json::serialize(object);
}

std::string write_limits(const RunnerLimits& limits) {
  bj::object object;
  if (limits.cpus) object["cpus"] = *limits.cpus;
  if (limits.memory_bytes) object["memoryBytes"] = *limits.memory_bytes;
  if (limits.disk_bytes) object["diskBytes"] = *limits.disk_bytes;
  return json::serialize(object);
}

Result<RunnerInfo> read_info(const bj::object& object) {
  json::ObjectReader reader(object);
  RunnerInfo info;
  info.version = reader.text("version").value_or("");
  info.boot_id = reader.text("bootId").value_or("");
  info.cpus = reader.number("cpus").value_or(0);
  info.memory_bytes = reader.integer("memoryBytes").value_or(0);
  if (const bj::object* pool = reader.object("pool")) {
    json::ObjectReader fields(*pool);
    info.pool_total_bytes = fields.integer("totalBytes").value_or(0);
    info.pool_free_bytes = fields.integer("freeBytes").value_or(0);
  }
  SB_CHECK(reader.finish());
  return info;
}

Result<RunnerReport> read_report(const bj::object& object) {
  json::ObjectReader reader(object);
  RunnerReport report;
  report.id = reader.required_text("id");
  const std::string state = reader.required_text("state");
  report.socket = reader.text("socket").value_or("");
  report.boot_id = reader.text("bootId").value_or("");
  report.address = reader.text("address").value_or("");
  report.cause = read_cause(reader);
  if (state == "running") {
    report.state = RunnerState::running;
  } else if (state == "paused") {
    report.state = RunnerState::paused;
  } else if (state == "stopped") {
    report.state = RunnerState::stopped;
  } else {
    reader.error("state is unknown");
  }
  if (auto read = reader.finish(); !read) {
    return fail(Errc::bad_gateway, "The runner's report cannot be read: " + read.error().message());
  }
  return report;
}

Result<std::vector<RunnerReport>> read_reports(const bj::object& object) {
  json::ObjectReader reader(object);
  const bj::array* array = reader.array("sandboxes");
  if (array == nullptr) return fail(Errc::bad_gateway, "The runner's inventory cannot be read");
  std::vector<RunnerReport> reports;
  for (const bj::value& entry : *array) {
    if (!entry.is_object()) return fail(Errc::bad_gateway, "The runner's inventory cannot be read");
    SB_TRY(auto report, read_report(entry.get_object()));
    reports.push_back(std::move(report));
  }
  return reports;
}

std::optional<RunnerEvent> read_event(std::string_view line) {
  auto object = json::parse_object(line);
  if (!object) return std::nullopt;
  json::ObjectReader reader(*object);
  const std::string type = reader.text("type").value_or("");
  RunnerEvent event;
  if (type == "hello") {
    event.boot_id = reader.text("bootId").value_or("");
    return event;
  }
  if (type != "exited") return std::nullopt;
  event.kind = RunnerEvent::Kind::exited;
  event.id = reader.text("id").value_or("");
  if (auto cause = read_cause(reader)) event.cause = std::move(*cause);
  return event;
}

Error read_error(int status, const bj::object* body) {
  Errc code = code_of_status(status);
  std::string message = "The runner answered with status " + std::to_string(status);
  if (body != nullptr) {
    json::ObjectReader reader(*body);
    const std::string name = reader.text("code").value_or("");
    for (const CodeName& known : kCodes) {
      if (known.name == name) code = known.code;
    }
    message = reader.text("message").value_or(message);
  }
  return Error(code, std::move(message));
}

}  // namespace sebring::control
