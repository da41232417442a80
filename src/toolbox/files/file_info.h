#pragma once
// A file's properties as the wire has them.
#include <sys/stat.h>

#include <ctime>
#include <string>
#include <string_view>

namespace sebring::toolbox::files {

// Appends {"name","path"?,"size","mode","modTime","modifiedAt","isDir","owner","group","permissions"}.
void append_file_info(std::string& out, std::string_view name, std::string_view path, const struct stat& status);

// What comes behind name and path. Most files of a folder have mode and owner in common, and many their second: these
// are written once.
class StatusWriter {
 public:
  void append(std::string& out, const struct stat& status);

 private:
  void remember(const struct stat& status);
  mode_t mode_ = 0;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::time_t second_ = 0;
  std::string mode_text_;
  std::string second_text_;
  std::string end_;
};

// append_file_info() for the many entries of one folder.
class EntryWriter {
 public:
  // `folder` with a slash at its end; empty: paths are not told.
  explicit EntryWriter(std::string_view folder);
  void append(std::string& out, std::string_view name, const struct stat& status);

 private:
  std::string path_;  // begin of the member, up to the folder's end
  StatusWriter status_;
};

// "-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx", "dtrwxrwxrwx": as Go writes modes.
std::string mode_text(unsigned mode);
// "2026-01-31 12:00:00.123456789 +0000 UTC" and "2026-01-31T12:00:00.123456789Z"; the fraction without trailing zeros.
std::string go_time(const timespec& time);
std::string rfc3339_time(const timespec& time);
// "Sat, 31 Jan 2026 12:00:00 GMT"
std::string http_time(std::int64_t seconds);

}  // namespace sebring::toolbox::files
