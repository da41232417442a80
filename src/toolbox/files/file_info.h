#pragma once
// A file's properties as the wire has them.
#include <sys/stat.h>

#include <string>
#include <string_view>

namespace sebring::toolbox::files {

// Appends {"name","path"?,"size","mode","modTime","modifiedAt","isDir","owner","group","permissions"}.
void append_file_info(std::string& out, std::string_view name, std::string_view path, const struct stat& status);
// The same for one of many entries: their folder's path is turned into JSON only once. `folder`: an opening quote, the
// folder with a slash at its end, no closing quote; empty: paths are not told.
void append_entry_info(std::string& out, std::string_view name, std::string_view folder, const struct stat& status);

// "-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx", "dtrwxrwxrwx": as Go writes modes.
std::string mode_text(unsigned mode);
// "2026-01-31 12:00:00.123456789 +0000 UTC" and "2026-01-31T12:00:00.123456789Z"; the fraction without trailing zeros.
std::string go_time(const timespec& time);
std::string rfc3339_time(const timespec& time);
// "Sat, 31 Jan 2026 12:00:00 GMT"
std::string http_time(std::int64_t seconds);

}  // namespace sebring::toolbox::files
