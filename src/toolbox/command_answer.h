#pragma once
// The answer to execute and code-run.
#include <string>
#include <string_view>

#include "net/exchange.h"
#include "toolbox/run_command.h"

namespace sebring::toolbox {

// {"exitCode", "result"} and, where they say something: "artifacts" (JSON text), "truncated",
// "outOfMemory": {"limitBytes", "peakBytes"}. A long result is written in pieces.
net::asio::awaitable<void> answer_command(net::Exchange& exchange, CommandResult result, std::string artifacts = "");

// The line that tells the reader of a result what the memory limit did.
std::string out_of_memory_line(const OutOfMemory& cause);

}  // namespace sebring::toolbox
