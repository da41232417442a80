#pragma once
// A directory for tests that need root, and what lies in trees.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "image/importer.h"
#include "os/file.h"

namespace sebring::image::testing {

inline bool can_be_root() {
  if (::geteuid() == 0) return true;
  MESSAGE("SKIP: needs root");
  return false;
}

// Removed with everything in it.
struct Scratch {
  Scratch() {
    char name[] = "/tmp/sebring-image-test-XXXXXX";
    REQUIRE(::mkdtemp(name));
    path = name;
    std::filesystem::create_directory(path + "/layers");
    auto opened = os::open_dir(path + "/layers");
    REQUIRE(opened);
    layers = *std::move(opened);
    ::umask(022);
  }
  ~Scratch() {
    layers.reset();
    (void)os::remove_tree_at(AT_FDCWD, path);
  }
  std::vector<std::string> names() const { return *os::list_dir_at(layers.get(), "."); }
  std::string path;
  UniqueFd layers;
};

inline UniqueFd memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(file);
  REQUIRE(os::write_all(file.get(), bytes));
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

inline std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string hex;
  for (unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

inline ImporterProgram test_program() { return {.path = SEBRING_TEST_IMPORTER}; }

inline std::string attributes_text(const std::string& path) {
  char names[4096], value[4096];
  std::string text;
  ssize_t n = ::llistxattr(path.c_str(), names, sizeof names);
  std::map<std::string, std::string> sorted;
  for (const char* name = names; n > 0 && name < names + n; name += std::string_view(name).size() + 1) {
    if (std::string_view(name) == "trusted.sebring.layer") continue;
    ssize_t size = ::lgetxattr(path.c_str(), name, value, sizeof value);
    sorted[name] = std::string(value, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  for (const auto& [name, content] : sorted) text += " " + name + "=" + sha256_hex(content).substr(0, 8);
  return text;
}

// Path -> everything that must be kept, except that hard links are named by the first of their names.
inline std::map<std::string, std::string> fingerprint(const std::string& root) {
  std::map<std::string, std::string> lines;
  std::map<std::uint64_t, std::string> inodes;
  std::vector<std::string> paths = {root};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    struct stat status;
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    std::string relative = path.substr(root.size());
    std::string line = std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) + ":" +
                       std::to_string(status.st_gid) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
                       std::to_string(status.st_mtim.tv_nsec);
    if (S_ISLNK(status.st_mode)) line += " -> " + std::filesystem::read_symlink(path).string();
    if (S_ISCHR(status.st_mode)) line += " device " + std::to_string(status.st_rdev);
    if (S_ISREG(status.st_mode)) {
      auto file = os::open_at(AT_FDCWD, path, O_RDONLY);
      line +=
          " " + std::to_string(status.st_size) + " hole " + std::to_string(::lseek(file->get(), 0, SEEK_HOLE)) + " ";
      ::lseek(file->get(), 0, SEEK_SET);
      line += sha256_hex(*os::read_all(file->get(), 64 << 20)).substr(0, 12);
    }
    if (!S_ISDIR(status.st_mode) && !S_ISCHR(status.st_mode)) {
      auto [first, is_first] = inodes.try_emplace(status.st_ino, relative);
      if (!is_first) line += " same as " + first->second;
    }
    lines[relative] = line + attributes_text(path);
  }
  return lines;
}

inline std::size_t open_descriptors() { return os::list_dir_at(AT_FDCWD, "/proc/self/fd")->size(); }

}  // namespace sebring::image::testing
