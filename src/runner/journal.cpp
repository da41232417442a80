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
  std::string text;
  for (const auto& [disk, record] : records) text += record_line(record);
  SB_CHECK(os::replace_file_at(opened.get(), "journal", text, 0600, true));
  SB_TRY(auto file, os::open_at(opened.get(), "journal", O_WRONLY | O_APPEND));
  ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(text.size()) + kReserved);
  std::unique_ptr<Journal> journal(new Journal(std::move(file), std::move(records)));
  journal->size_ = text.size();
  journal->thread_ = std::thread([raw = journal.get()] { raw->run(); });
  return journal;
}

Journal::~Journal() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  more_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Journal::Ticket Journal::append(std::string line) {
  Ticket ticket;
  {
    std::lock_guard lock(mutex_);
    pending_ += line;
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

void Journal::run() {
  std::unique_lock lock(mutex_);
  Ticket before = 0;
  while (!broken_errno_) {
    more_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
    if (pending_.empty()) return;
    std::string text = std::exchange(pending_, {});
    Ticket upto = appended_;
    lock.unlock();
    int error = write_and_sync(text);
    if (error) std::fprintf(stderr, "runner: write the journal: %s\n", errno_text(error).c_str());
    lock.lock();
    if (error) failures_.push_back({before + 1, upto, error});
    if (failures_.size() > kFailuresMax) failures_.pop_front();
    before = finished_ = upto;
    durable_changed_.notify_all();
  }
}

}  // namespace sebring::runner
