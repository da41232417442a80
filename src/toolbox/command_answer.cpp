#include "toolbox/command_answer.h"

#include <cstdio>

#include "toolbox/error_body.h"

namespace sebring::toolbox {
namespace {

// Escaping can make six bytes of one; this much at a time keeps the copies small.
constexpr std::size_t kPieceBytes = 256 * 1024;

std::string extra_fields(const CommandResult& result, const std::string& artifacts) {
  std::string fields;
  if (!artifacts.empty()) fields += ",\"artifacts\":" + artifacts;
  if (result.truncated) fields += ",\"truncated\":true";
  if (const auto& cause = result.status.out_of_memory) {
    fields += ",\"outOfMemory\":{\"limitBytes\":" + std::to_string(cause->limit_bytes) +
              ",\"peakBytes\":" + std::to_string(cause->peak_bytes);
    if (!cause->victim.empty()) {
      fields += ",\"victim\":";
      append_json_string(fields, cause->victim);
    }
    fields += "}";
  }
  return fields;
}

// Not in the middle of a UTF-8 sequence.
std::size_t piece_end(std::string_view text, std::size_t from) {
  std::size_t end = std::min(text.size(), from + kPieceBytes);
  for (int i = 0; i < 3 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80; ++i) --end;
  return end;
}

std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

}  // namespace

std::string out_of_memory_line(const OutOfMemory& cause) {
  const std::string victim = cause.victim.empty() ? "a process" : cause.victim;
  return "out of memory: " + victim + " was killed at the sandbox's memory limit of " + megabytes(cause.limit_bytes) +
         " (peak " + megabytes(cause.peak_bytes) + ")\n";
}

net::asio::awaitable<void> answer_command(net::Exchange& exchange, CommandResult result, std::string artifacts) {
  if (result.status.out_of_memory) {
    if (!result.output.empty() && result.output.back() != '\n') result.output += '\n';
    result.output += out_of_memory_line(*result.status.out_of_memory);
  }
  const std::string head = "{\"exitCode\":" + std::to_string(result.status.code) + ",\"result\":";
  const std::string tail = extra_fields(result, artifacts) + "}";
  if (result.output.size() <= kPieceBytes && tail.size() <= kPieceBytes) {
    std::string body = head;
    body.reserve(head.size() + result.output.size() + result.output.size() / 8 + tail.size() + 2);
    append_json_string(body, result.output);
    body += tail;
    co_await exchange.respond(net::Response::json(200, std::move(body)));
    co_return;
  }
  net::ResponseHead response;
  response.headers.add("Content-Type", "application/json; charset=utf-8");
  if (!co_await exchange.start(std::move(response))) co_return;
  std::string piece = head + "\"";
  for (std::size_t from = 0; from < result.output.size();) {
    const std::size_t end = piece_end(result.output, from);
    std::string quoted;
    append_json_string(quoted, std::string_view(result.output).substr(from, end - from));
    piece.append(quoted, 1, quoted.size() - 2);
    if (!co_await exchange.write(piece)) co_return;
    piece.clear();
    from = end;
  }
  piece += "\"";
  piece += tail;
  if (!co_await exchange.write(piece)) co_return;
  co_await exchange.finish();
}

}  // namespace sebring::toolbox
