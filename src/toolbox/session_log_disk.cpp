// Files of session logs. All of it happens on the disk's thread, with the rights of the sandbox's user, in a directory
// that the user can change: names are random and opened without following links, and a file that is not the one that we
// made is not read.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "toolbox/as_user.h"
#include "toolbox/log_directory.h"
#include "toolbox/session_log.h"

namespace sebring::toolbox {
namespace {

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(errno, "write session log");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

Result<UniqueFd> LogDisk::open_directory() {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd directory(::open(directory_.c_str(), kFlags));
  if (!directory) return fail_errno(errno, "open directory of session logs");
  return directory;
}

void LogDisk::remove_leftovers() {
  AsUser user(uid_, gid_);
  auto directory = open_directory();
  if (!directory) return;
  DIR* entries = ::fdopendir(directory->get());
  if (entries == nullptr) return;
  directory->release();
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(entries)) ::unlinkat(::dirfd(entries), entry->d_name, 0);
  ::closedir(entries);
}

LogDisk::File::~File() {
  disk_->thread_.run_later([path = std::move(path_), uid = disk_->uid_, gid = disk_->gid_] {
    AsUser user(uid, gid);
    ::unlink(path.c_str());
  });
}

asio::awaitable<Result<std::shared_ptr<LogDisk::File>>> LogDisk::create() {
  auto self = shared_from_this();
  co_return co_await thread_.run([self]() -> Result<std::shared_ptr<File>> {
    SB_CHECK(make_log_directory(self->directory_, self->uid_, self->gid_));
    AsUser user(self->uid_, self->gid_);
    SB_TRY(UniqueFd directory, self->open_directory());
    const std::string name = random_hex(12) + ".log";
    UniqueFd fd(
        ::openat(directory.get(), name.c_str(), O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0) return fail_errno(errno, "create session log");
    auto file = std::make_shared<File>(self, self->directory_ + "/" + name, std::move(fd));
    file->device_ = info.st_dev;
    file->inode_ = info.st_ino;
    return file;
  });
}

asio::awaitable<Result<void>> LogDisk::append(std::shared_ptr<File> file, const std::string& bytes) {
  auto self = shared_from_this();
  co_return co_await thread_.run([self, file, &bytes]() -> Result<void> {
    AsUser user(self->uid_, self->gid_);
    if (!file->fd_) {  // late output after finish()
      file->fd_.reset(::open(file->path_.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      struct stat info{};
      if (!file->fd_ || ::fstat(file->fd_.get(), &info) != 0) return fail_errno(errno, "open session log");
      if (info.st_dev != file->device_ || info.st_ino != file->inode_) {
        return fail(Errc::gone, "session log was replaced by another file");
      }
    }
    return write_all(file->fd_.get(), bytes);
  });
}

asio::awaitable<Result<std::string>> LogDisk::read(std::shared_ptr<File> file, std::uint64_t offset,
                                                   std::size_t bytes_max) {
  auto self = shared_from_this();
  co_return co_await thread_.run([self, file, offset, bytes_max]() -> Result<std::string> {
    AsUser user(self->uid_, self->gid_);
    UniqueFd opened;
    int fd = file->fd_.get();
    if (fd < 0) {
      opened.reset(::open(file->path_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
      struct stat info{};
      if (!opened || ::fstat(opened.get(), &info) != 0) return fail_errno(errno, "open session log");
      if (info.st_dev != file->device_ || info.st_ino != file->inode_) {
        return fail(Errc::gone, "session log was replaced by another file");
      }
      fd = opened.get();
    }
    std::string bytes(bytes_max, '\0');
    ssize_t done;
    do {
      done = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    } while (done < 0 && errno == EINTR);
    if (done < 0) return fail_errno(errno, "read session log");
    if (done == 0) return fail(Errc::gone, "session log was cut short by something in the sandbox");
    bytes.resize(static_cast<std::size_t>(done));
    return bytes;
  });
}

asio::awaitable<void> LogDisk::finish(std::shared_ptr<File> file) {
  auto self = shared_from_this();
  co_await thread_.run([file] {
    file->fd_.reset();
    return true;
  });
}

}  // namespace sebring::toolbox
