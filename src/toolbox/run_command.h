#pragma once
// Runs one program to its end and collects what it prints.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/exchange.h"
#include "toolbox/context.h"
#include "toolbox/process.h"

namespace sebring::toolbox {

// What is kept of a command's output; the rest is read and dropped, so that the command never blocks on us.
inline constexpr std::size_t kOutputBytesMax = 64 << 20;
// And of all commands together, until their answers have been sent: this memory is not the sandbox's.
inline constexpr std::size_t kAllOutputBytesMax = 256 << 20;

// Counts what one command holds of the sum.
class OutputShare {
 public:
  OutputShare() = default;
  explicit OutputShare(std::shared_ptr<std::size_t> all) : all_(std::move(all)) {}
  OutputShare(OutputShare&& other) noexcept : all_(std::move(other.all_)), mine_(std::exchange(other.mine_, 0)) {}
  OutputShare& operator=(OutputShare&& other) noexcept {
    std::swap(all_, other.all_);
    std::swap(mine_, other.mine_);
    return *this;
  }
  ~OutputShare() {
    if (all_) *all_ -= mine_;
  }
  // How many of so many more bytes may be kept.
  std::size_t take(std::size_t bytes) {
    bytes = std::min({bytes, kOutputBytesMax - mine_, kAllOutputBytesMax - *all_});
    mine_ += bytes;
    *all_ += bytes;
    return bytes;
  }

 private:
  std::shared_ptr<std::size_t> all_;
  std::size_t mine_ = 0;
};

struct CommandResult {
  ExitStatus status;
  std::string output;  // stdout and stderr as they came
  bool truncated = false;
  OutputShare share;
};

// Starts `spec` with both output streams on one pipe. `input` is all it can read from its standard input.
// Errors: as Spawner::start; Errc::timed_out when `timeout` is over (its session is killed); Errc::cancelled when
// the client of `exchange` has gone (the whole tree is killed). The exchange's body must have been read. Returns when
// the program has ended, whatever it left running in the background: that goes on, its output is dropped.
asio::awaitable<Result<CommandResult>> run_command(Context& context, net::Exchange& exchange, StartSpec spec,
                                                   std::string input, std::optional<std::chrono::seconds> timeout);

// A descriptor from which all of `text` can be read, and then the end of file.
Result<UniqueFd> input_of(std::string_view text);

}  // namespace sebring::toolbox
