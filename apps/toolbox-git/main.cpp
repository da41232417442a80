// sebring-toolbox-git: one git operation for the toolbox, as the user who runs it. The request comes on stdin, the
// answer goes to stdout; there are no arguments.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "toolbox_git/cancellation.h"
#include "toolbox_git/run.h"

int main() {
  // A dump of this process would hold passwords, and processes of the sandbox may look into those of their own user.
  const rlimit no_dump{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_dump);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::signal(SIGPIPE, SIG_IGN);
  sebring::toolbox_git::watch_for_cancellation();
  return sebring::toolbox_git::run(STDIN_FILENO, STDOUT_FILENO);
}
