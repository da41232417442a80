#pragma once
// The worker's side: takes requests one after the other and gives their handlers a body to read and an answer to write.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "toolbox/files/channel.h"

namespace sebring::toolbox::files {

// Ends the process when the daemon is gone: there is nobody left to answer.
class Connection {
 public:
  // `pipe`: its writing end.
  Connection(UniqueFd socket, SharedSlots slots, UniqueFd pipe)
      : socket_(std::move(socket)), slots_(std::move(slots)), pipe_(std::move(pipe)) {}
  void send(Kind kind, std::size_t slot = 0, std::size_t length = 0, std::string_view payload = {});
  // Waits for the next message; `payload` is what follows the header.
  MessageHeader receive(std::string& payload);
  char* slot(std::size_t index) const { return slots_.slot(index); }
  int pipe() const { return pipe_.get(); }

 private:
  UniqueFd socket_;
  SharedSlots slots_;
  UniqueFd pipe_;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kMessageBytesMax);
};

class BodyReader {
 public:
  explicit BodyReader(Connection& connection) : connection_(connection) {}
  // The next piece, valid until the next call; empty at the end. Errc::cancelled when the client broke off.
  Result<std::string_view> next();
  // The whole body; Errc::too_large beyond `bytes_max`.
  Result<std::string> read_all(std::size_t bytes_max);
  // Reads and drops the rest: an answer begins only after the body's end.
  void drain();

 private:
  void give_back();
  Connection& connection_;
  int held_ = -1;
  bool at_end_ = false;
  bool broken_ = false;
};

// A pipe between this process and itself, made at the first need.
class OwnPipe {
 public:
  // False when there is none to be had.
  bool open();
  int read_end() const { return read_end_.get(); }
  int write_end() const { return write_end_.get(); }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
};

class Responder {
 public:
  Responder(Connection& connection, BodyReader& body) : connection_(connection), body_(body) {}
  // A whole small answer.
  void respond(Head head);
  void respond_json(int status, std::string json);
  // Or a head and then data. The head may have Content-Length.
  void start(Head head);
  // Memory for the next piece, kSlotBytes of it; waits until the daemon has given one back.
  char* buffer();
  // Sends the first `length` bytes of buffer(). With 0 nothing happens.
  void commit(std::size_t length);
  // Sends at most `most` bytes of an open file from `at` on without copying them; waits until the pipe has room. 0 at
  // the file's end, -1 with errno; EINVAL where the file system can not do it.
  ssize_t send_from(int file, std::uint64_t at, std::size_t most);
  // Copies; collects small pieces into full buffers.
  void write(std::string_view text);
  void finish();
  void break_off();
  bool started() const { return started_; }
  bool ended() const { return ended_; }

 private:
  void flush();
  Connection& connection_;
  BodyReader& body_;
  bool started_ = false;
  bool ended_ = false;
  std::uint8_t busy_slots_ = 0;  // bit set: with the daemon
  int current_ = -1;
  std::size_t filled_ = 0;
  OwnPipe own_pipe_;
};

// Runs until the daemon closes its end of `socket`. `memory` is the SharedSlots file, `pipe` the writing end of a pipe.
[[noreturn]] void run_file_worker(UniqueFd socket, UniqueFd memory, UniqueFd pipe);

}  // namespace sebring::toolbox::files
