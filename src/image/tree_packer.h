#pragma once
// Writes the tree below one directory as an OCI layer. Runs in the unprivileged process; the tree may be anything.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "image/remarks.h"
#include "image/tar_writer.h"

namespace sebring::image {

// Tells what only the initial user namespace's root can see.
class OpaqueQuestions {
 public:
  virtual ~OpaqueQuestions() = default;
  virtual Result<bool> is_opaque(int directory) = 0;
};

class TreePacker {
 public:
  TreePacker(int root, TarWriter& tar, OpaqueQuestions& opaque) : root_(root), tar_(tar), opaque_(opaque) {}

  // Everything, in the order of names, and the archive's end.
  Result<void> run();
  Remarks& remarks() { return remarks_; }

 private:
  Result<void> pack_directory(int directory, const std::string& path);
  Result<void> pack_entry(int parent, const std::string& name, const std::string& path);
  Result<void> pack_file(int parent, const std::string& name, TarEntry entry);
  Result<void> pack_symbolic_link(int parent, const std::string& name, TarEntry entry);
  Result<void> pack_whiteout(const std::string& name, TarEntry entry);
  Result<void> copy_data(int file, const TarEntry& entry);

  static constexpr std::size_t kChunk = 256 * 1024;
  int root_;
  TarWriter& tar_;
  OpaqueQuestions& opaque_;
  Remarks remarks_;
  std::unique_ptr<char[]> chunk_ = std::make_unique_for_overwrite<char[]>(kChunk);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string>
      first_names_;  // of files with several, by device and inode
};

}  // namespace sebring::image
