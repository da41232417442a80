#include <signal.h>

#include <string_view>

#include "image/importer.h"
#include "verbs.h"

int main(int argc, char** argv) {
  // The runner's unprivileged child: before anything else of this program runs.
  if (argc > 1 && std::string_view(argv[1]) == "importer") return sebring::image::importer_main(argc, argv);
  // A reader that goes away (`sebring list | head`) shows as EPIPE, not as a death.
  ::signal(SIGPIPE, SIG_IGN);
  return sebring::run_command_line({argv + 1, argv + argc});
}
