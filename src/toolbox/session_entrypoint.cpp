#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/text.h"
#include "toolbox/configuration.h"
#include "toolbox/session.h"

namespace sebring::toolbox {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kCannotExecute = 126;  // what a shell answers
constexpr int kNotFound = 127;
constexpr std::chrono::milliseconds kOutputWait{100};

}  // namespace

EntrypointSession::EntrypointSession(Context& context, std::shared_ptr<LogDisk> disk)
    : Session(std::string(kId)), context_(context) {
  commands_.push_back(
      std::make_shared<Command>(context.io, std::move(disk), std::string(kCommandId), join(context.entrypoint, " ")));
}

void EntrypointSession::start() {
  if (!std::exchange(started_, true)) in_background(context_.io, run(shared_from_this()), "entrypoint");
}

Result<void> EntrypointSession::send_input(Command&, std::string) {
  return fail(Errc::invalid_argument, "the entrypoint takes no input");
}

asio::awaitable<Result<std::shared_ptr<Process>>> EntrypointSession::start_process(UniqueFd& out, UniqueFd& err) {
  SB_CO_TRY(Pipe out_pipe, make_output_pipe());
  SB_CO_TRY(Pipe err_pipe, make_output_pipe());
  SB_CO_TRY(auto environment, environment_of(context_));
  StartSpec spec{.argv = context_.entrypoint,
                 .environment = std::move(environment),
                 .cwd = context_.work_dir,
                 .uid = context_.user.uid,
                 .gid = context_.user.gid,
                 .groups = context_.user.groups};
  spec.stdio[1] = out_pipe.write_end.get();
  spec.stdio[2] = err_pipe.write_end.get();
  SB_CO_TRY(auto process, co_await context_.spawner.start(std::move(spec)));
  out = std::move(out_pipe.read_end);
  err = std::move(err_pipe.read_end);
  co_return process;
}

asio::awaitable<void> EntrypointSession::run(std::shared_ptr<EntrypointSession> self) {
  auto command = self->commands_.front();
  UniqueFd out, err;
  auto process = co_await self->start_process(out, err);
  if (!process) {
    command->log().add(OutputStream::err, process.error().message() + "\n");
    command->finish(process.error().os_errno() == ENOENT ? kNotFound : kCannotExecute);
    command->end_output();
    co_return;
  }
  in_background(self->context_.io, read_output(self, std::move(out), OutputStream::out), "entrypoint output");
  in_background(self->context_.io, read_output(self, std::move(err), OutputStream::err), "entrypoint output");
  const ExitStatus status = co_await (*process)->wait();
  if (status.out_of_memory) {
    command->log().add(OutputStream::err, "[the sandbox ran out of memory (limit " +
                                              std::to_string(status.out_of_memory->limit_bytes >> 20) + " MiB)]\n");
  }
  // What it wrote is in the pipes; the readers are done at once unless it left something behind.
  const auto deadline = Steady::now() + kOutputWait;
  while (self->open_outputs_ > 0 &&
         co_await command->log().grown().changed(command->log().grown().version(), deadline)) {
  }
  command->finish(status.code);
}

asio::awaitable<void> EntrypointSession::read_output(std::shared_ptr<EntrypointSession> self, UniqueFd fd,
                                                     OutputStream stream) {
  auto command = self->commands_.front();
  asio::posix::stream_descriptor descriptor(self->context_.io);
  boost::system::error_code failed;
  descriptor.assign(fd.get(), failed);
  if (!failed) fd.release();
  std::string buffer(16 * 1024, '\0');
  while (!failed) {
    auto [code, bytes] = co_await descriptor.async_read_some(asio::buffer(buffer), kToken);
    if (code) break;
    command->log().add(stream, std::string_view(buffer).substr(0, bytes));
    co_await command->log().room();
  }
  if (--self->open_outputs_ == 0) command->end_output();
}

}  // namespace sebring::toolbox
