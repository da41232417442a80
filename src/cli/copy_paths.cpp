#include "cli/copy_paths.h"

#include "base/text.h"

namespace sebring::cli {
namespace {

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

CopyEnd parse_copy_end(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || text.find('/') < colon) return {"", std::string(text)};
  std::string path(text.substr(colon + 1));
  return {std::string(text.substr(0, colon)), path.empty() ? "." : path};
}

std::string base_name(std::string_view path) {
  path = without_slashes(path);
  std::string name(path.substr(path.rfind('/') + 1));
  return name == "." || name == ".." ? "" : name;
}

std::optional<std::string> relative_below(std::string_view base, std::string_view entry) {
  base = without_slashes(base);
  if (!entry.starts_with(base)) return std::nullopt;
  entry.remove_prefix(base.size());
  if (base != "/") {
    if (!entry.starts_with('/')) return std::nullopt;
    entry.remove_prefix(1);
  }
  for (std::string_view part : split(entry, '/'))
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos) return std::nullopt;
  return std::string(entry);
}

std::optional<unsigned> parse_mode(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned mode = 0;
  for (char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<unsigned>(c - '0');
  }
  return mode & 0777;
}

}  // namespace sebring::cli
