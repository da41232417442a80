#pragma once
// Bytes from socket to socket through the kernel, without a copy into this process.
#include <memory>

#include "net/stream.h"

namespace sebring::net {

class Splicer {
 public:
  virtual ~Splicer() = default;
  // Moves what is there, at least one byte and at most `at_most`; 0 at the end of `from`. On success all that was taken
  // has been written.
  virtual asio::awaitable<Result<std::size_t>> move_some(ByteStream& from, ByteStream& to, std::size_t at_most) = 0;
};

// Errc::not_implemented when one of the two is no plain socket (TLS).
Result<std::unique_ptr<Splicer>> make_splicer(ByteStream& from, ByteStream& to);

}  // namespace sebring::net
