// GET /files and /files/info.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <optional>
#include <system_error>
#include <thread>

#include "toolbox/files/file_error.h"
#include "toolbox/files/file_info.h"
#include "toolbox/files/json_stream.h"
#include "toolbox/files/operations.h"
#include "toolbox/files/tree.h"

namespace sebring::toolbox::files {
namespace {

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

std::string_view base_name(std::string_view path) {
  path = without_slashes(path);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

Result<int> depth_parameter(const Request& request) {
  const auto text = request.parameter("depth");
  if (!text || text->empty()) return 1;
  int depth = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), depth);
  if (error != std::errc() || end != text->data() + text->size() || depth < 1) {
    return fail(Errc::invalid_argument, "depth must be a positive number");
  }
  return depth;
}

// Entries of one directory need nothing of each other, and most of the work is the kernel's: large directories are
// looked at by two threads.
constexpr std::size_t kAloneMax = 512;
constexpr std::size_t kBlock = 256;    // entries that a thread takes at a time
constexpr std::size_t kAheadMax = 16;  // blocks that wait for a slow client, 1 MB of text

// A directory's entries as text, in blocks that are made by whoever has time and taken in order.
class Listing {
 public:
  // `folder` as EntryWriter wants it.
  Listing(int directory, std::string folder, std::vector<std::string> names)
      : directory_(directory),
        folder_(std::move(folder)),
        names_(std::move(names)),
        blocks_((names_.size() + kBlock - 1) / kBlock) {
    if (names_.size() <= kAloneMax) return;
    try {
      helper_ = std::jthread([this](const std::stop_token& stop) {
        while (!stop.stop_requested() && render_next()) {
          for (std::size_t taken = taken_; next_ > taken + kAheadMax; taken = taken_) taken_.wait(taken);
        }
      });
    } catch (const std::system_error&) {  // the sandbox has no process left to give
    }
  }

  ~Listing() {
    helper_.request_stop();
    taken_ = blocks_.size();
    taken_.notify_one();
  }
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  // The entries of the next block, each with a comma in front; empty when all of them have vanished; nullopt at the
  // end.
  std::optional<std::string> take() {
    if (taken_ == blocks_.size()) return std::nullopt;
    Block& block = blocks_[taken_];
    while (!block.ready.load(std::memory_order_acquire)) {
      if (next_ > taken_ + kAheadMax || !render_next()) block.ready.wait(false, std::memory_order_acquire);
    }
    ++taken_;
    taken_.notify_one();
    return std::move(block.text);
  }

 private:
  struct Block {
    std::string text;
    std::atomic<bool> ready = false;
  };

  // False when there is no block left to begin with.
  bool render_next() {
    const std::size_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= blocks_.size()) return false;
    Block& block = blocks_[index];
    block.text.reserve(kBlock * 256);
    EntryWriter writer(folder_);
    for (std::size_t i = index * kBlock; i < std::min(names_.size(), (index + 1) * kBlock); ++i) {
      struct stat status{};
      // What has vanished meanwhile is left out.
      if (::fstatat(directory_, names_[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
      block.text += ',';
      writer.append(block.text, names_[i], status);
    }
    block.ready.store(true, std::memory_order_release);
    block.ready.notify_one();
    return true;
  }

  int directory_;
  std::string folder_;
  std::vector<std::string> names_;
  std::vector<Block> blocks_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> taken_ = 0;
  std::jthread helper_;  // last, so that it ends first
};

Result<void> list_flat(const std::string& path, bool with_path, Responder& responder) {
  SB_TRY(const UniqueFd directory, open_directory(path));
  SB_TRY(std::vector<std::string> names, read_names(directory.get()));
  std::string folder;
  if (with_path) folder = path.ends_with('/') ? path : path + "/";
  Listing listing(directory.get(), std::move(folder), std::move(names));
  JsonStream entries(responder, "[");
  while (auto text = listing.take()) {
    if (!text->empty()) entries.next() += std::string_view(*text).substr(1);
  }
  entries.finish("]");
  return {};
}

}  // namespace

Result<void> list(const Request& request, BodyReader& /*body*/, Responder& responder) {
  Request with_default = request;
  if (request.parameter("path").value_or("").empty()) with_default.query = {{"path", "."}};
  SB_TRY(std::string path, path_parameter(with_default, "path"));
  if (path.ends_with("/.")) path.resize(path.size() - 2);
  if (path.empty()) path = "/";
  SB_TRY(const int depth, depth_parameter(request));
  const bool with_path = !request.plain_fields;
  if (depth == 1) return list_flat(std::string(without_slashes(path)), with_path, responder);
  JsonStream entries(responder, "[");
  SB_CHECK(walk(path, without_slashes(path), [&](const Visited& entry) {
    append_file_info(entries.next(), entry.name, with_path ? entry.path : std::string_view(), entry.status);
    return entry.level < depth ? Visit::go_on : Visit::skip;
  }));
  entries.finish("]");
  return {};
}

Result<void> info(const Request& request, BodyReader& /*body*/, Responder& responder) {
  SB_TRY(const std::string path, path_parameter(request, "path"));
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) {
    // A link that leads nowhere is something too.
    const int error = errno;
    if (::lstat(path.c_str(), &status) < 0 || error == ELOOP) return fail_file(error, path);
  }
  std::string text;
  append_file_info(text, base_name(path), request.plain_fields ? std::string_view() : without_slashes(path), status);
  responder.respond_json(200, std::move(text));
  return {};
}

}  // namespace sebring::toolbox::files
