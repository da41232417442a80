#pragma once
// The layers that are ready: layers/<64 hex digits>, each with its size in an attribute of its directory.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace sebring::image {

struct Layer {
  std::string digest;  // "sha256:..."
  std::uint64_t bytes = 0;
};

// Stateless: several instances may share one pool. `layers` is borrowed: Pool::layers().
class LayerStore {
 public:
  explicit LayerStore(int layers) : layers_(layers) {}

  Result<std::vector<Layer>> list() const;  // sorted by digest
  bool has(const std::string& digest) const;
  // O_PATH descriptor of its directory; Errc::not_found.
  Result<UniqueFd> open(const std::string& digest) const;
  // Gone from list() and open() on return, durably; its files stay until sweep(). No sandbox may have it mounted. A
  // missing one is fine.
  Result<void> remove(const std::string& digest);
  // Deletes what remove() has put aside. Seconds for a large layer: from a background thread, after remove() and at
  // start.
  Result<void> sweep();

 private:
  int layers_;
};

}  // namespace sebring::image
