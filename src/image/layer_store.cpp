#include "image/layer_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"
#include "base/text.h"
#include "image/importer.h"
#include "image/layer_mark.h"
#include "os/file.h"

namespace sebring::image {
namespace {

constexpr const char* kMark = "trusted.sebring.layer";
constexpr std::string_view kRemoved = ".remove-";

}  // namespace

Result<void> mark_layer(int directory, const LayerMark& mark) {
  std::string text = std::to_string(mark.bytes) + " " + std::to_string(mark.entries);
  if (::fsetxattr(directory, kMark, text.data(), text.size(), 0) < 0) return fail_errno(errno, "mark the layer");
  return {};
}

Result<LayerMark> read_layer_mark(int directory) {
  char text[64];
  ssize_t n = ::fgetxattr(directory, kMark, text, sizeof text);
  if (n < 0) return fail_errno(errno, "read the layer's mark");
  auto parts = split(std::string_view(text, static_cast<std::size_t>(n)), ' ');
  auto bytes = parse_integer(parts[0]);
  auto entries = parts.size() == 2 ? parse_integer(parts[1]) : std::nullopt;
  if (!bytes || !entries) return fail(Errc::internal, "a layer's mark is damaged");
  return LayerMark{static_cast<std::uint64_t>(*bytes), static_cast<std::uint64_t>(*entries)};
}

Result<std::vector<Layer>> LayerStore::list() const {
  SB_TRY(auto names, os::list_dir_at(layers_, "."));
  std::sort(names.begin(), names.end());
  std::vector<Layer> layers;
  for (const auto& name : names) {
    std::string digest = "sha256:" + name;
    if (!digest_hex(digest)) continue;
    auto directory = os::open_at(layers_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;  // removed meanwhile
    if (auto mark = read_layer_mark(directory->get())) layers.push_back({digest, mark->bytes});
  }
  return layers;
}

bool LayerStore::has(const std::string& digest) const {
  auto hex = digest_hex(digest);
  if (!hex) return false;
  auto directory = os::open_at(layers_, *hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return directory && read_layer_mark(directory->get());
}

Result<UniqueFd> LayerStore::open(const std::string& digest) const {
  SB_TRY(auto hex, digest_hex(digest));
  if (!has(digest)) return fail(Errc::not_found, "there is no layer " + digest);
  return os::open_at(layers_, hex, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> LayerStore::remove(const std::string& digest) {
  SB_TRY(auto hex, digest_hex(digest));
  std::string aside = std::string(kRemoved) + hex + "-" + random_hex(8);
  if (::renameat(layers_, hex.c_str(), layers_, aside.c_str()) < 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "put layer " + digest + " aside");
  }
  if (::fsync(layers_) < 0) return fail_errno(errno, "sync the layers' directory");
  return {};
}

Result<void> LayerStore::sweep() {
  SB_TRY(auto names, os::list_dir_at(layers_, "."));
  for (const auto& name : names) {
    if (!name.starts_with(kRemoved)) continue;
    auto directory = os::open_at(layers_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory || ::flock(directory->get(), LOCK_EX | LOCK_NB) < 0) continue;  // somebody else is at it
    SB_CHECK(os::remove_tree_at(layers_, name));
  }
  return {};
}

}  // namespace sebring::image
