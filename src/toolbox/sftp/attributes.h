#pragma once
// Attributes of files as SFTP sends them.
#include <sys/stat.h>

#include "toolbox/sftp/packet.h"

namespace sebring::toolbox::sftp {

// What a client wants set; absent: left as it is.
struct Attributes {
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> accessed;
  std::optional<std::uint32_t> modified;
};

Attributes read_attributes(PacketReader& reader);
void write_attributes(PacketWriter& writer, const struct stat& status);
// As `ls -l` shows it, with numeric owners.
std::string long_name(std::string_view name, const struct stat& status);

}  // namespace sebring::toolbox::sftp
