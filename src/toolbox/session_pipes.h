#pragma once
// The named pipes between a session's shell and us. Named, since a shell opens them anew for each command and so can
// not lose them, whatever a command does to its descriptors.
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "toolbox/context.h"
#include "toolbox/notifier.h"
#include "toolbox/session_log.h"

namespace sebring::toolbox {

// A fifo of the user, mode 0600, removed with the object. We hold one end; the path is for the shell.
class Fifo {
 public:
  enum class Our { read, write };
  // `directory` must be there. The descriptor is non-blocking; Our::write does not need a reader.
  static Result<Fifo> make(const std::string& directory, const Identity& user, Our our);
  Fifo(Fifo&& other) noexcept;
  ~Fifo();

  const std::string& path() const { return path_; }
  UniqueFd& fd() { return fd_; }
  // Whether the path still leads to it.
  bool in_place() const;
  // For Our::read: an end to write to, for keeping the fifo from being at its end while nobody writes.
  Result<UniqueFd> open_writer() const;

 private:
  Fifo() = default;
  std::string path_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The two fifos that commands of a session print to, one command at a time. What arrives goes to the present log.
class OutputPipes : public std::enable_shared_from_this<OutputPipes> {
 public:
  static Result<std::shared_ptr<OutputPipes>> make(asio::io_context& io, const std::string& directory,
                                                   const Identity& user);
  OutputPipes(asio::io_context& io, Fifo out, Fifo err);

  const std::string& out_path() const { return ends_[0].fifo.path(); }
  const std::string& err_path() const { return ends_[1].fifo.path(); }
  bool in_place() const { return ends_[0].fifo.in_place() && ends_[1].fifo.in_place(); }

  void set_log(std::shared_ptr<SessionLog> log) { log_ = std::move(log); }
  // The command has ended: takes what it had written until now. True when nobody else holds the pipes, so that the next
  // command may have them; false when something that it left behind still does. Then these go on until it ends.
  bool end_command();
  // Whether all writers are gone; changes are notified.
  bool at_end() const { return ends_[0].ended && ends_[1].ended; }
  Notifier& ended() { return ended_; }
  // Reads no more.
  void close();

 private:
  struct End {
    OutputStream stream;
    Fifo fifo;
    asio::posix::stream_descriptor descriptor;
    UniqueFd keeper;  // a writer of our own
    bool ended = false;
  };
  static asio::awaitable<void> read_loop(std::shared_ptr<OutputPipes> self, End& end);
  void start();
  bool read_once(End& end, std::size_t bytes_max);

  asio::io_context& io_;
  End ends_[2];
  std::shared_ptr<SessionLog> log_;
  Notifier ended_;
  bool closed_ = false;
};

// Data on its way into a descriptor that we write to; bounded.
class InputQueue : public std::enable_shared_from_this<InputQueue> {
 public:
  static constexpr std::size_t kWaitingMax = 1 << 20;  // what a command has not read yet, but for a single larger piece

  InputQueue(asio::io_context& io, UniqueFd fd);
  // Errc::exhausted when more than kWaitingMax would wait, Errc::gone when nobody reads any more.
  Result<void> add(std::string_view bytes);
  // Returns when add() would take so many bytes, or when it is of no use to wait: nobody has read for a while.
  static asio::awaitable<void> room(std::shared_ptr<InputQueue> self, std::size_t bytes);
  // Bytes of it that nobody has read yet. Nothing when that is not known.
  std::optional<std::size_t> unread();
  void close();

 private:
  static asio::awaitable<void> write_loop(std::shared_ptr<InputQueue> self);
  Result<void> write_some();
  std::size_t waiting() const { return waiting_.size() - written_; }
  bool has_room(std::size_t bytes) const { return waiting() == 0 || waiting() + bytes <= kWaitingMax; }

  asio::io_context& io_;
  asio::posix::stream_descriptor descriptor_;
  std::string waiting_;
  std::size_t written_ = 0;  // of waiting_
  Notifier shrunk_;
  bool writing_ = false;
};

}  // namespace sebring::toolbox
