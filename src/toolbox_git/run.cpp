#include "toolbox_git/run.h"

#include <git2.h>
#include <unistd.h>

#include <cerrno>

#include "toolbox_git/environment.h"
#include "toolbox_git/git_error.h"
#include "toolbox_git/operations.h"

namespace sebring::toolbox_git {
namespace {

constexpr std::size_t kJobBytesMax = 64 << 20;
// Peak memory while a large pack is read is what is mapped of it plus the cache of objects.
constexpr std::size_t kMappedMax = 128 << 20;
constexpr std::size_t kWindow = 8 << 20;
constexpr std::ptrdiff_t kCacheMax = 48 << 20;
// For ssh; other connections have their own limits (connection.cpp).
constexpr int kConnectMs = 30'000;
constexpr int kSilenceMs = 120'000;

Result<std::string> read_all(int fd) {
  std::string text;
  char block[65536];
  while (true) {
    const auto got = ::read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the request");
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > kJobBytesMax) return fail(Errc::too_large, "request too long");
    text.append(block, static_cast<std::size_t>(got));
  }
}

Result<void> set_up_library() {
  // OpenSSL must not read the image's configuration (it names engines to load) nor its certificates before https needs
  // them: that costs 18 ms.
  set_environment_variable("OPENSSL_CONF", "/dev/null");
  set_environment_variable("SSL_CERT_FILE", "/nonexistent");
  set_environment_variable("SSL_CERT_DIR", "/nonexistent");
  GIT_CHECK(git_libgit2_init(), "start libgit2");
  git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, kWindow);
  git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, kMappedMax);
  git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, kCacheMax);
  git_libgit2_opts(GIT_OPT_SET_SERVER_CONNECT_TIMEOUT, kConnectMs);
  git_libgit2_opts(GIT_OPT_SET_SERVER_TIMEOUT, kSilenceMs);
  git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_SYSTEM, "/etc");
  // A home that the user may not enter would make every operation fail.
  const auto home = home_directory();
  if (home.empty() || ::access(home.c_str(), R_OK | X_OK) != 0) {
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, "");
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_XDG, "");
  }
  return {};
}

Result<std::string> work(int in, Output& output) {
  SB_TRY(const auto text, read_all(in));
  SB_TRY(const auto job, decode_job(text));
  SB_CHECK(set_up_library());
  Tools tools{output, job.ca_file};
  return std::visit([&](const auto& request) { return perform(request, tools); }, job.request);
}

}  // namespace

int run(int in, int out) {
  Output output(out);
  const auto body = work(in, output);
  if (body) {
    if (!output.is_done()) {
      output.done();
      output.body(*body);
    }
  } else {
    output.error(body.error());
  }
  return output.flush() ? 0 : 1;
}

}  // namespace sebring::toolbox_git
