#pragma once
// What the runner and the processes of importer.h say to each other over a SOCK_SEQPACKET pair. Both are one program.
//
//   process -> runner   kUnshared                  it has its namespaces; ids are not mapped yet
//   runner  -> process  Job + descriptors          after the map is written
//   process -> runner   kIsOpaque + a directory    answered by one byte, 0 or 1
//   process -> runner   kMakeOpaque + a directory  answered by one byte, 1; anything else: refused
//   process -> runner   kReport + Report + text    the end
#include <cstdint>
#include <string>
#include <type_traits>

#include "base/result.h"

namespace sebring::image {

inline constexpr int kImporterSocket = 3;
inline constexpr std::size_t kImporterMessageMax = 64 * 1024;

enum class ImporterMessage : char { unshared = 'U', is_opaque = 'Q', make_opaque = 'O', report = 'R' };

enum class ImporterRole : std::uint32_t {
  expand,    // descriptors: root, input, output: decompress and hash both sides
  compress,  // root, input, output
  unpack,    // root, input, directory
  pack,      // root, directory, output
};

// "root" is an empty directory that becomes the process's root.
struct ImporterJob {
  ImporterRole role;
  std::int32_t level;        // of compression
  std::uint8_t own_archive;  // unpack: one of ours; the directory is emptied first
  std::uint32_t ratio_max;
  std::uint32_t path_bytes_max;
  std::uint32_t depth_max;
  std::uint64_t input_bytes_max;
  std::uint64_t output_bytes_max;
  std::uint64_t file_bytes_max;
  std::uint64_t entries_max;
  std::uint64_t extended_bytes_max;
  std::uint64_t cpu_seconds_max;
};

struct ImporterReport {
  Errc code;  // with `failed`
  std::uint8_t failed;
  std::uint64_t input_bytes;
  std::uint64_t output_bytes;  // unpack: of file contents
  std::uint64_t entries;
  char input_sha256[64];
  char output_sha256[64];
};
static_assert(std::is_trivially_copyable_v<ImporterJob> && std::is_trivially_copyable_v<ImporterReport>);

}  // namespace sebring::image
