#pragma once
// What is known about a layer, kept in an attribute of its directory, so that both appear and vanish together. A
// directory without it is no layer.
#include <cstdint>

#include "base/result.h"

namespace sebring::image {

struct LayerMark {
  std::uint64_t bytes = 0;  // of file contents
  std::uint64_t entries = 0;
};

Result<void> mark_layer(int directory, const LayerMark& mark);
Result<LayerMark> read_layer_mark(int directory);

}  // namespace sebring::image
