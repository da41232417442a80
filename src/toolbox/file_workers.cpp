#include "toolbox/file_workers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "toolbox/process_tree.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// More at once wait. Enough that slow readers of large files do not keep a quick look at another from being answered.
constexpr std::size_t kWorkersMax = 64;
// Who waits is told when nothing has come to its end for so long.
constexpr std::chrono::seconds kTurnPatience{10};
constexpr std::size_t kIdleMax = 4;
// An agent's file operations come in bursts; a waiting worker costs 200 kB.
constexpr std::chrono::seconds kIdleTime{10};
// A worker that the user has stopped (kill -STOP -1) would keep its request for ever.
constexpr std::chrono::seconds kStoppedCheck{2};

}  // namespace

FileWorker::FileWorker(asio::io_context& io, UniqueFd socket, files::SharedSlots slots, UniqueFd pipe,
                       std::shared_ptr<Process> process)
    : socket_(std::make_shared<asio::posix::stream_descriptor>(io, socket.release())),
      buffer_(std::make_unique_for_overwrite<char[]>(files::kMessageBytesMax)),
      slots_(std::move(slots)),
      pipe_(std::move(pipe)),
      process_(std::move(process)),
      watchdog_(io) {}

// It ends by itself when its socket is closed, but a busy one would only see that at its next message.
FileWorker::~FileWorker() = default;

void FileWorker::kill() { process_->signal_group(SIGKILL); }

bool FileWorker::is_quiet() const {
  pollfd wait{.fd = socket_->native_handle(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 0 && pipe_is_empty();
}

bool FileWorker::pipe_is_empty() const {
  int waiting = 0;
  return ::ioctl(pipe_.get(), FIONREAD, &waiting) == 0 && waiting == 0;
}

bool FileWorker::is_stopped() const {
  const auto entry = read_process(process_->pid());
  return !entry || entry->state == 'T' || entry->state == 't';
}

asio::awaitable<Result<void>> FileWorker::send(files::Kind kind, std::size_t slot, std::size_t length,
                                               std::string payload) {
  files::MessageHeader header{.kind = kind,
                              .slot = static_cast<std::uint8_t>(slot),
                              .reserved = 0,
                              .length = static_cast<std::uint32_t>(length)};
  iovec parts[2] = {{&header, sizeof header}, {payload.data(), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  for (;;) {
    if (::sendmsg(socket_->native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) co_return Result<void>{};
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return fail(Errc::unavailable, "the file worker has ended");
    auto [code] = co_await socket_->async_wait(asio::posix::stream_descriptor::wait_write, kToken);
    if (code) co_return fail(Errc::cancelled, "waiting for the file worker was cancelled");
  }
}

asio::awaitable<Result<FileWorker::Message>> FileWorker::receive() {
  Message message;
  iovec parts[2] = {{&message.header, sizeof message.header}, {buffer_.get(), files::kMessageBytesMax}};
  msghdr head{};
  head.msg_iov = parts;
  head.msg_iovlen = 2;
  for (;;) {
    const ssize_t got = ::recvmsg(socket_->native_handle(), &head, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      // Cancels only a wait that is under way, so it can not miss one that has not begun: it fires again and again.
      watchdog_.expires_after(kStoppedCheck);
      watchdog_.async_wait([socket = socket_](boost::system::error_code code) {
        if (!code) socket->cancel();
      });
      auto [code] = co_await socket_->async_wait(asio::posix::stream_descriptor::wait_read, kToken);
      const bool timed = watchdog_.cancel() == 0;
      if (!code) continue;
      if (!timed) co_return fail(Errc::cancelled, "waiting for the file worker was cancelled");
      if (is_stopped()) co_return fail(Errc::unavailable, "the file worker was stopped by a process of the sandbox");
      continue;
    }
    if (got < static_cast<ssize_t>(sizeof message.header)) {
      co_return fail(Errc::unavailable, "the file worker was ended by a process of the sandbox or its memory limit");
    }
    message.payload.assign(buffer_.get(), static_cast<std::size_t>(got) - sizeof message.header);
    co_return message;
  }
}

FileWorkers::FileWorkers(Context& context) : context_(context), room_(context.io), idle_timer_(context.io) {}

asio::awaitable<Result<FileWorkers::Lease>> FileWorkers::take() {
  auto self = shared_from_this();
  while (busy_ >= kWorkersMax) {
    if (!co_await room_.changed(room_.version(), Steady::now() + kTurnPatience)) {
      co_return fail(Errc::unavailable, std::to_string(kWorkersMax) +
                                            " file operations are under way, and none has ended for a while: are there "
                                            "downloads that nobody reads?");
    }
  }
  while (!idle_.empty()) {
    auto worker = std::move(idle_.back());
    idle_.pop_back();
    // One that the user has killed or stopped meanwhile is replaced.
    if (worker->is_quiet()) {
      ++busy_;
      co_return Lease(self, std::move(worker));
    }
  }
  ++busy_;
  auto worker = co_await start();
  if (!worker) {
    --busy_;
    room_.notify();
    co_return fail(std::move(worker.error()).while_doing("start a file worker").with_code(Errc::unavailable));
  }
  co_return Lease(self, *std::move(worker));
}

asio::awaitable<Result<std::unique_ptr<FileWorker>>> FileWorkers::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    co_return fail_errno(errno, "make a socket pair");
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // Room for a whole message and the small ones behind it.
  const int bytes = 512 * 1024;
  for (int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  SB_CO_TRY(files::SharedSlots slots, files::SharedSlots::create());
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) < 0) co_return fail_errno(errno, "make a pipe");
  UniqueFd reading(pipe_ends[0]);
  UniqueFd writing(pipe_ends[1]);
  if (::fcntl(reading.get(), F_SETFL, O_NONBLOCK) < 0) co_return fail_errno(errno, "make a pipe non-blocking");
  (void)::fcntl(reading.get(), F_SETPIPE_SZ, static_cast<int>(files::kPipeBytes));  // smaller is slower, not wrong
  StartSpec spec;
  spec.executable = context_.self_executable.get();
  spec.argv = {"sebring-toolbox", "file-worker"};
  spec.cwd = "/";
  spec.uid = context_.user.uid;
  spec.gid = context_.user.gid;
  spec.groups = context_.user.groups;
  spec.stdio[0] = theirs.get();
  spec.stdio[1] = slots.file();
  spec.stdio[2] = writing.get();
  SB_CO_TRY(std::shared_ptr<Process> process, co_await context_.spawner.start(std::move(spec)));
  co_return std::make_unique<FileWorker>(context_.io, std::move(ours), std::move(slots), std::move(reading),
                                         std::move(process));
}

void FileWorkers::returned(std::unique_ptr<FileWorker> worker, bool reusable) {
  --busy_;
  room_.notify();
  if (!reusable || idle_.size() >= kIdleMax) {
    if (!reusable) worker->kill();
    return;
  }
  idle_.push_back(std::move(worker));
  idle_timer_.expires_after(kIdleTime);
  if (!std::exchange(ending_idle_, true)) asio::co_spawn(context_.io, end_idle(), asio::detached);
}

asio::awaitable<void> FileWorkers::end_idle() {
  auto self = shared_from_this();
  while (!idle_.empty() || busy_ > 0) {
    // Moved on with every return; a cancelled wait looks again.
    auto [code] = co_await idle_timer_.async_wait(kToken);
    if (!code) idle_.clear();
    if (!code && busy_ == 0) break;
    if (!code) idle_timer_.expires_after(kIdleTime);
  }
  ending_idle_ = false;
}

FileWorkers::Lease::Lease(std::shared_ptr<FileWorkers> owner, std::unique_ptr<FileWorker> worker)
    : owner_(std::move(owner)), worker_(std::move(worker)) {}

FileWorkers::Lease::~Lease() {
  if (worker_) owner_->returned(std::move(worker_), reusable_);
}

}  // namespace sebring::toolbox
