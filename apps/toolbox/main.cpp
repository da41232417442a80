// sebring-toolbox: the daemon inside a sandbox. Without arguments it waits in a slot of the runner's pool. For tests:
//   sebring-toolbox serve --listen PATH --configuration FILE [--git-helper FILE]
//       [--user-cgroup FILE --memory-cgroup DIRECTORY]    (slot::Entered says what these are)
//       [--home DIRECTORY]                                (so that `~` of a test is not the home of who runs it)
// runs it as whoever started it, without namespaces; as root it switches to the configured user for commands.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "slot/slot.h"
#include "toolbox/files/worker.h"
#include "toolbox/serve.h"
#include "toolbox/sftp/server.h"

namespace {

using sebring::Errc;
using sebring::fail;
using sebring::Result;
using sebring::UniqueFd;
using sebring::toolbox::ServeOptions;

UniqueFd open_self() { return UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }

Result<std::string> read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (!file) return sebring::fail_errno(errno, "open " + path);
  std::string text;
  char buffer[4096];
  std::size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof buffer, file)) > 0) text.append(buffer, got);
  std::fclose(file);
  return text;
}

Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file) return sebring::fail_errno(errno, "open " + path);
  return file;
}

Result<ServeOptions> parse_arguments(int argc, char** argv) {
  ServeOptions options;
  options.self_executable = open_self();
  for (int i = 2; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return fail(Errc::invalid_argument, std::string(name) + " wants a value");
    const std::string value = argv[++i];
    if (name == "--listen") {
      options.listen_path = value;
    } else if (name == "--configuration") {
      SB_TRY(options.configuration, read_file(value));
    } else if (name == "--home") {
      options.home = value;
    } else if (name == "--git-helper") {
      SB_TRY(options.git_helper, open_file(value, O_RDONLY));
    } else if (name == "--user-cgroup") {
      SB_TRY(options.user_cgroup, open_file(value, O_WRONLY));
    } else if (name == "--memory-cgroup") {
      SB_TRY(options.memory_cgroup, open_file(value, O_RDONLY | O_DIRECTORY));
    } else {
      return fail(Errc::invalid_argument, "unknown argument " + std::string(name));
    }
  }
  if (options.listen_path.empty() || options.configuration.empty()) {
    return fail(Errc::invalid_argument, "serve wants --listen PATH and --configuration FILE");
  }
  return options;
}

Result<ServeOptions> take_slot() {
  SB_TRY(sebring::slot::Entered entered, sebring::slot::wait_in_slot(sebring::toolbox::check_user));
  ServeOptions options;
  options.listening = std::move(entered.listening);
  options.configuration = std::move(entered.configuration);
  options.user_cgroup = std::move(entered.user_cgroup);
  options.memory_cgroup = std::move(entered.memory_cgroup);
  options.devpts = std::move(entered.devpts);
  options.self_executable = std::move(entered.self_executable);
  options.git_helper = std::move(entered.git_helper);
  return options;
}

Result<void> run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "serve") {
    SB_TRY(ServeOptions options, parse_arguments(argc, argv));
    return sebring::toolbox::serve(std::move(options));
  }
  if (argc > 1) return fail(Errc::invalid_argument, std::string("unknown mode ") + argv[1]);
  SB_TRY(ServeOptions options, take_slot());
  return sebring::toolbox::serve(std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
  // Executed by the daemon as the sandbox's user.
  if (argc == 2 && std::string_view(argv[1]) == "file-worker") {
    // The pipe comes as standard error, where an abort would write into the client's file.
    UniqueFd pipe(::fcntl(2, F_DUPFD_CLOEXEC, 3));
    const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!null || ::dup2(null.get(), 2) < 0) ::close(2);
    sebring::toolbox::files::run_file_worker(UniqueFd(0), UniqueFd(1), std::move(pipe));
  }
  if (argc == 2 && std::string_view(argv[1]) == "sftp") sebring::toolbox::sftp::run_sftp(0, 1);
  // Threads come and go here; an arena for each would be most of the daemon's memory.
  ::mallopt(M_ARENA_MAX, 1);
  const auto result = run(argc, argv);
  if (result) return 0;
  std::fprintf(stderr, "sebring-toolbox: %s\n", result.error().message().c_str());
  return 1;
}
