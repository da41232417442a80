#include "toolbox/identity.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace sebring::toolbox {
namespace {

constexpr std::size_t kGroupsMax = 1024;  // more than any image has; the kernel takes 65,536

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value == ~0U) return std::nullopt;
  return value;
}

std::vector<std::string_view> lines(std::string_view text) {
  std::vector<std::string_view> list;
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty() && line[0] != '#') list.push_back(line);
  }
  return list;
}

UniqueFd open_on_root_mount(const char* path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (*path == '/') ++path;
  // RESOLVE_NO_XDEV refuses a link with an absolute target; those are resolved below the root instead.
  how.resolve |= RESOLVE_IN_ROOT;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
}

}  // namespace

std::string read_image_file(const char* path, std::size_t bytes_max) {
  UniqueFd file = open_on_root_mount(path);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return {};
  std::string text(std::min<std::size_t>(bytes_max, static_cast<std::size_t>(status.st_size)), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> entries;
  for (std::string_view line : lines(text)) {
    const auto fields = split(line, ':');
    if (fields.size() < 6 || fields[0].empty()) continue;
    const auto uid = parse_id(fields[2]);
    const auto gid = parse_id(fields[3]);
    if (!uid || !gid) continue;
    entries.push_back({.name = std::string(fields[0]),
                       .uid = *uid,
                       .gid = *gid,
                       .home = std::string(fields[5]),
                       .shell = std::string(fields.size() > 6 ? fields[6] : "")});
  }
  return entries;
}

std::vector<GroupEntry> parse_group(std::string_view text) {
  std::vector<GroupEntry> entries;
  for (std::string_view line : lines(text)) {
    const auto fields = split(line, ':');
    if (fields.size() < 3 || fields[0].empty()) continue;
    const auto gid = parse_id(fields[2]);
    if (!gid) continue;
    GroupEntry entry{.name = std::string(fields[0]), .gid = *gid, .members = {}};
    if (fields.size() > 3) {
      for (std::string_view member : split(fields[3], ',')) {
        if (!trim(member).empty()) entry.members.emplace_back(trim(member));
      }
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> parse_shells(std::string_view text) {
  std::vector<std::string> shells;
  for (std::string_view line : lines(text)) {
    line = trim(line);
    if (line.starts_with('/') && line.find('\0') == std::string_view::npos) shells.emplace_back(line);
  }
  return shells;
}

AccountFiles read_account_files() {
  return {.passwd = read_image_file("/etc/passwd"), .group = read_image_file("/etc/group")};
}

std::optional<uid_t> find_uid(std::string_view owner, std::string_view passwd) {
  for (const PasswdEntry& entry : parse_passwd(passwd)) {
    if (entry.name == owner) return entry.uid;
  }
  return parse_id(owner);
}

std::optional<gid_t> find_gid(std::string_view group, std::string_view group_file) {
  for (const GroupEntry& entry : parse_group(group_file)) {
    if (entry.name == group) return entry.gid;
  }
  return parse_id(group);
}

Result<Identity> find_identity(std::string_view user, const AccountFiles& files) {
  const std::size_t colon = user.find(':');
  std::string_view name = user.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? "" : user.substr(colon + 1);
  if (name.empty()) name = "0";

  const auto entries = parse_passwd(files.passwd);
  const auto number = parse_id(name);
  auto found = std::find_if(entries.begin(), entries.end(), [&](const PasswdEntry& e) { return e.name == name; });
  if (found == entries.end() && number) {
    found = std::find_if(entries.begin(), entries.end(), [&](const PasswdEntry& e) { return e.uid == *number; });
  }
  Identity identity;
  if (found != entries.end()) {
    identity = {.name = found->name,
                .uid = found->uid,
                .gid = found->gid,
                .groups = {},
                .home = found->home,
                .shell = found->shell};
  } else if (number) {
    identity = {.name = *number == 0 ? "root" : std::string(name),
                .uid = *number,
                .gid = *number == 0 ? 0 : *number,
                .groups = {},
                .home = *number == 0 ? "/root" : "/",
                .shell = ""};
  } else if (name == "root") {
    identity = {.name = "root", .uid = 0, .gid = 0, .groups = {}, .home = "/root", .shell = ""};
  } else {
    return fail(Errc::not_found, "user " + std::string(name) + " is not in the image's passwd file");
  }
  if (identity.home.empty() || identity.home[0] != '/') identity.home = "/";
  if (identity.shell.empty() || identity.shell[0] != '/') identity.shell = "/bin/sh";

  if (!group.empty()) {
    const auto gid = find_gid(group, files.group);
    if (!gid) return fail(Errc::not_found, "group " + std::string(group) + " is not in the image's group file");
    identity.gid = *gid;
  }
  identity.groups.push_back(identity.gid);
  for (const GroupEntry& entry : parse_group(files.group)) {
    if (identity.groups.size() >= kGroupsMax) break;
    const bool member = std::find(entry.members.begin(), entry.members.end(), identity.name) != entry.members.end();
    const bool known = std::find(identity.groups.begin(), identity.groups.end(), entry.gid) != identity.groups.end();
    if (member && !known) identity.groups.push_back(entry.gid);
  }
  return identity;
}

}  // namespace sebring::toolbox
