#pragma once
// From "the roles are started" to "it serves": image, snapshots, slots, first key, profiles.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "cli/profile.h"
#include "config/settings.h"
#include "places.h"
#include "runner_calls.h"

namespace sebring {

struct BringUp {
  const config::Config& config;
  const Places& places;
  config::HostPort api;  // where this machine reaches it, without TLS
  net::Client& runner;
  Progress progress;
};

struct Served {
  cli::Profile profile;      // of this server's own machine
  bool first_start = false;  // a key was made just now
};
// Ends when a client could create a sandbox. Repeats what a restart of a role interrupts.
asio::awaitable<Result<Served>> bring_up(BringUp context);

}  // namespace sebring
