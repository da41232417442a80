#include "net/splice.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace sebring::net {
namespace {

// Beyond it a pipe costs more of the user's allowance of pipe pages (64 MiB by default) than it saves calls.
constexpr int kPipeBytes = 1024 * 1024;

class SplicerImpl final : public Splicer {
 public:
  SplicerImpl(UniqueFd read_end, UniqueFd write_end)
      : read_end_(std::move(read_end)), write_end_(std::move(write_end)) {}

  asio::awaitable<Result<std::size_t>> move_some(ByteStream& from, ByteStream& to, std::size_t at_most) override {
    constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    std::size_t taken = 0;
    for (;;) {
      const ssize_t got = ::splice(from.native_handle(), nullptr, write_end_.get(), nullptr, at_most, kFlags);
      if (got > 0) {
        taken = static_cast<std::size_t>(got);
        break;
      }
      if (got == 0 || errno == ECONNRESET) co_return std::size_t{0};
      if (errno == EINTR) continue;
      // The pipe is empty here: it is the source that has nothing.
      if (errno != EAGAIN) co_return fail_errno(errno, "splice from a socket");
      SB_CO_CHECK(co_await from.wait_readable());
    }
    std::size_t left = taken;
    while (left > 0) {
      const ssize_t put = ::splice(read_end_.get(), nullptr, to.native_handle(), nullptr, left, kFlags);
      if (put > 0) {
        left -= static_cast<std::size_t>(put);
        continue;
      }
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN) co_return fail_errno(errno, "splice to a socket");
      SB_CO_CHECK(co_await to.wait_writable());
    }
    co_return taken;
  }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

}  // namespace

Result<std::unique_ptr<Splicer>> make_splicer(ByteStream& from, ByteStream& to) {
  if (!from.is_plain_socket() || !to.is_plain_socket()) {
    return fail(Errc::not_implemented, "splice needs two plain sockets");
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno(errno, "make a pipe");
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  (void)::fcntl(write_end.get(), F_SETPIPE_SZ, kPipeBytes);  // smaller is slower, not wrong
  return std::make_unique<SplicerImpl>(std::move(read_end), std::move(write_end));
}

}  // namespace sebring::net
