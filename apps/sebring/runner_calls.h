#pragma once
// The few things that `up` itself asks of the runner: see src/runner/PROTOCOL.md.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "net/client.h"

namespace sebring {

namespace asio = boost::asio;

using Progress = std::function<void(std::string)>;

struct PreparedImage {
  std::string digest;       // "sha256:..." of the unpacked layer, which is its name everywhere
  std::string file;         // name in the images directory
  std::string blob_digest;  // of the file as it is; "" when the description does not say
};
// From DIRECTORY/config.json as snapshots/build writes it. Errc::not_found saying how to make it.
Result<PreparedImage> read_prepared_image(const std::string& directory);

// Waits until the runner answers at all; it may be making its pool.
asio::awaitable<Result<void>> wait_for_runner(net::Client& runner, std::chrono::milliseconds deadline);
// Imports the layer unless it is there; says so and how it goes.
asio::awaitable<Result<void>> ensure_image(net::Client& runner, std::string images_directory, Progress progress);
// Until as many slots wait as are wanted, or the deadline, which is no error: they go on being made.
asio::awaitable<Result<void>> wait_for_slots(net::Client& runner, std::chrono::milliseconds deadline);
// Stops all that run, at the same time. Ends at the deadline in any case.
asio::awaitable<void> stop_all_sandboxes(net::Client& runner, std::chrono::milliseconds grace,
                                         std::chrono::milliseconds deadline, Progress progress);

}  // namespace sebring
