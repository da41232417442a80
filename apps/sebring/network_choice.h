#pragma once
// Which addresses this server's sandboxes get when nobody chose: servers side by side must not share routes.
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring {

struct NetworkChoice {
  std::string network;  // "100.77.0.0/16"
  UniqueFd claim;       // held as long as the server runs
};
// One of the 64 /16 networks of 100.64.0.0/10 (shared address space, used by no public host). The one that RUN-DIR
// remembers, since running sandboxes have addresses in it; else the first free one, counted from the instance's own.
Result<NetworkChoice> choose_network(const std::string& run_dir, std::string_view instance);

}  // namespace sebring
