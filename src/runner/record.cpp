#include "runner/record.h"

#include <boost/json.hpp>

#include "json/json.h"
#include "os/link.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

const char* state_name(State state) {
  switch (state) {
    case State::running:
      return "running";
    case State::deleting:
      return "deleting";
    case State::stopped:
      break;
  }
  return "stopped";
}

State state_of(std::string_view name) {
  if (name == "running") return State::running;
  return name == "deleting" ? State::deleting : State::stopped;
}

bj::array network_json(const runtime::NetworkPolicy& policy) {
  bj::array allow;
  for (const auto& cidr : policy.allow)
    allow.emplace_back(os::address_text(cidr.address) + "/" + std::to_string(cidr.prefix));
  return allow;
}

std::optional<Cause> parse_cause(const bj::object* object) {
  if (!object) return std::nullopt;
  json::ObjectReader reader(*object);
  Cause cause;
  cause.kind = reader.text("kind").value_or("killed");
  cause.message = reader.text("message").value_or("");
  if (auto bytes = reader.integer("limitBytes", 0)) cause.limit_bytes = static_cast<std::uint64_t>(*bytes);
  if (auto bytes = reader.integer("peakBytes", 0)) cause.peak_bytes = static_cast<std::uint64_t>(*bytes);
  cause.victim = reader.text("victim").value_or("");
  return cause;
}

std::uint64_t unsigned_of(json::ObjectReader& reader, const char* name) {
  return static_cast<std::uint64_t>(reader.integer(name, 0).value_or(0));
}

}  // namespace

bj::object cause_json(const Cause& cause) {
  bj::object object{{"kind", cause.kind}, {"message", cause.message}};
  if (cause.limit_bytes) object["limitBytes"] = *cause.limit_bytes;
  if (cause.peak_bytes) object["peakBytes"] = *cause.peak_bytes;
  if (!cause.victim.empty()) object["victim"] = cause.victim;
  return object;
}

std::string record_line(const Record& record) {
  bj::array layers, hosts;
  for (const auto& layer : record.layers) layers.emplace_back(layer);
  for (const auto& host : record.hosts) hosts.push_back(bj::object{{"address", host.address}, {"name", host.name}});
  bj::object object{{"disk", record.disk},
                    {"id", record.id},
                    {"state", state_name(record.state)},
                    {"layers", std::move(layers)},
                    {"cpus", record.limits.cpus},
                    {"memoryBytes", record.limits.memory_bytes},
                    {"diskBytes", record.limits.disk_bytes},
                    {"pidsMax", record.limits.pids_max},
                    {"diskHeldBytes", record.disk_held_bytes},
                    {"hostname", record.hostname},
                    {"hosts", std::move(hosts)},
                    {"blockAll", record.network.block_all},
                    {"allow", network_json(record.network)},
                    {"linkedTo", record.linked_to},
                    {"files", std::to_string(record.files_written)},
                    {"index", record.index},
                    {"pid", record.pid},
                    {"startTime", record.start_time},
                    {"bootId", record.boot_id},
                    {"startedAtMs", record.started_at_ms},
                    {"paused", record.paused}};
  if (record.cause) object["cause"] = cause_json(*record.cause);
  return bj::serialize(object) + "\n";
}

std::string gone_line(const std::string& disk) { return bj::serialize(bj::object{{"gone", disk}}) + "\n"; }

Result<JournalEntry> parse_journal_line(std::string_view line) {
  SB_TRY(auto object, json::parse_object(line));
  json::ObjectReader reader(object);
  JournalEntry entry;
  if (auto gone = reader.text("gone")) {
    entry.gone = *gone;
    return entry;
  }
  Record record;
  record.disk = reader.required_text("disk");
  record.id = reader.required_text("id");
  record.state = state_of(reader.text("state").value_or(""));
  record.layers = reader.texts("layers").value_or(std::vector<std::string>{});
  record.limits.cpus = reader.number("cpus").value_or(1);
  record.limits.memory_bytes = unsigned_of(reader, "memoryBytes");
  record.limits.disk_bytes = unsigned_of(reader, "diskBytes");
  record.limits.pids_max = static_cast<std::uint32_t>(unsigned_of(reader, "pidsMax"));
  record.disk_held_bytes = unsigned_of(reader, "diskHeldBytes");
  record.hostname = reader.text("hostname").value_or("");
  if (const auto* hosts = reader.array("hosts"))
    for (const auto& host : *hosts)
      if (host.is_object()) {
        json::ObjectReader fields(host.get_object());
        record.hosts.push_back({fields.text("address").value_or(""), fields.text("name").value_or("")});
      }
  record.network.block_all = reader.boolean("blockAll").value_or(false);
  for (const auto& text : reader.texts("allow").value_or(std::vector<std::string>{})) {
    SB_TRY(auto cidr, os::parse_cidr(text));
    record.network.allow.push_back(cidr);
  }
  record.linked_to = reader.text("linkedTo").value_or("");
  record.files_written = std::strtoull(reader.text("files").value_or("0").c_str(), nullptr, 10);
  record.index = static_cast<runtime::Index>(unsigned_of(reader, "index"));
  record.pid = static_cast<pid_t>(reader.integer("pid").value_or(-1));
  record.start_time = unsigned_of(reader, "startTime");
  record.boot_id = reader.text("bootId").value_or("");
  record.started_at_ms = reader.integer("startedAtMs").value_or(0);
  record.paused = reader.boolean("paused").value_or(false);
  record.cause = parse_cause(reader.object("cause"));
  SB_CHECK(reader.finish());
  entry.record = std::move(record);
  return entry;
}

}  // namespace sebring::runner
