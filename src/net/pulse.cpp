#include "net/pulse.h"

#include <unistd.h>

namespace sebring::net {

Pulse::Pulse(boost::asio::any_io_executor executor, UniqueFd pipe) : timer_(executor), pipe_(std::move(pipe)) {
  if (pipe_) beat();
}

// A full pipe means that nobody has listened for long; then one beat more or less tells nothing.
void Pulse::beat() {
  [[maybe_unused]] auto written = ::write(pipe_.get(), "\n", 1);
  timer_.expires_after(kPulseEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
}

}  // namespace sebring::net
