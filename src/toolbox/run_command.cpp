#include "toolbox/run_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sebring::toolbox {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
// A pipe is what the contract says, and costs nothing for a short script. Shells read a pipe byte by byte, though, so a
// long one goes into a file in memory.
constexpr std::size_t kPipeInputMax = 4096;
// After the program's end its background children may still hold the pipe: what comes within this time belongs to the
// answer (a `tee` in a process substitution is usually a few milliseconds late).
constexpr std::chrono::milliseconds kQuietTime{200};
// A server in the background that prints all the time is not waited for longer than this.
constexpr std::chrono::milliseconds kLateOutputTime{1000};
constexpr std::size_t kReadBytes = 32 * 1024;

asio::awaitable<void> end_tree(std::shared_ptr<Process> process) { co_await process->kill_tree(); }

// Ends the command when whoever waits for it is cancelled or gives up.
class TreeGuard {
 public:
  TreeGuard(asio::io_context& io, std::shared_ptr<Process> process) : io_(io), process_(std::move(process)) {}
  TreeGuard(const TreeGuard&) = delete;
  TreeGuard& operator=(const TreeGuard&) = delete;
  ~TreeGuard() {
    if (!process_ || io_.stopped()) return;
    process_->signal_group(SIGSTOP);
    asio::co_spawn(io_, end_tree(process_), asio::detached);
  }
  void release() { process_.reset(); }

 private:
  asio::io_context& io_;
  std::shared_ptr<Process> process_;
};

struct Collector {
  Collector(Context& context, int fd) : pipe(context.io, fd), quiet(context.io), share(context.output_bytes) {}
  asio::posix::stream_descriptor pipe;
  asio::steady_timer quiet;
  std::string output;
  OutputShare share;
  bool truncated = false;
  bool at_end = false;
};

asio::awaitable<void> read_to_end(std::shared_ptr<Collector> collector) {
  std::array<char, kReadBytes> buffer;
  for (;;) {
    auto [code, got] = co_await collector->pipe.async_read_some(asio::buffer(buffer), kToken);
    if (code) {
      collector->at_end = code != asio::error::operation_aborted;
      co_return;
    }
    const std::size_t kept = collector->share.take(got);
    collector->output.append(buffer.data(), kept);
    collector->truncated = collector->truncated || kept < got;
  }
}

// Until the program has ended and its pipe has been quiet for a while.
asio::awaitable<void> quiet_after_end(std::shared_ptr<Process> process, std::shared_ptr<Collector> collector) {
  co_await process->wait();
  // Any further wait would throw in a cancelled coroutine, and this one mostly loses against the end of the output.
  if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
  const auto latest = asio::steady_timer::clock_type::now() + kLateOutputTime;
  std::size_t before = 0;
  do {
    before = collector->output.size();
    collector->quiet.expires_after(kQuietTime);
    auto [code] = co_await collector->quiet.async_wait(kToken);
    if (code) co_return;
  } while (collector->output.size() != before && asio::steady_timer::clock_type::now() < latest);
}

// A background child that prints would be killed by SIGPIPE once nobody holds the other end.
asio::awaitable<void> drain(std::shared_ptr<Collector> collector) {
  std::array<char, kReadBytes> buffer;
  for (;;) {
    auto [code, got] = co_await collector->pipe.async_read_some(asio::buffer(buffer), kToken);
    if (code) co_return;
  }
}

asio::awaitable<ExitStatus> collect(asio::io_context& io, std::shared_ptr<Process> process,
                                    std::shared_ptr<Collector> collector) {
  // One read usually gets all of it, and the next one the end.
  co_await (read_to_end(collector) || quiet_after_end(process, collector));
  const ExitStatus status = co_await process->wait();
  if (!collector->at_end) {
    // The end may stand in the pipe already.
    asio::co_spawn(io, drain(collector), asio::detached);
  }
  co_return status;
}

asio::awaitable<void> deadline(asio::io_context& io, std::optional<std::chrono::seconds> timeout) {
  asio::steady_timer timer(io);
  timer.expires_at(timeout ? asio::steady_timer::clock_type::now() + *timeout : asio::steady_timer::time_point::max());
  co_await timer.async_wait(kToken);
}

}  // namespace

Result<UniqueFd> input_of(std::string_view text) {
  if (text.size() <= kPipeInputMax) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "make a pipe");
    UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    if (!text.empty() && ::write(writing.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return fail_errno(errno, "write to a pipe");
    }
    return reading;
  }
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "make a file in memory");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    if (put < 0) return fail_errno(errno, "write to a file in memory");
    done += static_cast<std::size_t>(put);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

asio::awaitable<Result<CommandResult>> run_command(Context& context, net::Exchange& exchange, StartSpec spec,
                                                   std::string input, std::optional<std::chrono::seconds> timeout) {
  SB_CO_TRY(UniqueFd stdin_end, input_of(input));
  SB_CO_TRY(Pipe pipe, make_output_pipe());
  spec.stdio[0] = stdin_end.get();
  spec.stdio[1] = spec.stdio[2] = pipe.write_end.get();
  SB_CO_TRY(std::shared_ptr<Process> process, co_await context.spawner.start(std::move(spec)));
  stdin_end.reset();
  pipe.write_end.reset();
  TreeGuard guard(context.io, process);
  auto collector = std::make_shared<Collector>(context, pipe.read_end.release());

  auto first =
      co_await (collect(context.io, process, collector) || deadline(context.io, timeout) || exchange.client_gone());
  if (first.index() == 1) {
    guard.release();
    process->signal_group(SIGKILL);
    process->signal_session(SIGKILL, false);
    co_return fail(Errc::timed_out, "command execution timeout", "PROCESS_EXECUTION_TIMEOUT");
  }
  if (first.index() == 2) co_return fail(Errc::cancelled, "the client has gone");
  guard.release();
  CommandResult result;
  result.status = std::get<0>(first);
  result.output = std::move(collector->output);
  result.truncated = collector->truncated;
  result.share = std::move(collector->share);
  co_return result;
}

}  // namespace sebring::toolbox
