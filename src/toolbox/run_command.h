#pragma once
// Runs one program to its end and collects what it prints.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "net/exchange.h"
#include "toolbox/context.h"
#include "toolbox/process.h"

namespace sebring::toolbox {

// What is kept of a command's output; the rest is read and dropped, so that the command never blocks on us.
inline constexpr std::size_t kOutputBytesMax = 64 << 20;

struct CommandResult {
  ExitStatus status;
  std::string output;  // stdout and stderr as they came
  bool truncated = false;
};

// Starts `spec` with both output streams on one pipe. `input` is all it can read from its standard input.
// Errors: as Spawner::start; Errc::timed_out when `timeout` is over (its process group is killed); Errc::cancelled when
// the client of `exchange` has gone (the whole tree is killed). The exchange's body must have been read. Returns when
// the program has ended, whatever it left running in the background: that goes on, its output is dropped.
asio::awaitable<Result<CommandResult>> run_command(Context& context, net::Exchange& exchange, StartSpec spec,
                                                   std::string input, std::optional<std::chrono::seconds> timeout);

// A descriptor from which all of `text` can be read, and then the end of file.
Result<UniqueFd> input_of(std::string_view text);

}  // namespace sebring::toolbox
