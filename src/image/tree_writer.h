#pragma once
// Makes the files that the entries of a tar describe, below one directory. Runs in the unprivileged process, as root of
// a user namespace with 65,536 ids, on a mount that shows plain ids.
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "image/layer_name.h"
#include "image/remarks.h"
#include "image/tar_reader.h"

namespace sebring::image {

// Sets what only the initial user namespace's root can set.
class OpaqueMarks {
 public:
  virtual ~OpaqueMarks() = default;
  // overlayfs shall show nothing of lower layers in this directory.
  virtual Result<void> set(int directory) = 0;
};

struct TreeWriterOptions {
  NameLimits names;
  // An archive of ours: "user.overlay." attributes are the users' own, ".wh." names may be marked as plain.
  bool own_archive = false;
};

class TreeWriter {
 public:
  // `root` and `opaque` are borrowed. umask must be 0.
  TreeWriter(int root, TreeWriterOptions options, OpaqueMarks& opaque)
      : root_(root), options_(options), opaque_(opaque) {}

  // Reads the entry's data from `reader`.
  Result<void> add(const TarEntry& entry, TarReader& reader);
  // Gives directories their owners, modes, attributes and times, which earlier would have been in the way.
  Result<void> finish();

  std::uint64_t bytes() const { return bytes_; }
  Remarks& remarks() { return remarks_; }

 private:
  struct Metadata {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0755;
    FileTime mtime;
    std::vector<std::pair<std::string, std::string>> attributes;
  };
  struct CachedParent {
    std::string path;
    UniqueFd fd;
  };

  Metadata metadata_of(const TarEntry& entry);
  Result<void> add_directory(const LayerName& name, const TarEntry& entry);
  Result<void> add_file(const LayerName& name, const TarEntry& entry, TarReader& reader);
  Result<void> add_symbolic_link(const LayerName& name, const TarEntry& entry);
  Result<void> add_hard_link(const LayerName& name, const TarEntry& entry);
  Result<void> add_fifo(const LayerName& name, const TarEntry& entry);
  Result<void> add_whiteout(const LayerName& name, const TarEntry& entry);
  Result<void> add_opaque(const LayerName& name);
  Result<void> write_data(int file, const TarEntry& entry, TarReader& reader);
  Result<void> finish_directory(const std::string& path, const Metadata& metadata);
  Result<void> set_attributes(int file, const Metadata& metadata, const std::string& path);

  // The directory, made with its parents where missing. Valid until the next call of it or of make_room().
  Result<int> open_parent(const std::string& path);
  Result<UniqueFd> make_parents(const std::string& path);
  Result<UniqueFd> enter_or_make(int at, const std::string& component, const std::string& path);
  // Removes what lies at a name, trees too.
  Result<void> make_room(int parent, const LayerName& name);

  static constexpr std::size_t kCachedParents = 8;
  int root_;
  TreeWriterOptions options_;
  OpaqueMarks& opaque_;
  Remarks remarks_;
  std::uint64_t bytes_ = 0;
  std::vector<CachedParent> parents_;                      // most recently used last
  std::unordered_map<std::string, Metadata> directories_;  // "" is the root
};

}  // namespace sebring::image
