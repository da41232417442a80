#include "toolbox/sftp/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "toolbox/sftp/replies.h"

namespace sebring::toolbox::sftp {
namespace {

constexpr std::size_t kPacketBytesMax = 256 * 1024;
constexpr std::size_t kDataBytesMax = kPacketBytesMax - 1024;
constexpr std::size_t kHandlesMax = 256;
constexpr int kNamesPerAnswer = 128;

// A name with NUL would be cut into another one; one that is too long fails everywhere.
std::string path_of(std::string_view text) {
  if (text.empty()) return ".";
  return text.find('\0') == std::string_view::npos ? std::string(text) : std::string(PATH_MAX + 1, 'x');
}

int open_flags(std::uint32_t wanted) {
  int flags = O_CLOEXEC | O_NOCTTY;
  if ((wanted & 3) == 3) {
    flags |= O_RDWR;
  } else if (wanted & 2) {
    flags |= O_WRONLY;
  }
  if (wanted & 4) flags |= O_APPEND;
  if (wanted & 8) flags |= O_CREAT;
  if (wanted & 16) flags |= O_TRUNC;
  if (wanted & 32) flags |= O_EXCL;
  return flags;
}

timespec seconds(std::uint32_t value) { return {.tv_sec = value, .tv_nsec = 0}; }

// All that was asked, the first failure's errno.
int apply(const Attributes& wanted, const char* path, bool follow) {
  int failed = 0;
  auto note = [&](int result) {
    if (result != 0 && failed == 0) failed = errno;
  };
  const int flag = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  if (wanted.size && follow) note(::truncate(path, static_cast<off_t>(*wanted.size)));
  if (wanted.mode) note(::fchmodat(AT_FDCWD, path, *wanted.mode & 07777, flag));
  if (wanted.modified) {
    const timespec times[2] = {seconds(wanted.accessed.value_or(*wanted.modified)), seconds(*wanted.modified)};
    note(::utimensat(AT_FDCWD, path, times, flag));
  }
  if (wanted.uid) note(::fchownat(AT_FDCWD, path, *wanted.uid, *wanted.gid, flag));
  return failed;
}

int apply(const Attributes& wanted, int fd) {
  int failed = 0;
  auto note = [&](int result) {
    if (result != 0 && failed == 0) failed = errno;
  };
  if (wanted.size) note(::ftruncate(fd, static_cast<off_t>(*wanted.size)));
  if (wanted.mode) note(::fchmod(fd, *wanted.mode & 07777));
  if (wanted.modified) {
    const timespec times[2] = {seconds(wanted.accessed.value_or(*wanted.modified)), seconds(*wanted.modified)};
    note(::futimens(fd, times));
  }
  if (wanted.uid) note(::fchown(fd, *wanted.uid, *wanted.gid));
  return failed;
}

// As realpath, but the last part need not exist yet: clients ask for where they are about to write.
std::string resolve(const std::string& path) {
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real)) return real;
  if (errno != ENOENT) return {};
  const std::size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (name.empty() || name == "." || name == ".." || !::realpath(parent.c_str(), real)) {
    errno = ENOENT;
    return {};
  }
  std::string result = real;
  if (result != "/") result += '/';
  return result + name;
}

}  // namespace

bool Server::serve(std::string& input, std::string& output) {
  std::size_t used = 0;
  bool sound = true;
  // Answers are bounded too: the rest waits until the client has taken these.
  while (sound && input.size() - used >= 5 && output.size() < 4 * kPacketBytesMax) {
    PacketReader length_reader(std::string_view(input).substr(used, 4));
    const std::uint32_t length = length_reader.word();
    if (length < 1 || length > kPacketBytesMax + 1024) return false;
    if (input.size() - used - 4 < length) break;
    PacketReader reader(std::string_view(input).substr(used + 4, length));
    used += 4 + length;
    PacketWriter writer(output);
    const std::uint8_t type = reader.byte();
    if (type == kInit) {
      version(writer);
      continue;
    }
    const std::uint32_t id = reader.word();
    if (!reader.ok()) sound = false;
    if (sound) answer(type, id, reader, writer);
  }
  input.erase(0, used);
  return sound;
}

void Server::version(PacketWriter& writer) {
  writer.begin(kVersion);
  writer.word(3);
  for (auto [name, value] : {std::pair{"posix-rename@openssh.com", "1"},
                             {"statvfs@openssh.com", "2"},
                             {"fstatvfs@openssh.com", "2"},
                             {"hardlink@openssh.com", "1"},
                             {"fsync@openssh.com", "1"},
                             {"lsetstat@openssh.com", "1"},
                             {"limits@openssh.com", "1"}}) {
    writer.text(name);
    writer.text(value);
  }
  writer.end();
}

void Server::answer(std::uint8_t type, std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  switch (type) {
    case kOpen:
      return open(id, reader, writer);
    case kClose:
      return close(id, reader, writer);
    case kRead:
      return read(id, reader, writer);
    case kWrite:
      return write(id, reader, writer);
    case kLstat:
      return status_of(id, reader, writer, false);
    case kStat:
      return status_of(id, reader, writer, true);
    case kFstat:
      return handle_status(id, reader, writer);
    case kSetstat:
      return set_attributes(id, reader, writer, true);
    case kFsetstat:
      return set_handle_attributes(id, reader, writer);
    case kOpendir:
      return open_directory(id, reader, writer);
    case kReaddir:
      return read_directory(id, reader, writer);
    case kRemove:
      return send_result(id, ::unlink(path_of(reader.text()).c_str()), writer);
    case kMkdir: {
      const std::string path = path_of(reader.text());
      const Attributes wanted = read_attributes(reader);
      return send_result(id, ::mkdir(path.c_str(), wanted.mode.value_or(0777) & 07777), writer);
    }
    case kRmdir:
      return send_result(id, ::rmdir(path_of(reader.text()).c_str()), writer);
    case kRealpath:
      return real_path(id, reader, writer);
    case kRename:
      return rename(id, reader, writer);
    case kReadlink:
      return read_link(id, reader, writer);
    case kSymlink: {
      // In the order that OpenSSH made the usual one: target, then link.
      const std::string target = path_of(reader.text());
      return send_result(id, ::symlink(target.c_str(), path_of(reader.text()).c_str()), writer);
    }
    case kExtended:
      return extended(id, reader, writer);
    default:
      return send_status(id, kUnsupported, "not supported", writer);
  }
}

Server::Handle* Server::find(std::string_view text) {
  PacketReader reader(text);
  const std::uint32_t number = reader.word();
  const auto found = handles_.find(number);
  return !reader.ok() || text.size() != 4 || found == handles_.end() ? nullptr : &found->second;
}

void Server::add_handle(std::uint32_t id, Handle handle, PacketWriter& writer) {
  const std::uint32_t number = next_++;
  handles_.emplace(number, std::move(handle));
  writer.begin(kHandle);
  writer.word(id);
  writer.word(4);
  writer.word(number);
  writer.end();
}

void Server::open(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle handle{.path = path_of(reader.text())};
  const std::uint32_t flags = reader.word();
  const Attributes wanted = read_attributes(reader);
  if (!reader.ok()) return send_status(id, kBadMessage, "bad message", writer);
  if (handles_.size() >= kHandlesMax) return send_errno(id, EMFILE, writer);
  handle.append = flags & 4;
  handle.file.reset(::open(handle.path.c_str(), open_flags(flags), wanted.mode.value_or(0666) & 07777));
  if (!handle.file) return send_errno(id, errno, writer);
  add_handle(id, std::move(handle), writer);
}

void Server::open_directory(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle handle{.path = path_of(reader.text())};
  if (handles_.size() >= kHandlesMax) return send_errno(id, EMFILE, writer);
  handle.directory.reset(::opendir(handle.path.c_str()));
  if (!handle.directory) return send_errno(id, errno, writer);
  add_handle(id, std::move(handle), writer);
}

void Server::close(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  const std::string_view text = reader.text();
  Handle* handle = find(text);
  if (!handle) return send_errno(id, EBADF, writer);
  // Quota errors of delayed writes show here.
  const int result = handle->file ? ::close(handle->file.release()) : 0;
  const int saved = errno;
  PacketReader number(text);
  handles_.erase(number.word());
  send_errno(id, result == 0 ? 0 : saved, writer);
}

void Server::read(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle* handle = find(reader.text());
  const std::uint64_t offset = reader.quad();
  const std::size_t length = std::min<std::size_t>(reader.word(), kDataBytesMax);
  if (!reader.ok() || !handle || !handle->file) return send_errno(id, EBADF, writer);
  // Straight into the answer: type, id and length stand before the data.
  writer.begin(kData);
  writer.word(id);
  std::string& out = writer.buffer();
  const std::size_t start = out.size() - 9;
  out.resize(out.size() + 4 + length);
  const ssize_t got = ::pread(handle->file.get(), out.data() + start + 13, length, static_cast<off_t>(offset));
  const int saved = errno;
  if (got <= 0) {
    out.resize(start);
    if (got == 0) return send_status(id, kEof, "End of file", writer);
    return send_errno(id, access_errno(saved), writer);
  }
  for (int i = 0; i < 4; ++i) out[start + 9 + static_cast<std::size_t>(i)] = static_cast<char>(got >> (24 - 8 * i));
  out.resize(start + 13 + static_cast<std::size_t>(got));
  writer.end();
}

void Server::write(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle* handle = find(reader.text());
  std::uint64_t offset = reader.quad();
  std::string_view data = reader.text();
  if (!reader.ok() || !handle || !handle->file) return send_errno(id, EBADF, writer);
  while (!data.empty()) {
    const ssize_t put = handle->append
                            ? ::write(handle->file.get(), data.data(), data.size())
                            : ::pwrite(handle->file.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return send_errno(id, access_errno(errno), writer);
    data.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  send_errno(id, 0, writer);
}

void Server::read_directory(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle* handle = find(reader.text());
  if (!handle || !handle->directory) return send_errno(id, EBADF, writer);
  std::string names;
  PacketWriter list(names);
  std::uint32_t count = 0;
  errno = 0;
  while (count < kNamesPerAnswer && names.size() < kPacketBytesMax / 2) {
    errno = 0;
    const dirent* entry = ::readdir(handle->directory.get());  // NOLINT(concurrency-mt-unsafe): a stream of our own
    if (!entry) break;
    struct stat status{};
    if (::fstatat(::dirfd(handle->directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    list.text(entry->d_name);
    list.text(long_name(entry->d_name, status));
    write_attributes(list, status);
    ++count;
  }
  if (count == 0) return errno != 0 ? send_errno(id, errno, writer) : send_status(id, kEof, "End of file", writer);
  writer.begin(kName);
  writer.word(id);
  writer.word(count);
  writer.buffer() += names;
  writer.end();
}

void Server::status_of(std::uint32_t id, PacketReader& reader, PacketWriter& writer, bool follow) {
  const std::string path = path_of(reader.text());
  struct stat status{};
  send_attributes(id, follow ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status), status, writer);
}

void Server::handle_status(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle* handle = find(reader.text());
  if (!handle) return send_errno(id, EBADF, writer);
  struct stat status{};
  const int fd = handle->file ? handle->file.get() : ::dirfd(handle->directory.get());
  send_attributes(id, ::fstat(fd, &status), status, writer);
}

void Server::set_attributes(std::uint32_t id, PacketReader& reader, PacketWriter& writer, bool follow) {
  const std::string path = path_of(reader.text());
  const Attributes wanted = read_attributes(reader);
  if (!reader.ok()) return send_status(id, kBadMessage, "bad message", writer);
  send_errno(id, apply(wanted, path.c_str(), follow), writer);
}

void Server::set_handle_attributes(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  Handle* handle = find(reader.text());
  const Attributes wanted = read_attributes(reader);
  if (!reader.ok() || !handle) return send_errno(id, EBADF, writer);
  send_errno(id, apply(wanted, handle->file ? handle->file.get() : ::dirfd(handle->directory.get())), writer);
}

void Server::real_path(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  const std::string real = resolve(path_of(reader.text()));
  if (real.empty()) return send_errno(id, errno, writer);
  send_one_name(id, real, writer);
}

void Server::read_link(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path_of(reader.text()).c_str(), target, sizeof target);
  if (length < 0) return send_errno(id, errno, writer);
  send_one_name(id, {target, static_cast<std::size_t>(length)}, writer);
}

// Version 3 must not replace what is there; the extension posix-rename does.
void Server::rename(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  const std::string from = path_of(reader.text());
  const std::string to = path_of(reader.text());
  constexpr unsigned kNoReplace = 1;
  long result = ::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), kNoReplace);
  if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {  // a file system without the flag
    struct stat status{};
    if (::lstat(to.c_str(), &status) == 0) return send_errno(id, EEXIST, writer);
    result = ::rename(from.c_str(), to.c_str());
  }
  send_result(id, static_cast<int>(result), writer);
}

void Server::extended(std::uint32_t id, PacketReader& reader, PacketWriter& writer) {
  const std::string_view name = reader.text();
  if (name == "posix-rename@openssh.com" || name == "hardlink@openssh.com") {
    const std::string from = path_of(reader.text());
    const std::string to = path_of(reader.text());
    const bool link = name.front() == 'h';
    return send_result(id, link ? ::link(from.c_str(), to.c_str()) : ::rename(from.c_str(), to.c_str()), writer);
  }
  if (name == "lsetstat@openssh.com") return set_attributes(id, reader, writer, false);
  if (name == "statvfs@openssh.com") {
    struct statvfs status{};
    return send_file_system(id, ::statvfs(path_of(reader.text()).c_str(), &status), status, writer);
  }
  if (name == "fstatvfs@openssh.com" || name == "fsync@openssh.com") {
    Handle* handle = find(reader.text());
    if (!handle || !handle->file) return send_errno(id, EBADF, writer);
    if (name == "fsync@openssh.com") return send_result(id, ::fsync(handle->file.get()), writer);
    struct statvfs status{};
    return send_file_system(id, ::fstatvfs(handle->file.get(), &status), status, writer);
  }
  if (name == "limits@openssh.com") {
    writer.begin(kExtendedReply);
    writer.word(id);
    for (std::uint64_t value : {kPacketBytesMax, kDataBytesMax, kDataBytesMax, kHandlesMax}) writer.quad(value);
    writer.end();
    return;
  }
  send_status(id, kUnsupported, "not supported", writer);
}

void run_sftp(int input_fd, int output_fd) {
  ::signal(SIGPIPE, SIG_DFL);
  Server server;
  std::string input;
  std::string output;
  std::string buffer(kPacketBytesMax, '\0');
  for (;;) {
    const ssize_t got = ::read(input_fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) ::_exit(got == 0 ? 0 : 1);
    input.append(buffer.data(), static_cast<std::size_t>(got));
    for (;;) {
      const std::size_t before = input.size();
      if (!server.serve(input, output)) ::_exit(1);
      std::string_view rest = output;
      while (!rest.empty()) {
        const ssize_t put = ::write(output_fd, rest.data(), rest.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) ::_exit(1);
        rest.remove_prefix(static_cast<std::size_t>(put));
      }
      output.clear();
      if (input.size() == before) break;
    }
  }
}

}  // namespace sebring::toolbox::sftp
