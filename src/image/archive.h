#pragma once
// A sandbox's disk as one file, and back. The file is a zstd-compressed pax tar in the form of an OCI layer: whiteouts
// as
// ".wh.name", opaque directories with ".wh..wh..opq". The same unprivileged processes as in importer.h do the work,
// since the names, links and attributes were made by users.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/importer.h"

namespace sebring::image {

struct ArchiveRequest {
  int upper = -1;   // directory that holds u (Pool::upper_path() or snapshot_path()), attached in this mount namespace;
                    // nothing may write in it meanwhile
  int output = -1;  // written from its current position on; not synced
  int level = 3;    // of zstd
  std::uint64_t output_bytes_max = std::uint64_t{1} << 62;  // more: Errc::exhausted
  std::uint32_t seconds_max = 6 * 3600;
  int give_up = -1;  // Errc::cancelled as soon as it is readable
  ImporterProgram program;
};

struct Archived {
  std::uint64_t bytes = 0;  // written to `output`
  std::string sha256;       // 64 hex digits, of them
  std::uint64_t entries = 0;
  std::vector<std::string> remarks;  // "3 sockets left out (...)"
};

// Blocks. On failure `output` holds something incomplete.
Result<Archived> archive_upper(const ArchiveRequest& request);

struct RestoreRequest {
  int input = -1;                                           // read from its current position to its end
  std::string sha256;                                       // of `input`, 64 hex digits
  std::uint64_t output_bytes_max = std::uint64_t{1} << 62;  // expanded; more: Errc::exhausted
  int upper = -1;  // directory that holds an empty or fresh u: whatever lies in u is removed first
  std::uint32_t seconds_max = 6 * 3600;
  int give_up = -1;  // Errc::cancelled as soon as it is readable
  ImporterProgram program;
};

struct Restored {
  std::uint64_t bytes = 0;  // of file contents
  std::uint64_t entries = 0;
  std::vector<std::string> remarks;
};

// Blocks. Not synced. On failure the upper holds something incomplete: destroy it. Errc as import_layer().
Result<Restored> restore_upper(const RestoreRequest& request);

}  // namespace sebring::image
