#pragma once
// Messages of the Language Server Protocol as bytes: "Content-Length: N\r\n\r\n" and N bytes.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::toolbox {

inline constexpr std::size_t kLspHeadBytesMax = 4 * 1024;
inline constexpr std::size_t kLspMessageBytesMax = 32 << 20;

// Put together from pieces of any size. After an error the stream can not be read on.
class LspFramer {
 public:
  void add(std::string_view bytes) { waiting_ += bytes; }
  // A whole message, nullopt when more bytes are needed; Errc::bad_gateway for what is none.
  Result<std::optional<std::string>> next();

 private:
  Result<std::optional<std::size_t>> read_head();
  std::string waiting_;
  std::optional<std::size_t> length_;  // of the message whose head was read
};

std::string lsp_frame(std::string_view message);

}  // namespace sebring::toolbox
