#include "image/archive.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "image/testing/scratch.h"

using namespace sebring;
using namespace sebring::image;
using namespace sebring::image::testing;
using namespace std::string_literals;

namespace {

void set_time(const std::string& path, std::int64_t seconds, long nanoseconds) {
  timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

void make_upper(const std::string& upper) {
  namespace fs = std::filesystem;
  std::string u = upper + "/u/";
  fs::create_directories(u + "d/.wh.directory/sub");
  fs::create_directories(upper + "/w");
  std::ofstream(u + "d/.wh.directory/f") << "inside";
  std::ofstream(u + "d/.wh.literal") << "no whiteout";
  std::ofstream(u + "d/.wh..wh..opq") << "no marker";
  fs::create_hard_link(u + "d/.wh.literal", u + "d/.a hard link");
  std::ofstream(u + "d/bad\xff\nname") << "x";
  std::ofstream(u + "setuid") << "suid";
  REQUIRE(::chown((u + "setuid").c_str(), 1000, 65535) == 0);
  REQUIRE(::chmod((u + "setuid").c_str(), 06751) == 0);
  std::string capability = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
  std::ofstream(u + "capable") << "cap";
  REQUIRE(::setxattr((u + "capable").c_str(), "security.capability", capability.data(), capability.size(), 0) == 0);
  REQUIRE(::setxattr((u + "capable").c_str(), "user.a=b\n", "\0\n=", 3, 0) == 0);
  REQUIRE(::setxattr((u + "d").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
  REQUIRE(::setxattr((u + "d/.wh.directory").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
  fs::create_symlink(std::string(3000, 't'), u + "link");
  REQUIRE(::lchown((u + "link").c_str(), 7, 8) == 0);
  REQUIRE(::link((u + "link").c_str(), (u + "second link").c_str()) == 0);
  REQUIRE(::mkfifo((u + "fifo").c_str(), 0640) == 0);
  REQUIRE(::mknod((u + "d/whiteout").c_str(), S_IFCHR, makedev(0, 0)) == 0);
  std::ofstream(u + "sparse") << "begin";
  fs::resize_file(u + "sparse", 8 << 20);
  std::ofstream(u + "sparse", std::ios::in | std::ios::ate) << "end";
  std::ofstream(u + "hole").flush();
  fs::resize_file(u + "hole", 1 << 20);
  std::ofstream(u + "zeros") << std::string(100'000, '\0');
  std::string deep = u;
  for (int i = 0; i < 30; ++i) deep += std::string(100, 'd') + "/";
  fs::create_directories(deep);
  std::ofstream(deep + "deep") << "down";
  for (int i = 0; i < 300; ++i)
    std::ofstream(u + "file" + std::to_string(i)) << std::string(static_cast<std::size_t>(i) * 37, 'f');
  set_time(u + "hole", -100, 250'000'000);
  set_time(u + "link", 7258118400, 1);
  set_time(u + "d/whiteout", 1000, 5);
  set_time(u + "d", 12345, 678'900'001);
  REQUIRE(::chmod((u + "d").c_str(), 03700) == 0);
  REQUIRE(::chmod(u.c_str(), 0711) == 0);
  set_time(u, 99, 1);
}

struct Archive {
  Archived archived;
  UniqueFd file;
};

Archive archive(const std::string& upper) {
  auto directory = os::open_dir(upper);
  REQUIRE(directory);
  Archive made{.file = memory_file("")};
  auto archived = archive_upper({.upper = directory->get(), .output = made.file.get(), .program = test_program()});
  REQUIRE_MESSAGE(archived, archived.error().message());
  made.archived = *archived;
  ::lseek(made.file.get(), 0, SEEK_SET);
  auto bytes = os::read_all(made.file.get(), 64 << 20);
  CHECK(bytes->size() == archived->bytes);
  CHECK(sha256_hex(*bytes) == archived->sha256);
  ::lseek(made.file.get(), 0, SEEK_SET);
  return made;
}

}  // namespace

TEST_CASE("a disk comes back as it was") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string first = scratch.path + "/first", second = scratch.path + "/second";
  make_upper(first);
  int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  std::strcpy(address.sun_path, (first + "/u/socket").c_str());
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(listener);
  set_time(first + "/u", 99, 1);
  auto descriptors = open_descriptors();
  {
    Archive made = archive(first);
    REQUIRE(made.archived.remarks.size() == 1);
    CHECK(made.archived.remarks[0] == "1 sockets left out (socket)");
    // What a new upper has is replaced, links in it not followed.
    std::filesystem::create_directories(second + "/u/etc/old");
    std::filesystem::create_directory_symlink(first, second + "/u/d");
    std::ofstream(second + "/u/etc/hosts") << "first file";
    auto upper = os::open_dir(second);
    auto restored = restore_upper(
        {.input = made.file.get(), .sha256 = made.archived.sha256, .upper = upper->get(), .program = test_program()});
    REQUIRE_MESSAGE(restored, restored.error().message());
    CHECK(restored->remarks.empty());
    auto before = fingerprint(first + "/u"), after = fingerprint(second + "/u");
    before.erase("/socket");
    CHECK(before.size() == after.size());
    for (const auto& [path, line] : before) {
      CAPTURE(path.substr(0, 200));
      CHECK(after[path] == line);
    }
    CHECK(archive(second).archived.sha256 == made.archived.sha256);
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("archives that are not what they should be") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string first = scratch.path + "/first";
  make_upper(first);
  Archive made = archive(first);
  std::string bytes = *os::read_all(made.file.get(), 64 << 20);
  auto restore = [&](const std::string& input, const std::string& sha256) {
    std::filesystem::create_directories(scratch.path + "/second/u");
    auto upper = os::open_dir(scratch.path + "/second");
    UniqueFd file = memory_file(input);
    return restore_upper({.input = file.get(), .sha256 = sha256, .upper = upper->get(), .program = test_program()});
  };
  CHECK(restore(bytes, std::string(64, '0')).error().code() == Errc::invalid_argument);
  CHECK(restore(bytes, "short").error().code() == Errc::invalid_argument);
  std::string cut = bytes.substr(0, bytes.size() - 10), damaged = bytes;
  damaged[bytes.size() / 2] ^= 1;
  CHECK_FALSE(restore(cut, made.archived.sha256));
  CHECK_FALSE(restore(cut, sha256_hex(cut)));
  CHECK_FALSE(restore(damaged, made.archived.sha256));
  CHECK(restore("not an archive", sha256_hex("not an archive")).error().code() == Errc::unprocessable);
  CHECK(restore(bytes, made.archived.sha256));
}

TEST_CASE("an archive that cannot be written says why") {
  if (!can_be_root()) return;
  Scratch scratch;
  make_upper(scratch.path + "/first");
  auto upper = os::open_dir(scratch.path + "/first");
  auto full = os::open_at(AT_FDCWD, "/dev/full", O_WRONLY);
  auto archived = archive_upper({.upper = upper->get(), .output = full->get(), .program = test_program()});
  REQUIRE_FALSE(archived);
  CHECK(archived.error().code() == Errc::exhausted);
  std::string deep = scratch.path + "/first/u/too";
  REQUIRE(::mkdir(deep.c_str(), 0755) == 0);
  int at = ::open(deep.c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 20; ++i) {  // longer than any path may be, which users can make too
    REQUIRE(::mkdirat(at, std::string(250, 'l').c_str(), 0755) == 0);
    int next = ::openat(at, std::string(250, 'l').c_str(), O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = next;
  }
  ::close(at);
  UniqueFd output = memory_file("");
  archived = archive_upper({.upper = upper->get(), .output = output.get(), .program = test_program()});
  REQUIRE_FALSE(archived);
  CHECK(archived.error().code() == Errc::too_large);
}

TEST_CASE("an archive or a disk that does not fit into what is free") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string first = scratch.path + "/first", second = scratch.path + "/second";
  std::filesystem::create_directories(first + "/u");
  std::filesystem::create_directories(second + "/u");
  std::string noise;
  for (std::uint32_t i = 0, n = 1; i < 1'000'000; ++i) noise += static_cast<char>((n = n * 1664525 + 1013904223) >> 24);
  std::ofstream(first + "/u/noise") << noise;
  auto directory = os::open_dir(first);
  auto output = memory_file("");
  auto refused = archive_upper(
      {.upper = directory->get(), .output = output.get(), .output_bytes_max = 500'000, .program = test_program()});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::exhausted);
  struct stat status;
  REQUIRE(::fstat(output.get(), &status) == 0);
  CHECK(status.st_size <= 500'000);
  Archive made = archive(first);
  auto target = os::open_dir(second);
  auto too_large = restore_upper({.input = made.file.get(),
                                  .sha256 = made.archived.sha256,
                                  .output_bytes_max = 500'000,
                                  .upper = target->get(),
                                  .program = test_program()});
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().code() == Errc::exhausted);
}
