#pragma once
// PROTOCOL.md as types: what control sends, parsed and checked; what it is told.
#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "runner/record.h"

namespace sebring::runner {

struct Spec {
  std::vector<std::string> layers;  // digests
  std::string base;                 // name of a sandbox snapshot; empty: none
  runtime::Limits limits;
  std::string hostname;
  std::vector<runtime::HostEntry> hosts;
  runtime::NetworkPolicy network;
  std::string linked_to;  // id; empty: none
  std::string toolbox;    // JSON text
  bool must_exist = false;
};

struct LimitsChange {
  std::optional<double> cpus;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> disk_bytes;
};

struct StopOrder {
  bool force = false;
  std::int64_t grace_ms = 0;
};

struct ForkOrder {
  std::string new_id;
  std::uint64_t disk_bytes = 0;
};

struct ImportOrder {
  std::string file;
  std::string blob_digest;       // of the file as it is, compressed; empty: unknown
  std::uint64_t blob_bytes = 0;  // 0: unknown
};

struct RestoreOrder {
  std::string path;
  std::string sha256;
  std::uint64_t disk_bytes = 0;
};

// All of them Errc::invalid_argument naming the field.
Result<Spec> parse_spec(std::string_view body);
Result<LimitsChange> parse_limits(std::string_view body);
Result<StopOrder> parse_stop(std::string_view body);
Result<ForkOrder> parse_fork(std::string_view body);
Result<RestoreOrder> parse_restore(std::string_view body);
Result<std::string> parse_snapshot_name(std::string_view body);
Result<std::string> parse_archive_path(std::string_view body);
Result<ImportOrder> parse_import(std::string_view body);
Result<runtime::NetworkPolicy> parse_network(std::string_view body);

// Sandbox ids: letters, digits, dash, underscore, at most 64.
bool is_sandbox_id(std::string_view id);
// Relative, of plain components, none of them "." or "..".
bool is_plain_path(std::string_view path);

// `address`: as the others of its group reach it; empty: it has no network.
boost::json::object report_json(const Record& record, const std::string& socket, const std::string& address);
net::Response answer(const boost::json::object& object);
net::Response error_answer(const Error& error);
std::string_view errc_name(Errc code);

}  // namespace sebring::runner
