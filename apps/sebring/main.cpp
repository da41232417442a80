#include <signal.h>

#include "verbs.h"

int main(int argc, char** argv) {
  // A reader that goes away (`sebring list | head`) shows as EPIPE, not as a death.
  ::signal(SIGPIPE, SIG_IGN);
  return sebring::run_command_line({argv + 1, argv + argc});
}
