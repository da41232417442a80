#include "toolbox/session_log.h"

#include <cstring>

namespace sebring::toolbox {
namespace {

// A prompt without a newline shows after this time. Long enough that the parts of a line, written one after the other,
// stay together when the other stream speaks too.
constexpr std::chrono::milliseconds kFlushAfter{40};
// The disk is slower than the command beyond this; the command then waits for it.
constexpr std::size_t kUnwrittenMax = 1 << 20;

}  // namespace

SessionLog::SessionLog(asio::io_context& io, std::shared_ptr<LogDisk> disk)
    : io_(io), disk_(std::move(disk)), flush_timer_(io), grown_(io), written_(io) {}

SessionLog::~SessionLog() {
  disk_->bytes_used_ -= size();
  disk_->finished_in_memory_ -= counted_in_memory_;
}

void SessionLog::add(OutputStream stream, std::string_view bytes) {
  if (dropping_) return;
  std::string marked;
  marked.reserve(bytes.size() + bytes.size() / 8 + 16);
  marker_.add(stream, bytes, marked);
  accept(std::move(marked));
  if (marker_.has_unfinished()) arm_flush();
}

void SessionLog::arm_flush() {
  if (flush_armed_) return;
  flush_armed_ = true;
  flush_timer_.expires_after(kFlushAfter);
  flush_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code&) {
    auto self = weak.lock();
    if (!self) return;
    self->flush_armed_ = false;
    if (self->dropping_ || !self->marker_.has_unfinished()) return;
    std::string marked;
    self->marker_.flush(marked);
    self->accept(std::move(marked));
  });
}

void SessionLog::end_lines() {
  if (dropping_) return;
  std::string marked;
  marker_.finish(marked);
  accept(std::move(marked));
}

void SessionLog::finish() {
  end_lines();
  if (finished_) return;
  finished_ = true;
  if (file_ || spilling_) {
    spill_all_ = true;
    spill();
  } else if (disk_->finished_in_memory_ + tail_.size() > kFinishedMemoryMax) {
    spill_all_ = true;
    spill();
  } else {
    counted_in_memory_ = tail_.size();
    disk_->finished_in_memory_ += counted_in_memory_;
  }
}

void SessionLog::accept(std::string&& marked) {
  if (marked.empty() || dropping_) return;
  if (size() + marked.size() > kLogBytesMax) {
    stop_keeping("the log has reached its limit of " + std::to_string(kLogBytesMax >> 20) + " MiB");
    return;
  }
  if (disk_->bytes_used_ + marked.size() > kAllLogsBytesMax) {
    stop_keeping("the logs of this sandbox have reached their limit of " + std::to_string(kAllLogsBytesMax >> 20) +
                 " MiB; delete sessions that are no longer needed");
    return;
  }
  disk_->bytes_used_ += marked.size();
  if (tail_.empty()) {
    tail_ = std::move(marked);
  } else {
    tail_ += marked;
  }
  if (tail_.size() > kLogMemoryMax || spill_all_) spill();
  grown_.notify();
}

void SessionLog::stop_keeping(const std::string& why) {
  dropping_ = true;
  std::string note(kErrMarker);
  note += "[" + why + "; further output is not kept]\n";
  disk_->bytes_used_ += note.size();
  tail_ += note;
  grown_.notify();
}

void SessionLog::spill() {
  if (spilling_ || dropping_ || tail_.empty()) return;
  spilling_ = true;
  in_background(io_, write_out(shared_from_this()), "write session log");
}

asio::awaitable<void> SessionLog::write_out(std::shared_ptr<SessionLog> self) {
  Result<void> written;
  if (!file_) {
    auto made = co_await disk_->create();
    if (made) {
      file_ = *std::move(made);
    } else {
      written = fail(std::move(made.error()));
    }
  }
  while (written && !dropping_ && (tail_.size() > kLogMemoryMax || (spill_all_ && !tail_.empty()))) {
    writing_ = std::move(tail_);
    tail_.clear();
    written = co_await disk_->append(file_, writing_);
    if (written) {
      file_bytes_ += writing_.size();
      writing_ = {};
    } else {
      // Kept as it is, so that readers find every byte where it was.
      writing_ += tail_;
      tail_ = std::move(writing_);
      writing_ = {};
    }
    written_.notify();
  }
  spilling_ = false;
  if (!written && !dropping_) stop_keeping(written.error().message());
  if (finished_ && file_) co_await disk_->finish(file_);
  written_.notify();
}

asio::awaitable<void> SessionLog::room() {
  auto self = shared_from_this();
  while (spilling_ && writing_.size() + tail_.size() > kUnwrittenMax) {
    co_await written_.changed(written_.version());
  }
}

asio::awaitable<Result<std::string>> SessionLog::read(std::uint64_t offset, std::size_t bytes_max) {
  auto self = shared_from_this();
  if (offset < file_bytes_) {
    co_return co_await disk_->read(file_, offset,
                                   static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, file_bytes_ - offset)));
  }
  offset -= file_bytes_;
  if (offset < writing_.size()) co_return writing_.substr(offset, bytes_max);
  offset -= writing_.size();
  if (offset < tail_.size()) co_return tail_.substr(offset, bytes_max);
  co_return std::string();
}

}  // namespace sebring::toolbox
