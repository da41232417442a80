#include "toolbox/sftp/attributes.h"

#include <cstdio>
#include <ctime>

namespace sebring::toolbox::sftp {
namespace {

constexpr std::uint32_t kSize = 1;
constexpr std::uint32_t kOwners = 2;
constexpr std::uint32_t kMode = 4;
constexpr std::uint32_t kTimes = 8;
constexpr std::uint32_t kExtended = 0x80000000;

std::string mode_text(mode_t mode) {
  std::string text = "?rwxrwxrwx";
  text[0] = S_ISDIR(mode)    ? 'd'
            : S_ISLNK(mode)  ? 'l'
            : S_ISCHR(mode)  ? 'c'
            : S_ISBLK(mode)  ? 'b'
            : S_ISFIFO(mode) ? 'p'
            : S_ISSOCK(mode) ? 's'
                             : '-';
  for (unsigned bit = 0; bit < 9; ++bit) {
    if ((mode & (0400U >> bit)) == 0) text[bit + 1] = '-';
  }
  if (mode & S_ISUID) text[3] = mode & S_IXUSR ? 's' : 'S';
  if (mode & S_ISGID) text[6] = mode & S_IXGRP ? 's' : 'S';
  if (mode & S_ISVTX) text[9] = mode & S_IXOTH ? 't' : 'T';
  return text;
}

}  // namespace

Attributes read_attributes(PacketReader& reader) {
  Attributes wanted;
  const std::uint32_t flags = reader.word();
  if (flags & kSize) wanted.size = reader.quad();
  if (flags & kOwners) {
    wanted.uid = reader.word();
    wanted.gid = reader.word();
  }
  if (flags & kMode) wanted.mode = reader.word();
  if (flags & kTimes) {
    wanted.accessed = reader.word();
    wanted.modified = reader.word();
  }
  if (flags & kExtended) {
    const std::uint32_t count = reader.word();
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
      reader.text();
      reader.text();
    }
  }
  return wanted;
}

void write_attributes(PacketWriter& writer, const struct stat& status) {
  writer.word(kSize | kOwners | kMode | kTimes);
  writer.quad(static_cast<std::uint64_t>(status.st_size));
  writer.word(status.st_uid);
  writer.word(status.st_gid);
  writer.word(status.st_mode);
  writer.word(static_cast<std::uint32_t>(status.st_atim.tv_sec));
  writer.word(static_cast<std::uint32_t>(status.st_mtim.tv_sec));
}

std::string long_name(std::string_view name, const struct stat& status) {
  char when[32] = "";
  tm parts{};
  const time_t modified = status.st_mtim.tv_sec;
  const time_t now = std::time(nullptr);
  const bool recent = modified > now - 182 * 86'400 && modified < now + 86'400;
  if (::gmtime_r(&modified, &parts)) std::strftime(when, sizeof when, recent ? "%b %e %H:%M" : "%b %e  %Y", &parts);
  char line[160];
  std::snprintf(line, sizeof line, "%s %3lu %-8u %-8u %8lld %s ", mode_text(status.st_mode).c_str(),
                static_cast<unsigned long>(status.st_nlink), status.st_uid, status.st_gid,
                static_cast<long long>(status.st_size), when);
  return line + std::string(name);
}

}  // namespace sebring::toolbox::sftp
