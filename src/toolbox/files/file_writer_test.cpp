#include "toolbox/files/file_writer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toolbox/files/tree.h"

namespace sebring::toolbox::files {
namespace {

struct Folder {
  Folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Folder() { (void)remove_tree(path); }
  std::string operator/(std::string_view name) const { return path + "/" + std::string(name); }
  std::string path = "/tmp/file-writer-XXXXXX";
};

std::string content(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t got = file ? ::read(file.get(), text, sizeof text) : 0;
  return std::string(text, static_cast<std::size_t>(got > 0 ? got : 0));
}

void put(const std::string& path, std::string_view text) {
  auto writer = FileWriter::open(path, true);
  REQUIRE(writer.has_value());
  REQUIRE(writer->write(text).has_value());
  REQUIRE(writer->commit().has_value());
}

std::size_t entries(const std::string& path) {
  auto directory = open_directory(path);
  REQUIRE(directory.has_value());
  return read_names(directory->get())->size();
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("new files, with their directories") {
  Folder folder;
  put(folder / "a/b/c.txt", "hello");
  CHECK(content(folder / "a/b/c.txt") == "hello");
  CHECK(mode_of(folder / "a/b/c.txt") == 0644);
  CHECK(mode_of(folder / "a/b") == 0755);
  CHECK(!FileWriter::open(folder / "x/y", false).has_value());
}

TEST_CASE("a replaced file keeps its mode, and its old content until the end") {
  Folder folder;
  put(folder / "f", "old");
  REQUIRE(::chmod((folder / "f").c_str(), 0751) == 0);
  {
    auto writer = FileWriter::open(folder / "f", false);
    REQUIRE(writer.has_value());
    REQUIRE(writer->write("ne").has_value());
    CHECK(content(folder / "f") == "old");
    CHECK(entries(folder.path) == 1);
    REQUIRE(writer->write("w").has_value());
    REQUIRE(writer->commit().has_value());
  }
  CHECK(content(folder / "f") == "new");
  CHECK(mode_of(folder / "f") == 0751);
}

TEST_CASE("what is not committed leaves nothing") {
  Folder folder;
  put(folder / "f", "old");
  {
    auto a = FileWriter::open(folder / "f", false);
    auto b = FileWriter::open(folder / "new", false);
    REQUIRE(a.has_value());
    REQUIRE(b.has_value());
    REQUIRE(a->write("x").has_value());
    REQUIRE(b->write("x").has_value());
  }
  CHECK(content(folder / "f") == "old");
  CHECK(entries(folder.path) == 1);
}

TEST_CASE("links are written through") {
  Folder folder;
  put(folder / "d/real", "old");
  REQUIRE(::symlink("d/real", (folder / "link").c_str()) == 0);
  REQUIRE(::symlink("fresh", (folder / "dangling").c_str()) == 0);
  REQUIRE(::symlink("loop", (folder / "loop").c_str()) == 0);
  put(folder / "link", "new");
  put(folder / "dangling", "made");
  CHECK(content(folder / "d/real") == "new");
  CHECK(content(folder / "fresh") == "made");
  struct stat status{};
  REQUIRE(::lstat((folder / "link").c_str(), &status) == 0);
  CHECK(S_ISLNK(status.st_mode));
  CHECK(!FileWriter::open(folder / "loop", false).has_value());
}

TEST_CASE("links of /proc are no names for new files") {
  Folder folder;
  auto link_to = [](const UniqueFd& file) { return "/proc/self/fd/" + std::to_string(file.get()); };
  put(folder / "named", "old");
  const UniqueFd named(::open((folder / "named").c_str(), O_RDONLY | O_CLOEXEC));
  put(link_to(named), "new");
  CHECK(content(folder / "named") == "new");
  put(folder / "removed", "old");
  const UniqueFd removed(::open((folder / "removed").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(::unlink((folder / "removed").c_str()) == 0);
  const UniqueFd memory(::memfd_create("writer", MFD_CLOEXEC));
  int pipe[2];
  REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const UniqueFd reader(pipe[0]);
  const UniqueFd writer(pipe[1]);
  REQUIRE(::symlink(link_to(memory).c_str(), (folder / "link").c_str()) == 0);
  for (const std::string& path :
       {link_to(removed), link_to(memory), link_to(writer), folder / "link", std::string("/proc/self/ns/uts")}) {
    CAPTURE(path);
    auto opened = FileWriter::open(path, true);
    REQUIRE(!opened.has_value());
    CHECK(opened.error().code() == Errc::invalid_argument);
    CHECK(opened.error().tag() == "INVALID_FILE_PATH");
  }
  CHECK(entries(folder.path) == 2);
  CHECK(::access("/memfd:writer (deleted)", F_OK) < 0);
}

TEST_CASE("what can not be written") {
  Folder folder;
  put(folder / "f", "x");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0644) == 0);
  for (const std::string& path :
       {folder.path, folder / "fifo", folder / "f/below", folder / "f/", std::string("/dev/null"),
        folder / std::string(300, 'x'), std::string("/proc/nothing/here")}) {
    CAPTURE(path);
    CHECK(!FileWriter::open(path, true).has_value());
  }
  CHECK(content(folder / "f") == "x");
}

TEST_CASE("trees of any depth are removed") {
  Folder folder;
  REQUIRE(::mkdir((folder / "top").c_str(), 0755) == 0);
  UniqueFd directory(::open((folder / "top").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(::mkdirat(directory.get(), "deeper", 0755) == 0);
    directory.reset(::openat(directory.get(), "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(directory);
    UniqueFd file(::openat(directory.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    REQUIRE(file);
  }
  REQUIRE(::symlinkat("/", directory.get(), "root") == 0);
  CHECK(remove_tree(folder / "top").has_value());
  CHECK(entries(folder.path) == 0);
}

TEST_CASE("copies keep modes, links and content") {
  Folder folder;
  put(folder / "a/f", "content");
  REQUIRE(::chmod((folder / "a/f").c_str(), 0700) == 0);
  REQUIRE(::symlink("f", (folder / "a/link").c_str()) == 0);
  REQUIRE(copy_tree(folder / "a", folder / "b").has_value());
  CHECK(content(folder / "b/link") == "content");
  CHECK(mode_of(folder / "b/f") == 0700);
  REQUIRE(::mkfifo((folder / "a/fifo").c_str(), 0644) == 0);
  CHECK(copy_tree(folder / "a", folder / "c").has_value());
  struct stat status{};
  REQUIRE(::lstat((folder / "c/fifo").c_str(), &status) == 0);
  CHECK(S_ISFIFO(status.st_mode));
}

}  // namespace sebring::toolbox::files
