#include "os/oom_note.h"

#include <sys/xattr.h>

#include <cerrno>

#include "base/text.h"

namespace sebring::os {
namespace {

constexpr const char* kAttribute = "user.sebring.oom";
constexpr std::size_t kNoteBytesMax = 256;

}  // namespace

Result<void> write_oom_note(int directory, const OomNote& note) {
  const std::string text = std::to_string(note.number) + " " + note.victim;
  if (::fsetxattr(directory, kAttribute, text.data(), text.size(), 0) < 0)
    return fail_errno(errno, "note the victim of a memory limit");
  return {};
}

std::optional<OomNote> read_oom_note(int directory) {
  char text[kNoteBytesMax];
  const ssize_t got = directory < 0 ? -1 : ::fgetxattr(directory, kAttribute, text, sizeof text);
  if (got <= 0) return std::nullopt;
  const std::string_view note(text, static_cast<std::size_t>(got));
  const auto space = note.find(' ');
  if (space == std::string_view::npos || space + 1 == note.size()) return std::nullopt;
  const auto number = parse_integer(note.substr(0, space));
  if (!number || *number < 0) return std::nullopt;
  return OomNote{static_cast<std::uint64_t>(*number), std::string(note.substr(space + 1))};
}

}  // namespace sebring::os
