#include "os/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"

namespace sebring::os {

std::string find_program(const std::string& name) {
  for (auto directory : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/usr/local/sbin/", "/usr/local/bin/"})
    if (::access((directory + name).c_str(), X_OK) == 0) return directory + name;
  return "";
}

constexpr std::size_t kTextMax = 8 << 20;  // `nft list set` with 65,536 links

Result<ProgramOutput> run_program(const std::vector<std::string>& arguments, const std::string& input) {
  std::string path = find_program(arguments.at(0));
  if (path.empty()) return fail(Errc::not_found, arguments[0] + " is not installed");
  // Input and output are memory files, so nothing here can wait for a full pipe.
  UniqueFd in(::memfd_create("input", MFD_CLOEXEC)), out(::memfd_create("output", MFD_CLOEXEC));
  if (!in || !out) return fail_errno(errno, "make a memory file");
  SB_CHECK(write_all(in.get(), input));
  ::lseek(in.get(), 0, SEEK_SET);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char language[] = "LC_ALL=C", search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {language, search, nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), 2);
  pid_t pid;
  int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error) return fail_errno(error, "start " + path);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ProgramOutput output;
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ::lseek(out.get(), 0, SEEK_SET);
  SB_TRY(output.text, read_all(out.get(), kTextMax));
  return output;
}

Result<std::string> run_program_checked(const std::vector<std::string>& arguments, const std::string& input) {
  SB_TRY(auto output, run_program(arguments, input));
  if (output.exit_code != 0)
    return fail(Errc::internal, arguments[0] + ": " + std::string(trim(output.text)) + " (exit " +
                                    std::to_string(output.exit_code) + ")");
  return output.text;
}

}  // namespace sebring::os
