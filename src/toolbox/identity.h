#pragma once
// Users, groups and shells of the image, read from its files as data: no resolver, no NSS, bounded, and never a file
// that is not a plain one. What an image lacks is no error.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "toolbox/context.h"

namespace sebring::toolbox {

struct PasswdEntry {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;
};

struct GroupEntry {
  std::string name;
  gid_t gid = 0;
  std::vector<std::string> members;
};

// Lines that make no sense are skipped, as every libc does.
std::vector<PasswdEntry> parse_passwd(std::string_view text);
std::vector<GroupEntry> parse_group(std::string_view text);
// Absolute paths in the order of the file.
std::vector<std::string> parse_shells(std::string_view text);

// The three files below the image's root.
struct AccountFiles {
  std::string passwd;
  std::string group;
};
AccountFiles read_account_files();

// `user` as an image names it: "", "name", "uid", "name:group", "uid:gid". An empty one is root. A name without an
// entry is Errc::not_found; a number without one is a user all the same.
Result<Identity> find_identity(std::string_view user, const AccountFiles& files);
// Name or number to number; nullopt for a name that is not there.
std::optional<uid_t> find_uid(std::string_view owner, std::string_view passwd);
std::optional<gid_t> find_gid(std::string_view group, std::string_view group_file);

// The whole plain file, at most `bytes_max` of it; "" when it is missing, no plain file, or on another file system than
// the root (one of the user's could hang).
std::string read_image_file(const char* path, std::size_t bytes_max = 1 << 20);

}  // namespace sebring::toolbox
