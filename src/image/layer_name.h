#pragma once
// What the names in a layer mean. Pure functions.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sebring::image {

struct NameLimits {
  std::uint32_t path_bytes_max = 4095;
  std::uint32_t depth_max = 256;
};

struct LayerName {
  enum class Kind {
    root,      // the top directory itself
    plain,     // path() is to be made
    whiteout,  // path() hides what lower layers have there
    opaque,    // `parent` hides what lower layers have in it
    ignored,   // bookkeeping of other programs: ".wh..wh.aufs"
  };
  Kind kind = Kind::plain;
  std::string parent;  // "usr/bin"; "" is the root
  std::string name;    // last component
  std::string path() const { return parent.empty() ? name : parent + "/" + name; }
};

// Names are below the root whether or not they begin with "/", as every tar has them; "." and doubled slashes mean
// nothing. Refused: "..", components above 255 bytes, parents that begin with ".wh." and whiteouts of something that is
// no plain name.
enum class Whiteouts {
  everywhere,  // an image's layer
  last,        // parents mean what they are: our own archives, whose users may call a directory so
  nowhere,
};
Result<LayerName> parse_layer_name(std::string_view text, const NameLimits& limits, Whiteouts whiteouts);

// For messages: the first 60 bytes, valid UTF-8, without control characters.
std::string printable(std::string_view name);

}  // namespace sebring::image
