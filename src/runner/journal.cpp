#include "runner/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "os/file.h"

namespace sebring::runner {
namespace {

// Space that a full file system cannot take from us: some thousand changes.
constexpr off_t kReserved = 4 << 20;
// Whoever waits for one has read it long before this many others.
constexpr std::size_t kFailuresMax = 64;
// Dead lines are worth a rewrite from here on.
constexpr std::size_t kCompactBytes = 16 << 20;
constexpr std::size_t kBytesMax = std::size_t{1} << 30;

Result<std::map<std::string, Record>> read_records(int directory) {
  std::map<std::string, Record> records;
  if (!os::exists_at(directory, "journal")) return records;
  SB_TRY(auto text, os::read_at(directory, "journal", kBytesMax));
  // Behind the last newline: a line that was being written when everything ended. It was not acknowledged.
  std::string_view whole =
      std::string_view(text).substr(0, text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  for (auto line : split(whole, '\n')) {
    if (line.empty()) continue;
    auto entry = parse_journal_line(line);
    if (!entry) return std::unexpected(std::move(entry).error().while_doing("read the runner's journal"));
    if (entry->record)
      records[entry->record->disk] = std::move(*entry->record);
    else
      records.erase(entry->gone);
  }
  return records;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const std::string& directory) {
  SB_CHECK(os::make_dirs(directory, 0700));
  SB_TRY(auto opened, os::open_dir(directory));
  SB_TRY(auto records, read_records(opened.get()));
  std::unique_ptr<Journal> journal(new Journal(std::move(opened), std::move(records)));
  for (const auto& [disk, record] : journal->records_)
    journal->live_bytes_ += (journal->live_[disk] = record_line(record)).size();
  SB_CHECK(journal->compact());
  journal->thread_ = std::thread([raw = journal.get()] {
    ::pthread_setname_np(::pthread_self(), "journal");
    raw->run();
  });
  return journal;
}

// The new file is opened before it takes the old one's name: whatever fails, file_ is the one that the next start
// reads.
Result<void> Journal::compact() {
  std::string text;
  for (const auto& [disk, line] : live_) text += line;
  SB_TRY(auto fresh,
         os::open_at(directory_.get(), "journal.new", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  SB_CHECK(os::write_all(fresh.get(), text));
  ::fallocate(fresh.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(text.size()) + kReserved);
  if (::fsync(fresh.get()) < 0) return fail_errno(errno, "sync the new journal");
  if (::renameat(directory_.get(), "journal.new", directory_.get(), "journal") < 0)
    return fail_errno(errno, "rename the new journal");
  file_ = std::move(fresh);
  size_ = text.size();
  if (::fsync(directory_.get()) < 0) return fail_errno(errno, "sync the journal's directory");
  return {};
}

Journal::~Journal() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Journal::Ticket Journal::append(const Record& record) { return add({record.disk, record_line(record)}); }
Journal::Ticket Journal::append_gone(const std::string& disk) { return add({disk, ""}); }

Journal::Ticket Journal::add(Change change) {
  Ticket ticket;
  {
    std::lock_guard lock(mutex_);
    pending_.push_back(std::move(change));
    ticket = ++appended_;
  }
  more_.notify_one();
  return ticket;
}

Result<void> Journal::wait_durable(Ticket ticket) {
  std::unique_lock lock(mutex_);
  durable_changed_.wait(lock, [&] { return finished_ >= ticket || broken_errno_ != 0; });
  if (broken_errno_) return fail_errno(broken_errno_, "write the runner's journal");
  for (const auto& failure : failures_)
    if (ticket >= failure.first && ticket <= failure.last)
      return fail_errno(failure.error, "write the runner's journal");
  return {};
}

// 0, or the errno of a write that left nothing behind. A failed sync, or a write that cannot be undone, sets
// broken_errno_: what the disk holds is then unknown, and only a new start, which reads it, can tell.
int Journal::write_and_sync(const std::string& text) {
  auto written = os::write_all(file_.get(), text);
  if (!written) {
    int error = written.error().os_errno() ? written.error().os_errno() : EIO;
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) < 0) broken_errno_ = error;
    return error;
  }
  size_ += text.size();
  if (::fdatasync(file_.get()) == 0) return 0;
  broken_errno_ = errno;
  return errno;
}

int Journal::write_changes(const std::vector<Change>& changes) {
  std::string text;
  for (const auto& change : changes) text += change.line.empty() ? gone_line(change.disk) : change.line;
  int error = write_and_sync(text);
  if (error) return error;
  for (const auto& change : changes) {
    auto& line = live_[change.disk];
    live_bytes_ = live_bytes_ - line.size() + change.line.size();
    line = change.line;
    if (line.empty()) live_.erase(change.disk);
  }
  if (size_ < kCompactBytes || size_ < 4 * live_bytes_) return 0;
  // The old file stays in force when this fails; it is tried again after the next change.
  if (auto compacted = compact(); !compacted) std::fprintf(stderr, "runner: %s\n", compacted.error().message().c_str());
  return 0;
}

void Journal::run() {
  std::unique_lock lock(mutex_);
  Ticket before = 0;
  while (!broken_errno_) {
    more_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
    if (pending_.empty()) return;
    std::vector<Change> changes = std::exchange(pending_, {});
    Ticket upto = appended_;
    lock.unlock();
    int error = write_changes(changes);
    if (error) std::fprintf(stderr, "runner: write the journal: %s\n", errno_text(error).c_str());
    lock.lock();
    if (error) failures_.push_back({before + 1, upto, error});
    if (failures_.size() > kFailuresMax) failures_.pop_front();
    before = finished_ = upto;
    durable_changed_.notify_all();
  }
}

}  // namespace sebring::runner
