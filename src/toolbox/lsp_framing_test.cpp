#include "toolbox/lsp_framing.h"

#include <doctest/doctest.h>

#include <vector>

using namespace sebring;
using namespace sebring::toolbox;

namespace {

// The messages in `bytes`, given in pieces of `step`; nullopt after an error.
std::optional<std::vector<std::string>> read(std::string_view bytes, std::size_t step) {
  LspFramer framer;
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    framer.add(bytes.substr(at, step));
    for (;;) {
      auto message = framer.next();
      if (!message) return std::nullopt;
      if (!*message) break;
      messages.push_back(std::move(**message));
    }
  }
  return messages;
}

}  // namespace

TEST_CASE("language server messages") {
  struct Row {
    std::string bytes;
    std::optional<std::vector<std::string>> messages;
  } rows[] = {
      {"", {{}}},
      {lsp_frame("{}"), {{"{}"}}},
      {lsp_frame(""), {{""}}},
      {lsp_frame("{}") + lsp_frame("[1]"), {{"{}", "[1]"}}},
      {"content-length:2\r\n\r\n{}", {{"{}"}}},
      {"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", {{"{}"}}},
      {"Content-Length: 5\r\n\r\n{}", {{}}},
      {"Content-Length: 2\r\n\r\n\r\n", {{"\r\n"}}},
      {"Content-Length: 2", {{}}},
      {"Content-Length: -1\r\n\r\n", {}},
      {"Content-Length: x\r\n\r\n", {}},
      {"Content-Length: \r\n\r\n", {}},
      {"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", {}},
      {"Content-Length: 99999999999\r\n\r\n", {}},
      {"Content-Length: 99999999999999999999999\r\n\r\n", {}},
      {"Content-Length: 33554433\r\n\r\n", {}},
      {"Other: 1\r\n\r\n", {}},
      {"no colon\r\n\r\n", {}},
      {"\r\n\r\n", {}},
      {std::string(5000, 'x'), {}},
      {"Content-Length: 2\r\nX: " + std::string(5000, 'x') + "\r\n\r\n{}", {}},
      {lsp_frame("{}") + "garbage\r\n\r\n", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes.substr(0, 80));
    for (std::size_t step : {1, 2, 7, 100'000}) CHECK(read(row.bytes, step) == row.messages);
  }
}
