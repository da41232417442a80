#pragma once
// Unpacks image layers into the pool. Nothing in this process ever parses one: two processes of our own program, each
// with unprivileged ids, own namespaces, no network, no file system and a list of allowed system calls, do it. The
// first expands and checks the digest, the second reads the tar and writes the tree through an id-mapped mount of one
// directory. Two, because a tar must not be able to vouch for itself: what takes over the second cannot make the first
// say that the digest was right, so no layer can take another one's name.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace sebring::image {

// How the processes are started.
struct ImporterProgram {
  // Executed with the single argument "importer"; must hand over to importer_main() at once.
  std::string path = "/proc/self/exe";
  // First of 65,536 host ids that no user, service or sandbox has; several importers may share them. The default lies
  // above what sandboxes are given.
  std::uint32_t first_id = 0xfffe0000;
};

struct ImportLimits {
  std::uint64_t blob_bytes_max = std::uint64_t{16} << 30;  // as given
  std::uint64_t tar_bytes_max = std::uint64_t{64} << 30;   // expanded
  std::uint64_t file_bytes_max = std::uint64_t{64} << 30;  // of one file, its holes included
  std::uint32_t ratio_max = 500;                           // expanded : given, from 256 MiB on
  std::uint64_t entries_max = 2'000'000;
  std::uint32_t path_bytes_max = 4095;
  std::uint32_t depth_max = 256;                         // components of a name
  std::uint64_t pax_bytes_max = std::uint64_t{1} << 20;  // of one extended header
  std::uint32_t seconds_max = 1800;                      // wall clock, and CPU of each process
};

struct ImportRequest {
  int layers = -1;     // Pool::layers(): attached in this mount namespace
  int input = -1;      // the layer as tar, tar+gzip or tar+zstd, told apart by content; read from its current position
  std::string digest;  // "sha256:" + 64 hex digits, of the tar
  std::string blob_digest;       // the same of the bytes in `input`, or "" when nobody has told
  std::uint64_t blob_bytes = 0;  // what `input` must hold, or 0
  ImportLimits limits;
  ImporterProgram program;
};

struct Imported {
  std::uint64_t bytes = 0;  // of file contents
  std::uint64_t entries = 0;
  bool existed = false;              // it was there before; nothing was read
  std::vector<std::string> remarks;  // what was left out or changed, for a log: "2 devices left out (dev/null, ...)"
};

// Blocks until the layer is at layers/<64 hex digits>, durable and usable, or has left nothing behind. Call
// Pool::layers_grew() after it. Any number may run at once, also of one digest and in several processes.
// Errc::unprocessable: the layer breaks a rule; invalid_argument: not what the digest says; too_large: a limit;
// exhausted: the pool is full; timed_out; internal: the importer died.
Result<Imported> import_layer(const ImportRequest& request);

// Removes what killed imports have left; those that still run, in whatever process, are spared. For every start.
Result<void> clean_up_imports(int layers);

// Entry of the program with the argument "importer": descriptor 3 is its only connection. Never returns to normal work;
// the result is the exit code.
int importer_main(int argc, char** argv);

// "sha256:" + 64 lower-case hex digits -> the digits. Nothing else is a digest.
Result<std::string> digest_hex(std::string_view digest);

}  // namespace sebring::image
