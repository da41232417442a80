#pragma once
// PROTOCOL.md as a table of routes.
#include "net/router.h"
#include "runner/images.h"
#include "runner/sandboxes.h"

namespace sebring::runner {

struct Routes {
  std::string version;
  runtime::Host& host;
  runtime::SlotPool& slots;
  runtime::Cleanup& cleanup;
  Sandboxes& sandboxes;
  Images& images;
  Events& events;
  Workers& workers;
};

// `routes` must outlive the router.
void add_routes(net::Router& router, Routes& routes);

}  // namespace sebring::runner
