#include "config/instance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace sebring::config {
namespace {

std::string instance_file(const std::string& data_dir) { return data_dir + "/instance"; }

}  // namespace

bool is_instance_id(std::string_view text) {
  auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return text.size() == 5 && lower(text[0]) &&
         std::ranges::all_of(text, [&](char c) { return lower(c) || (c >= '0' && c <= '9'); });
}

Result<std::string> read_instance(const std::string& data_dir) {
  const std::string path = instance_file(data_dir);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(errno, "open " + path);
  char bytes[64];
  ssize_t got = ::read(fd.get(), bytes, sizeof bytes);
  if (got < 0) return fail_errno(errno, "read " + path);
  std::string id(trim(std::string_view(bytes, static_cast<std::size_t>(got))));
  if (!is_instance_id(id))
    return fail(Errc::internal,
                path + ": no instance id in it. Restore the file, or start with another data directory");
  return id;
}

Result<std::string> ensure_instance(const std::string& data_dir) {
  auto known = read_instance(data_dir);
  if (known || known.error().code() != Errc::not_found) return known;
  const std::string id =
      random_text(1, "abcdefghijklmnopqrstuvwxyz") + random_text(4, "abcdefghijklmnopqrstuvwxyz0123456789");
  // Through a second name: a file cut short by a crash would be refused for ever.
  const std::string path = instance_file(data_dir);
  const std::string fresh = path + ".new";
  UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(errno, "create " + fresh);
  const std::string line = id + "\n";
  if (::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(fd.get()) != 0)
    return fail_errno(errno, "write " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path);
  UniqueFd directory(::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return fail_errno(errno, "sync " + data_dir);
  return id;
}

}  // namespace sebring::config
