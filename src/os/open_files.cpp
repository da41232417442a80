#include "os/open_files.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/text.h"
#include "os/file.h"

namespace sebring::os {
namespace {

constexpr rlim_t kEnough = 1'048'576;

}  // namespace

void raise_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) < 0) return;
  if (auto text = read_at(AT_FDCWD, "/proc/sys/fs/nr_open", 64)) {
    const auto most = parse_integer(trim(*text));
    rlimit more{};
    more.rlim_max = std::max(files.rlim_max, std::min(kEnough, static_cast<rlim_t>(most.value_or(0))));
    more.rlim_cur = more.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  }
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace sebring::os
