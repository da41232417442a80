#include "runner/wire.h"

#include <arpa/inet.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "image/importer.h"
#include "json/json.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr std::int64_t kMemoryMin = 4 << 20, kDiskMin = 1 << 20;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 50;
constexpr double kCpusMin = 0.01, kCpusMax = 4096;
constexpr std::int64_t kPidsMin = 8, kPidsMax = 4 << 20;
constexpr std::int64_t kGraceMax = 24 * 3600 * 1000;
constexpr std::size_t kNetworksMax = 1024, kHostsMax = 1024;

std::optional<double> read_cpus(json::ObjectReader& reader) {
  auto cpus = reader.number("cpus");
  if (cpus && !(*cpus >= kCpusMin && *cpus <= kCpusMax)) reader.error("cpus must be between 0.01 and 4096");
  return cpus;
}

std::optional<std::uint64_t> read_bytes(json::ObjectReader& reader, const char* name, std::int64_t min) {
  auto bytes = reader.integer(name, min, kBytesMax);
  return bytes ? std::optional(static_cast<std::uint64_t>(*bytes)) : std::nullopt;
}

bool is_hostname(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '-' || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == '_'; });
}

bool is_address(const std::string& text) {
  unsigned char space[16];
  return ::inet_pton(AF_INET, text.c_str(), space) == 1 || ::inet_pton(AF_INET6, text.c_str(), space) == 1;
}

void read_hosts(json::ObjectReader& reader, std::vector<runtime::HostEntry>& hosts) {
  const auto* array = reader.array("hosts");
  if (!array) return;
  if (array->size() > kHostsMax) reader.error("hosts must have at most 1024 entries");
  for (const auto& value : *array) {
    if (!value.is_object()) return reader.error("hosts must hold objects");
    json::ObjectReader fields(value.get_object());
    runtime::HostEntry entry{fields.required_text("address"), fields.required_text("name")};
    // What lands in a file that many programs parse: one address, one name, no line of its own making.
    if (!is_address(entry.address) || !is_hostname(entry.name))
      return reader.error("hosts must hold an address and a name each");
    hosts.push_back(std::move(entry));
  }
}

void read_network(json::ObjectReader& reader, const bj::object* object, runtime::NetworkPolicy& policy) {
  if (!object) return;
  json::ObjectReader fields(*object, "network.");
  policy.block_all = fields.boolean("blockAll").value_or(false);
  auto allow = fields.texts("allow").value_or(std::vector<std::string>{});
  if (allow.size() > kNetworksMax) reader.error("network.allow must have at most 1024 entries");
  for (const auto& text : allow) {
    auto cidr = os::parse_cidr(text);
    if (cidr)
      policy.allow.push_back(*cidr);
    else
      reader.error("network.allow: " + cidr.error().message());
  }
  if (auto read = fields.finish(); !read) reader.error(read.error().message());
}

void read_image(json::ObjectReader& reader, Spec& spec) {
  const auto* image = reader.object("image");
  if (!image) return reader.error("image must be an object");
  json::ObjectReader fields(*image, "image.");
  spec.layers = fields.texts("layers").value_or(std::vector<std::string>{});
  spec.base = fields.text("base").value_or("");
  if (spec.layers.empty() && spec.base.empty()) reader.error("image.layers must not be empty");
  if (spec.layers.size() > 128) reader.error("image.layers must have at most 128 entries");
  if (!spec.base.empty() && !image::is_pool_name(spec.base)) reader.error("image.base is no name of a snapshot");
  if (auto read = fields.finish(); !read) reader.error(read.error().message());
}

}  // namespace

bool is_sandbox_id(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  return std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

bool is_plain_path(std::string_view path) {
  if (path.empty() || path.size() > 1024 || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= path.size();) {
    auto slash = path.find('/', at);
    auto part = path.substr(at, slash == std::string_view::npos ? slash : slash - at);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    if (slash == std::string_view::npos) return true;
    at = slash + 1;
  }
  return false;
}

Result<Spec> parse_spec(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  Spec spec;
  read_image(reader, spec);
  spec.limits.cpus = read_cpus(reader).value_or(1);
  spec.limits.memory_bytes = read_bytes(reader, "memoryBytes", kMemoryMin).value_or(spec.limits.memory_bytes);
  spec.limits.disk_bytes = read_bytes(reader, "diskBytes", kDiskMin).value_or(spec.limits.disk_bytes);
  spec.limits.pids_max =
      static_cast<std::uint32_t>(reader.integer("pidsMax", kPidsMin, kPidsMax).value_or(spec.limits.pids_max));
  spec.hostname = reader.text("hostname").value_or("sandbox");
  if (!is_hostname(spec.hostname)) reader.error("hostname must be 1 to 64 letters, digits, dashes or dots");
  read_hosts(reader, spec.hosts);
  read_network(reader, reader.object("network"), spec.network);
  spec.linked_to = reader.text("linkedTo").value_or("");
  if (!spec.linked_to.empty() && !is_sandbox_id(spec.linked_to)) reader.error("linkedTo is no id of a sandbox");
  spec.must_exist = reader.boolean("mustExist").value_or(false);
  const auto* toolbox = object.if_contains("toolbox");
  spec.toolbox = toolbox ? json::serialize(*toolbox) : "{}";
  SB_CHECK(reader.finish());
  return spec;
}

Result<runtime::NetworkPolicy> parse_network(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  runtime::NetworkPolicy policy;
  read_network(reader, &object, policy);
  SB_CHECK(reader.finish());
  return policy;
}

Result<LimitsChange> parse_limits(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  LimitsChange change{read_cpus(reader), read_bytes(reader, "memoryBytes", kMemoryMin),
                      read_bytes(reader, "diskBytes", kDiskMin)};
  SB_CHECK(reader.finish());
  return change;
}

Result<StopOrder> parse_stop(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  StopOrder order{reader.boolean("force").value_or(false), reader.integer("graceMs", 0, kGraceMax).value_or(10'000)};
  SB_CHECK(reader.finish());
  return order;
}

Result<ForkOrder> parse_fork(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  ForkOrder order{reader.required_text("newId"), read_bytes(reader, "diskBytes", kDiskMin).value_or(0)};
  if (!is_sandbox_id(order.new_id)) reader.error("newId is no id of a sandbox");
  SB_CHECK(reader.finish());
  return order;
}

Result<RestoreOrder> parse_restore(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  RestoreOrder order{reader.required_text("path"), reader.required_text("sha256"),
                     read_bytes(reader, "diskBytes", kDiskMin).value_or(runtime::Limits{}.disk_bytes)};
  if (!is_plain_path(order.path)) reader.error("path must be relative, of plain names");
  SB_CHECK(reader.finish());
  return order;
}

Result<std::string> parse_snapshot_name(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  std::string name = reader.required_text("name");
  if (!image::is_pool_name(name)) reader.error("name must be of lower-case letters, digits, dashes");
  SB_CHECK(reader.finish());
  return name;
}

Result<std::string> parse_archive_path(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  std::string path = reader.required_text("path");
  if (!is_plain_path(path)) reader.error("path must be relative, of plain names");
  SB_CHECK(reader.finish());
  return path;
}

Result<ImportOrder> parse_import(std::string_view body) {
  SB_TRY(auto object, json::parse_object(body));
  json::ObjectReader reader(object);
  ImportOrder order{reader.required_text("file"), reader.text("blobDigest").value_or(""),
                    read_bytes(reader, "blobBytes", 1).value_or(0)};
  if (!is_plain_path(order.file)) reader.error("file must be a plain name");
  if (!order.blob_digest.empty() && !image::digest_hex(order.blob_digest)) reader.error("blobDigest is no digest");
  SB_CHECK(reader.finish());
  return order;
}

bj::object report_json(const Record& record, const std::string& socket, const std::string& address) {
  bool runs = record.state == State::running;
  bj::object object{{"id", record.id}, {"state", !runs ? "stopped" : record.paused ? "paused" : "running"}};
  if (runs) {
    object["socket"] = socket;
    if (!address.empty()) object["address"] = address;
    object["pid"] = record.pid;
    object["startedAtMs"] = record.started_at_ms;
    object["bootId"] = record.boot_id;
  }
  if (record.cause) object["cause"] = cause_json(*record.cause);
  return object;
}

std::string_view errc_name(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::unauthorized:
      return "unauthorized";
    case Errc::forbidden:
      return "forbidden";
    case Errc::not_found:
      return "not_found";
    case Errc::timed_out:
      return "timed_out";
    case Errc::conflict:
      return "conflict";
    case Errc::gone:
      return "gone";
    case Errc::too_large:
      return "too_large";
    case Errc::unprocessable:
      return "unprocessable";
    case Errc::exhausted:
      return "exhausted";
    case Errc::cancelled:
      return "cancelled";
    case Errc::not_implemented:
      return "not_implemented";
    case Errc::bad_gateway:
      return "bad_gateway";
    case Errc::unavailable:
      return "unavailable";
    case Errc::internal:
      break;
  }
  return "internal";
}

namespace {

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return 400;
    case Errc::unauthorized:
      return 401;
    case Errc::forbidden:
      return 403;
    case Errc::not_found:
      return 404;
    case Errc::timed_out:
      return 408;
    case Errc::conflict:
      return 409;
    case Errc::gone:
      return 410;
    case Errc::too_large:
      return 413;
    case Errc::unprocessable:
      return 422;
    case Errc::exhausted:
      return 429;
    case Errc::not_implemented:
      return 501;
    case Errc::bad_gateway:
      return 502;
    case Errc::unavailable:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

net::Response answer(const bj::object& object) { return net::Response::json(200, json::serialize(object)); }

net::Response error_answer(const Error& error) {
  return net::Response::json(status_of(error.code()), json::serialize(bj::object{{"code", errc_name(error.code())},
                                                                                 {"message", error.message()}}));
}

}  // namespace sebring::runner
