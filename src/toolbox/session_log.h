#pragma once
// The log of one command: marked lines in order of arrival (session_marker.h), readable while it grows.
//
// Limits, visible to the user as a line in the log where they were reached; the command goes on, what follows is
// dropped: one log kLogBytesMax, all logs of the sandbox together kAllLogsBytesMax, and the sandbox's own disk.
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "toolbox/blocking_thread.h"
#include "toolbox/context.h"
#include "toolbox/notifier.h"
#include "toolbox/session_marker.h"

namespace sebring::toolbox {

inline constexpr std::uint64_t kLogBytesMax = 256ull << 20;    // more than any command prints for someone to read
inline constexpr std::uint64_t kAllLogsBytesMax = 2ull << 30;  // a fifth of the smallest usual disk
inline constexpr std::size_t kLogMemoryMax = 16 * 1024;        // of one log; longer ones go to a file
inline constexpr std::size_t kFinishedMemoryMax = 4 << 20;     // of all finished logs without a file

// Where logs that are too long for memory go: files of the sandbox's user below Context::log_dir, written and read on a
// thread. Made at the first need; shared by all logs and outlived by none.
class LogDisk : public std::enable_shared_from_this<LogDisk> {
 public:
  // `directory` is made when it is missing.
  LogDisk(std::string directory, uid_t uid, gid_t gid) : directory_(std::move(directory)), uid_(uid), gid_(gid) {}

  // What the commands themselves take, all of them together: their texts above all.
  std::size_t command_bytes = 0;

  // Files of an earlier daemon; before anything else is made there.
  void remove_leftovers();

  class File {
   public:
    File(std::shared_ptr<LogDisk> disk, std::string path, UniqueFd fd)
        : disk_(std::move(disk)), path_(std::move(path)), fd_(std::move(fd)) {}
    ~File();  // removes it

   private:
    friend class LogDisk;
    std::shared_ptr<LogDisk> disk_;
    std::string path_;
    UniqueFd fd_;  // closed when the log is finished, opened again for a reader
    dev_t device_ = 0;
    ino_t inode_ = 0;
  };

  asio::awaitable<Result<std::shared_ptr<File>>> create();
  asio::awaitable<Result<void>> append(std::shared_ptr<File> file, const std::string& bytes);
  asio::awaitable<Result<std::string>> read(std::shared_ptr<File> file, std::uint64_t offset, std::size_t bytes_max);
  // No more is written; gives the descriptor back.
  asio::awaitable<void> finish(std::shared_ptr<File> file);

 private:
  friend class SessionLog;
  Result<UniqueFd> open_directory();

  std::string directory_;
  uid_t uid_;
  gid_t gid_;
  BlockingThread thread_;
  std::uint64_t bytes_used_ = 0;  // of all logs, in memory and on disk
  std::size_t finished_in_memory_ = 0;
};

class SessionLog : public std::enable_shared_from_this<SessionLog> {
 public:
  SessionLog(asio::io_context& io, std::shared_ptr<LogDisk> disk);
  ~SessionLog();

  void add(OutputStream stream, std::string_view bytes);
  // Ends unfinished lines: the command is over. What it left behind may still add some.
  void end_lines();
  // Nobody adds any more.
  void finish();
  // Waits while more is unwritten than we keep in memory. For who adds much; never needed for correctness.
  asio::awaitable<void> room();

  std::uint64_t size() const { return file_bytes_ + writing_.size() + tail_.size(); }
  // Up to `bytes_max` from `offset` on; empty at the present end.
  asio::awaitable<Result<std::string>> read(std::uint64_t offset, std::size_t bytes_max);
  // Whenever size() grows.
  Notifier& grown() { return grown_; }

 private:
  void accept(std::string&& marked);
  void stop_keeping(const std::string& why);
  void spill();
  asio::awaitable<void> write_out(std::shared_ptr<SessionLog> self);
  void arm_flush();

  asio::io_context& io_;
  std::shared_ptr<LogDisk> disk_;
  std::shared_ptr<LogDisk::File> file_;
  LineMarker marker_;
  std::uint64_t file_bytes_ = 0;
  std::string writing_;  // on its way to the file
  std::string tail_;
  bool spilling_ = false;
  bool spill_all_ = false;
  bool finished_ = false;
  bool dropping_ = false;
  bool flush_armed_ = false;
  std::size_t counted_in_memory_ = 0;
  asio::steady_timer flush_timer_;
  Notifier grown_;
  Notifier written_;
};

}  // namespace sebring::toolbox
