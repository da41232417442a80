#pragma once
// What the runner knows of one disk and the container on it. Written to the journal as one line of JSON.
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/container.h"

namespace sebring::runner {

// Why a sandbox ended by itself.
struct Cause {
  std::string kind;  // out_of_memory, toolbox_died, toolbox_hung, killed, reboot
  std::string message;
  std::optional<std::uint64_t> limit_bytes;
  std::optional<std::uint64_t> peak_bytes;
  std::string victim;
};

enum class State { stopped, running, deleting };

struct Record {
  std::string id;
  std::string disk;  // name of the upper; unique for ever, so it names the record
  State state = State::stopped;
  std::vector<std::string> layers;  // digests, bottom first
  runtime::Limits limits;
  std::uint64_t disk_held_bytes = 0;  // what forks of it still hold; comes on top of the limit
  std::string hostname;
  std::vector<runtime::HostEntry> hosts;
  runtime::NetworkPolicy network;
  std::string linked_to;  // id of the sandbox whose group it is in; empty: its own, if others are linked to it
  std::uint64_t files_written =
      0;  // hash of the texts of /etc/hosts, hostname, resolv.conf at the last start; 0: never
  // Of a running one.
  runtime::Index index = 0;
  pid_t pid = -1;
  std::uint64_t start_time = 0;
  std::string boot_id;
  WallMs started_at_ms = 0;
  bool paused = false;
  std::optional<Cause> cause;
};

boost::json::object cause_json(const Cause& cause);
std::string record_line(const Record& record);  // with its newline
std::string gone_line(const std::string& disk);

struct JournalEntry {
  std::optional<Record> record;
  std::string gone;  // disk, when there is no record
};
Result<JournalEntry> parse_journal_line(std::string_view line);

}  // namespace sebring::runner
