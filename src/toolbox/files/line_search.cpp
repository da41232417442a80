#include "toolbox/files/line_search.h"

#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "toolbox/files/file_error.h"

namespace sebring::toolbox::files {
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kBinaryBytes = 8000;  // what git looks at

// Reads a file once from its beginning, keeping the end of each block in front of the next.
class BlockReader {
 public:
  explicit BlockReader(int file) : file_(file), buffer_(kBlockBytes) {}

  // Forgets all but the last `keep` bytes and reads more behind them. False at the end or when reading fails.
  bool more(std::size_t keep) {
    const std::size_t kept = std::min(keep, filled_);
    std::memmove(buffer_.data(), buffer_.data() + filled_ - kept, kept);
    filled_ = kept;
    if (filled_ * 2 > buffer_.size()) buffer_.resize(buffer_.size() * 2);
    for (;;) {
      const ssize_t got = ::pread(file_, buffer_.data() + filled_, buffer_.size() - filled_, offset_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) error_ = errno;
      if (got <= 0) return false;
      offset_ += got;
      filled_ += static_cast<std::size_t>(got);
      return true;
    }
  }
  std::string_view text() const { return {buffer_.data(), filled_}; }
  int error() const { return error_; }

 private:
  int file_;
  std::vector<char> buffer_;
  std::size_t filled_ = 0;
  off_t offset_ = 0;
  int error_ = 0;
};

std::size_t find_text(std::string_view text, std::string_view pattern) {
  const void* at = ::memmem(text.data(), text.size(), pattern.data(), pattern.size());
  return at ? static_cast<std::size_t>(static_cast<const char*>(at) - text.data()) : std::string_view::npos;
}

std::string_view shorten(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() <= kLineBytesMax) return line;
  std::size_t end = kLineBytesMax;
  while (end > kLineBytesMax - 4 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end);
}

// Lines of `text`, which begins with line `number`; returns false when `found` wants no more.
bool search_block(std::string_view text, std::string_view pattern, std::uint64_t& number,
                  const std::function<bool(std::uint64_t, std::string_view)>& found) {
  while (!text.empty()) {
    const std::size_t at = find_text(text, pattern);
    if (at == std::string_view::npos) {
      number += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
      return true;
    }
    number +=
        static_cast<std::uint64_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    const std::size_t before = text.substr(0, at).rfind('\n');
    text.remove_prefix(before == std::string_view::npos ? 0 : before + 1);
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!found(number, shorten(text.substr(0, end)))) return false;
    if (end == text.size()) return true;
    ++number;
    text.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace

bool is_binary(int file) {
  char beginning[kBinaryBytes];
  const ssize_t got = ::pread(file, beginning, sizeof beginning, 0);
  return got > 0 && std::memchr(beginning, 0, static_cast<std::size_t>(got)) != nullptr;
}

void search_lines(int file, std::string_view pattern,
                  const std::function<bool(std::uint64_t, std::string_view)>& found) {
  if (pattern.find('\n') != std::string_view::npos || is_binary(file)) return;
  BlockReader reader(file);
  std::uint64_t number = 1;
  std::size_t open_line = 0;  // bytes of a line whose end has not come yet
  bool more = true;
  while (more) {
    // A line longer than this is looked through in parts of its own; its head counts for the answer.
    more = reader.more(open_line);
    const std::string_view text = reader.text();
    std::size_t end = text.size();
    if (more && text.size() < (8 << 20)) {
      const std::size_t last = text.rfind('\n');
      end = last == std::string_view::npos ? 0 : last + 1;
    }
    open_line = text.size() - end;
    if (!search_block(text.substr(0, end), pattern, number, found)) return;
    if (!more) return;
  }
}

Result<bool> contains(int file, std::string_view pattern) {
  BlockReader reader(file);
  while (reader.more(pattern.size() - 1)) {
    if (find_text(reader.text(), pattern) != std::string_view::npos) return true;
  }
  if (reader.error() != 0) return fail_file(reader.error(), "read");
  return false;
}

Result<void> replace_all(int file, std::string_view pattern, std::string_view value,
                         const std::function<Result<void>(std::string_view)>& out) {
  BlockReader reader(file);
  std::string piece;  // a file of many matches would otherwise go out in as many system calls
  auto put = [&](std::string_view text) -> Result<void> {
    if (piece.size() + text.size() > kPieceBytes) {
      SB_CHECK(out(piece));
      piece.clear();
    }
    if (text.size() > kPieceBytes) return out(text);
    piece += text;
    return {};
  };
  std::size_t keep = 0;
  while (reader.more(keep)) {
    std::string_view text = reader.text();
    for (std::size_t at; (at = find_text(text, pattern)) != std::string_view::npos;) {
      SB_CHECK(put(text.substr(0, at)));
      SB_CHECK(put(value));
      text.remove_prefix(at + pattern.size());
    }
    // The last bytes may be the beginning of a match that goes on.
    keep = std::min(text.size(), pattern.size() - 1);
    SB_CHECK(put(text.substr(0, text.size() - keep)));
  }
  if (reader.error() != 0) return fail_file(reader.error(), "read");
  SB_CHECK(put(reader.text()));
  return out(piece);
}

}  // namespace sebring::toolbox::files
