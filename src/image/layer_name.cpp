#include "image/layer_name.h"

#include "base/text.h"

namespace sebring::image {
namespace {

constexpr std::string_view kWhiteout = ".wh.";

Result<void> classify(LayerName& name, std::string_view text) {
  if (!name.name.starts_with(kWhiteout)) return {};
  std::string_view hidden = std::string_view(name.name).substr(kWhiteout.size());
  if (hidden == ".wh..opq") {
    name.kind = LayerName::Kind::opaque;
    return {};
  }
  if (hidden.starts_with(kWhiteout)) {
    name.kind = LayerName::Kind::ignored;
    return {};
  }
  if (hidden.empty() || hidden == "." || hidden == "..")
    return fail(Errc::unprocessable, "\"" + printable(text) + "\" hides no plain name");
  name.kind = LayerName::Kind::whiteout;
  name.name = std::string(hidden);
  return {};
}

}  // namespace

Result<LayerName> parse_layer_name(std::string_view text, const NameLimits& limits, Whiteouts whiteouts) {
  LayerName name;
  if (text.empty() || text.find('\0') != std::string_view::npos)
    return fail(Errc::unprocessable, "a name is empty or holds a NUL");
  if (text.size() > limits.path_bytes_max + 64)  // some room for "./" and "/"
    return fail(Errc::too_large,
                "\"" + printable(text) + "\" is longer than " + std::to_string(limits.path_bytes_max) + " bytes");
  std::uint32_t depth = 0;
  std::string path;
  std::size_t last = 0;  // where the last component begins
  for (auto part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Errc::unprocessable, "\"" + printable(text) + "\" leads upwards");
    if (part.size() > 255)
      return fail(Errc::unprocessable, "\"" + printable(text) + "\" has a component above 255 bytes");
    if (whiteouts == Whiteouts::everywhere && std::string_view(path).substr(last).starts_with(kWhiteout))
      return fail(Errc::unprocessable, "\"" + printable(text) + "\" lies below a whiteout");
    if (++depth > limits.depth_max)
      return fail(Errc::too_large, "\"" + printable(text) + "\" is deeper than " + std::to_string(limits.depth_max));
    if (!path.empty()) path += '/';
    last = path.size();
    path += part;
  }
  if (path.size() > limits.path_bytes_max)
    return fail(Errc::too_large,
                "\"" + printable(text) + "\" is longer than " + std::to_string(limits.path_bytes_max) + " bytes");
  if (last > 0) name.parent = path.substr(0, last - 1);
  name.name = path.substr(last);
  if (name.name.empty()) {
    name.kind = LayerName::Kind::root;
    return name;
  }
  if (whiteouts != Whiteouts::nowhere) SB_CHECK(classify(name, text));
  return name;
}

std::string printable(std::string_view name) {
  std::string text = to_valid_utf8(name.substr(0, 60));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (name.size() > 60) text += "...";
  return text;
}

}  // namespace sebring::image
