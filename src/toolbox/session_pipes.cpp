#include "toolbox/session_pipes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/random.h"
#include "toolbox/as_user.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 64 * 1024;
// Then others get their turn.
constexpr int kReadsPerTurn = 16;
// For a command to read some of its input when there is more than may wait.
constexpr std::chrono::milliseconds kReaderPatience{500};

}  // namespace

// ---- Fifo

Result<Fifo> Fifo::make(const std::string& directory, const Identity& user, Our our) {
  Fifo fifo;
  fifo.uid_ = user.uid;
  fifo.gid_ = user.gid;
  AsUser as_user(user);
  const std::string path = directory + "/" + random_hex(8);
  if (::mkfifo(path.c_str(), 0600) != 0) return fail_errno(errno, "make a pipe for the session");
  fifo.path_ = path;
  // Both ends for our writer: opening it alone fails while there is no reader.
  const int access = our == Our::read ? O_RDONLY : O_RDWR;
  fifo.fd_.reset(::open(path.c_str(), access | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!fifo.fd_ || ::fstat(fifo.fd_.get(), &info) != 0) return fail_errno(errno, "open a pipe of the session");
  if (!S_ISFIFO(info.st_mode)) return fail(Errc::conflict, "a pipe of the session was replaced by another file");
  fifo.device_ = info.st_dev;
  fifo.inode_ = info.st_ino;
  return fifo;
}

Fifo::Fifo(Fifo&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      uid_(other.uid_),
      gid_(other.gid_),
      fd_(std::move(other.fd_)),
      device_(other.device_),
      inode_(other.inode_) {}

Fifo::~Fifo() {
  if (path_.empty()) return;
  AsUser as_user(uid_, gid_);
  ::unlink(path_.c_str());
}

bool Fifo::in_place() const {
  AsUser as_user(uid_, gid_);
  struct stat info{};
  return ::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

Result<UniqueFd> Fifo::open_writer() const {
  AsUser as_user(uid_, gid_);
  UniqueFd writer(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!writer || ::fstat(writer.get(), &info) != 0) return fail_errno(errno, "open a pipe of the session");
  if (info.st_dev != device_ || info.st_ino != inode_) return fail(Errc::gone, "a pipe of the session was replaced");
  return writer;
}

// ---- OutputPipes

Result<std::shared_ptr<OutputPipes>> OutputPipes::make(asio::io_context& io, const std::string& directory,
                                                       const Identity& user) {
  SB_TRY(Fifo out, Fifo::make(directory, user, Fifo::Our::read));
  SB_TRY(Fifo err, Fifo::make(directory, user, Fifo::Our::read));
  auto pipes = std::make_shared<OutputPipes>(io, std::move(out), std::move(err));
  for (End& end : pipes->ends_) {
    SB_TRY(end.keeper, end.fifo.open_writer());
    boost::system::error_code code;
    end.descriptor.assign(end.fifo.fd().get(), code);
    if (code) return fail(Errc::exhausted, "watch a pipe of the session: " + code.message());
    end.fifo.fd().release();
  }
  pipes->start();
  return pipes;
}

OutputPipes::OutputPipes(asio::io_context& io, Fifo out, Fifo err)
    : io_(io),
      ends_{{OutputStream::out, std::move(out), asio::posix::stream_descriptor(io), {}},
            {OutputStream::err, std::move(err), asio::posix::stream_descriptor(io), {}}},
      ended_(io) {}

void OutputPipes::start() {
  for (End& end : ends_) in_background(io_, read_loop(shared_from_this(), end), "session output");
}

// False at the present end of what there is to read.
bool OutputPipes::read_once(End& end, std::size_t bytes_max) {
  char buffer[kReadBytes];
  const ssize_t got = ::read(end.descriptor.native_handle(), buffer, std::min(bytes_max, sizeof buffer));
  if (got > 0) {
    if (log_) log_->add(end.stream, {buffer, static_cast<std::size_t>(got)});
    return true;
  }
  // Without our own writer the end is the end; with it read(2) never says so.
  if (got == 0 && !end.keeper) end.ended = true;
  return got < 0 && errno == EINTR;
}

asio::awaitable<void> OutputPipes::read_loop(std::shared_ptr<OutputPipes> self, End& end) {
  while (!self->closed_ && !end.ended) {
    auto [code] = co_await end.descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
    if (code || self->closed_) break;
    for (int i = 0; i < kReadsPerTurn && self->read_once(end, kReadBytes); ++i) {
      if (auto log = self->log_) co_await log->room();
      if (self->closed_) break;
    }
  }
  end.ended = true;
  boost::system::error_code ignored;
  end.descriptor.close(ignored);
  self->ended_.notify();
}

bool OutputPipes::end_command() {
  bool free = true;
  for (End& end : ends_) {
    if (end.ended) {
      free = false;
      continue;
    }
    // What was written before the shell reported is in the pipe by now; what others write from now on is not waited
    // for.
    int waiting = 0;
    ::ioctl(end.descriptor.native_handle(), FIONREAD, &waiting);
    while (waiting > 0) {
      const std::size_t piece = std::min<std::size_t>(static_cast<std::size_t>(waiting), kReadBytes);
      if (!read_once(end, piece)) break;
      waiting -= static_cast<int>(piece);
    }
    end.keeper.reset();
    pollfd look{.fd = end.descriptor.native_handle(), .events = POLLIN, .revents = 0};
    if (::poll(&look, 1, 0) != 1 || (look.revents & POLLHUP) == 0 || (look.revents & POLLIN) != 0) free = false;
  }
  if (!free) return false;
  for (End& end : ends_) {
    auto keeper = end.fifo.open_writer();
    if (!keeper) return false;
    end.keeper = *std::move(keeper);
  }
  log_.reset();
  return true;
}

void OutputPipes::close() {
  closed_ = true;
  boost::system::error_code ignored;
  for (End& end : ends_) end.descriptor.cancel(ignored);
}

// ---- InputQueue

InputQueue::InputQueue(asio::io_context& io, UniqueFd fd) : io_(io), descriptor_(io), shrunk_(io) {
  boost::system::error_code code;
  descriptor_.assign(fd.get(), code);
  if (!code) fd.release();
}

Result<void> InputQueue::write_some() {
  while (waiting() > 0) {
    const ssize_t done = ::write(descriptor_.native_handle(), waiting_.data() + written_, waiting());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return {};
    if (done < 0) return fail(Errc::gone, "nobody reads this input any more");
    written_ += static_cast<std::size_t>(done);
    shrunk_.notify();
  }
  waiting_ = {};
  written_ = 0;
  return {};
}

Result<void> InputQueue::add(std::string_view bytes) {
  if (!descriptor_.is_open()) return fail(Errc::gone, "nobody reads this input any more");
  if (!has_room(bytes.size())) {
    return fail(Errc::exhausted, "more than " + std::to_string(kWaitingMax) + " bytes of input wait to be read");
  }
  if (written_ > kWaitingMax) {
    waiting_.erase(0, written_);
    written_ = 0;
  }
  waiting_ += bytes;
  if (writing_) return {};
  SB_CHECK(write_some());
  if (waiting() == 0) return {};
  writing_ = true;
  in_background(io_, write_loop(shared_from_this()), "session input");
  return {};
}

asio::awaitable<void> InputQueue::write_loop(std::shared_ptr<InputQueue> self) {
  while (self->descriptor_.is_open() && self->waiting() > 0) {
    auto [code] = co_await self->descriptor_.async_wait(asio::posix::stream_descriptor::wait_write, kToken);
    if (code || !self->descriptor_.is_open()) break;
    if (!self->write_some()) break;
  }
  self->writing_ = false;
}

asio::awaitable<void> InputQueue::room(std::shared_ptr<InputQueue> self, std::size_t bytes) {
  while (self->descriptor_.is_open() && !self->has_room(bytes) &&
         co_await self->shrunk_.changed(self->shrunk_.version(), Steady::now() + kReaderPatience)) {
  }
}

std::optional<std::size_t> InputQueue::unread() {
  int in_pipe = 0;
  if (!descriptor_.is_open() || ::ioctl(descriptor_.native_handle(), FIONREAD, &in_pipe) != 0) return std::nullopt;
  return waiting() + static_cast<std::size_t>(in_pipe);
}

void InputQueue::close() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  waiting_ = {};
  written_ = 0;
  shrunk_.notify();
}

}  // namespace sebring::toolbox
