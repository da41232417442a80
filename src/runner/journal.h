#pragma once
// What must survive: one line per change of a disk's record, appended. A thread writes and syncs in groups; a create
// syncs while its sandbox is starting, so it seldom waits.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "runner/record.h"

namespace sebring::runner {

class Journal {
 public:
  // Reads `directory`/journal, drops a torn last line, writes it anew without what is gone.
  static Result<std::unique_ptr<Journal>> open(const std::string& directory);
  ~Journal();

  // As of open(), by disk. Call once.
  std::map<std::string, Record> take_records() { return std::move(records_); }

  using Ticket = std::uint64_t;
  // Thread-safe. In the page cache soon (a killed process loses nothing that was written), on disk later.
  Ticket append(std::string line);
  // Returns once the line is on disk, or could not be written.
  Result<void> wait_durable(Ticket ticket);

 private:
  Journal(UniqueFd file, std::map<std::string, Record> records)
      : file_(std::move(file)), records_(std::move(records)) {}
  void run();
  int write_and_sync(const std::string& text);

  struct Failure {
    Ticket first;
    Ticket last;
    int error;
  };
  UniqueFd file_;
  std::map<std::string, Record> records_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::condition_variable durable_changed_;
  std::string pending_;
  Ticket appended_ = 0;
  Ticket finished_ = 0;  // written, or failed
  std::deque<Failure> failures_;
  std::atomic<int> broken_errno_ = 0;
  std::size_t size_ = 0;  // of the thread
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sebring::runner
