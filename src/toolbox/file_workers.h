#pragma once
// The processes that do the file operations (files/README.md): started when one is wanted, kept for a while, ended when
// idle.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "toolbox/context.h"
#include "toolbox/files/channel.h"
#include "toolbox/notifier.h"

namespace sebring::toolbox {

// The daemon's end of one worker. What comes from it is checked: it runs as the user, who may do with it as they like.
class FileWorker {
 public:
  // `pipe`: its reading end, non-blocking.
  FileWorker(asio::io_context& io, UniqueFd socket, files::SharedSlots slots, UniqueFd pipe,
             std::shared_ptr<Process> process);
  ~FileWorker();
  FileWorker(const FileWorker&) = delete;
  FileWorker& operator=(const FileWorker&) = delete;

  struct Message {
    files::MessageHeader header;
    std::string payload;
  };
  asio::awaitable<Result<void>> send(files::Kind kind, std::size_t slot = 0, std::size_t length = 0,
                                     std::string payload = {});
  // Errc::unavailable when the worker is gone or was stopped by somebody.
  asio::awaitable<Result<Message>> receive();
  char* slot(std::size_t index) const { return slots_.slot(index); }
  int pipe() const { return pipe_.get(); }
  bool pipe_is_empty() const;
  // Whether it still lives and has said nothing unasked.
  bool is_quiet() const;
  void kill();

 private:
  bool is_stopped() const;
  // Shared with the watchdog's handler, which may run when this is gone.
  std::shared_ptr<asio::posix::stream_descriptor> socket_;
  std::unique_ptr<char[]> buffer_;  // for one message
  files::SharedSlots slots_;
  UniqueFd pipe_;
  std::shared_ptr<Process> process_;
  asio::steady_timer watchdog_;
};

class FileWorkers : public std::enable_shared_from_this<FileWorkers> {
 public:
  explicit FileWorkers(Context& context);

  // A worker of one's own until the lease ends; then it is kept for others if give_back() was called, else killed.
  class Lease {
   public:
    Lease(std::shared_ptr<FileWorkers> owner, std::unique_ptr<FileWorker> worker);
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    FileWorker& operator*() const { return *worker_; }
    FileWorker* operator->() const { return worker_.get(); }
    void give_back() { reusable_ = true; }

   private:
    std::shared_ptr<FileWorkers> owner_;
    std::unique_ptr<FileWorker> worker_;
    bool reusable_ = false;
  };
  asio::awaitable<Result<Lease>> take();

 private:
  asio::awaitable<Result<std::unique_ptr<FileWorker>>> start();
  asio::awaitable<void> end_idle();
  void returned(std::unique_ptr<FileWorker> worker, bool reusable);

  Context& context_;
  std::vector<std::unique_ptr<FileWorker>> idle_;
  std::size_t busy_ = 0;
  Notifier room_;  // a worker has come back
  asio::steady_timer idle_timer_;
  bool ending_idle_ = false;
};

}  // namespace sebring::toolbox
