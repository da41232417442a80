#include "toolbox/lsp_framing.h"

#include "base/text.h"

namespace sebring::toolbox {

// Other header fields exist (Content-Type) and say nothing that we need.
Result<std::optional<std::size_t>> LspFramer::read_head() {
  const std::size_t end = waiting_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (waiting_.size() > kLspHeadBytesMax) return fail(Errc::bad_gateway, "language server: head is too long");
    return std::optional<std::size_t>{};
  }
  if (end > kLspHeadBytesMax) return fail(Errc::bad_gateway, "language server: head is too long");
  std::optional<std::size_t> length;
  for (std::string_view line : split(std::string_view(waiting_).substr(0, end), '\n')) {
    line = trim(line);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      return fail(Errc::bad_gateway, "language server: head has a line without colon");
    if (!equals_ignore_case(trim(line.substr(0, colon)), "Content-Length")) continue;
    const auto number = parse_integer(trim(line.substr(colon + 1)));
    if (!number || *number < 0 || length) return fail(Errc::bad_gateway, "language server: bad Content-Length");
    if (static_cast<std::size_t>(*number) > kLspMessageBytesMax) {
      return fail(Errc::bad_gateway,
                  "language server: message is larger than " + std::to_string(kLspMessageBytesMax) + " bytes");
    }
    length = static_cast<std::size_t>(*number);
  }
  if (!length) return fail(Errc::bad_gateway, "language server: head without Content-Length");
  waiting_.erase(0, end + 4);
  return length;
}

Result<std::optional<std::string>> LspFramer::next() {
  if (!length_) {
    SB_TRY(length_, read_head());
    if (!length_) return std::optional<std::string>{};
  }
  if (waiting_.size() < *length_) return std::optional<std::string>{};
  std::string message = waiting_.substr(0, *length_);
  waiting_.erase(0, *length_);
  length_.reset();
  return std::optional<std::string>(std::move(message));
}

std::string lsp_frame(std::string_view message) {
  return "Content-Length: " + std::to_string(message.size()) + "\r\n\r\n" + std::string(message);
}

}  // namespace sebring::toolbox
