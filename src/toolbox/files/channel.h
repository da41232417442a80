#pragma once
// How the daemon and a file worker talk: short messages on a SOCK_SEQPACKET pair, bodies in shared memory. One request
// at a time. First the request's body goes in slots (body, ..., body_end), then the answer comes in them (head, data,
// ..., end); the receiver of a slot gives it back with `free`. A large file's bytes come through a pipe (piped), so
// that nobody copies them. Who moves bytes from a file into a pipe holds the pipe's lock as long as the file takes: the
// worker does it with a pipe of its own, or the daemon would wait for the file too.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::toolbox::files {

inline constexpr std::size_t kSlots = 4;
inline constexpr std::size_t kSlotBytes = 256 * 1024;
// A request carries its head's query, an answer a small body: both stay below this.
inline constexpr std::size_t kMessageBytesMax = 128 * 1024;
inline constexpr std::size_t kInlineBodyMax = 96 * 1024;
// Room wanted in the pipe, and the most that one message announces. Smaller bodies are not worth it.
inline constexpr std::size_t kPipeBytes = 1024 * 1024;
inline constexpr std::uint64_t kPipeFrom = 512 * 1024;

enum class Kind : std::uint8_t {
  request,      // payload: Request
  body,         // slot, length
  body_end,     // all of the body has been sent
  body_failed,  // the client broke off
  free,         // slot
  head,         // payload: Head; slot 1: it is the whole answer
  data,         // slot, length
  piped,        // length: so many bytes are in the pipe
  end,          // the answer is complete
  failed,       // it is not, and can not be mended: the connection must end
};

struct MessageHeader {
  Kind kind = Kind::request;
  std::uint8_t slot = 0;
  std::uint16_t reserved = 0;
  std::uint32_t length = 0;
};

struct Request {
  std::string operation;  // "GET /files/info"
  std::string path;       // of the HTTP request, for error bodies
  std::string content_type;
  std::string range;  // headers Range and If-Range
  std::string if_range;
  std::string work_dir;
  std::string home;
  bool head_only = false;
  bool plain_fields = false;  // an old strict client: no fields that it does not know
  std::vector<std::pair<std::string, std::string>> query;

  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct Head {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // when it is the whole answer
};

std::string pack(const Request& request);
std::string pack(const Head& head);
// Errc::invalid_argument for anything that pack() does not make.
Result<Request> unpack_request(std::string_view payload);
Result<Head> unpack_head(std::string_view payload);

// The slots' memory: made by the daemon, sealed against shrinking so that the worker can not take it away.
class SharedSlots {
 public:
  SharedSlots() = default;
  static Result<SharedSlots> create();
  static Result<SharedSlots> map(UniqueFd file);
  SharedSlots(SharedSlots&& other) noexcept;
  SharedSlots& operator=(SharedSlots&& other) noexcept;
  ~SharedSlots();
  int file() const { return file_.get(); }
  char* slot(std::size_t index) const { return memory_ + index * kSlotBytes; }

 private:
  UniqueFd file_;
  char* memory_ = nullptr;
};

}  // namespace sebring::toolbox::files
