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
  std::uint16_t port = 0;  // that the API is served on
  net::Client& runner;
  Progress progress;
};

struct Served {
  cli::Profile profile;      // of this server's own machine
  bool first_start = false;  // a key was made just now
};
// Ends when a client could create a sandbox. Repeats what a restart of a role interrupts.
asio::awaitable<Result<Served>> bring_up(BringUp context);

// "http://localhost:3000" for listen and port, unless public-url says otherwise.
std::string public_url(const config::Config& config, std::uint16_t port);
// What previews end in: preview-domain, or preview.localhost with the port.
std::string preview_domain(const config::Config& config, std::uint16_t port);
// How programs on this machine reach the API: a loopback address when it listens on all.
config::HostPort local_address(const config::Config& config, std::uint16_t port);

}  // namespace sebring
