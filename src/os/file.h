#pragma once
// Descriptors, small files and kernel knobs. Everything is close-on-exec from birth.
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::os {

// `dir` may be AT_FDCWD. O_CLOEXEC is added.
Result<UniqueFd> open_at(int dir, const std::string& path, int flags, mode_t mode = 0);
Result<UniqueFd> open_dir(const std::string& path);

// openat2 below `root`, which is the root of the lookup too: no symbolic links, no magic links. For anything that a
// sandbox or an image could have put there. Adds O_NONBLOCK and O_NOCTTY unless O_PATH is asked for.
Result<UniqueFd> open_inside(int root, const std::string& path, int flags, mode_t mode = 0);

// Existing directories are fine.
Result<void> make_dir_at(int dir, const std::string& name, mode_t mode);
Result<void> make_dirs(const std::string& path, mode_t mode);
// A missing name is fine.
Result<void> unlink_at(int dir, const std::string& name);
Result<void> remove_dir_at(int dir, const std::string& name);
// Everything below `name` and itself, without following links or leaving its file system. A missing name is fine.
Result<void> remove_tree_at(int dir, const std::string& name);

// At most `bytes_max`; longer files are cut. Works for /proc and /sys files.
Result<std::string> read_at(int dir, const std::string& path, std::size_t bytes_max = 64 * 1024);
Result<std::string> read_all(int fd, std::size_t bytes_max);
// One write to an existing file: a kernel knob.
Result<void> write_at(int dir, const std::string& path, std::string_view text);
Result<void> write_all(int fd, std::string_view text);
// Makes or empties the file.
Result<void> put_file_at(int dir, const std::string& path, std::string_view text, mode_t mode);
// Written beside and renamed over, so that readers see the old or the new text. `durable`: survives a power cut.
Result<void> replace_file_at(int dir, const std::string& name, std::string_view text, mode_t mode, bool durable);

// Names in a directory without "." and "..", in no order.
Result<std::vector<std::string>> list_dir_at(int dir, const std::string& path);
bool exists_at(int dir, const std::string& path);
// f_type of statfs; 0 when it fails.
std::uint64_t file_system_type(const std::string& path);

// "/proc/self/fd/N" of a descriptor, for calls that only take paths.
std::string fd_path(int fd);

// This boot's id; empty when /proc does not tell.
std::string boot_id();

}  // namespace sebring::os
