#pragma once
// Insides of TarReader that two of its files share.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "image/tar_reader.h"

namespace sebring::image {

inline std::unexpected<Error> broken_tar(std::string what) {
  return fail(Errc::unprocessable, "tar: " + std::move(what));
}

inline std::uint64_t tar_padding(std::uint64_t bytes) { return (kTarBlock - bytes % kTarBlock) % kTarBlock; }

// What the extended headers before an entry have said.
struct TarReader::Overrides {
  std::map<std::string, std::string, std::less<>> records;
  std::optional<std::string> long_path;
  std::optional<std::string> long_link;
  std::vector<Extent> sparse_pairs;  // GNU.sparse 0.0: the only records that mean something by their order
  bool half_pair = false;

  // Empty values mean "not overridden".
  const std::string* find(std::string_view key) const {
    auto at = records.find(key);
    return at == records.end() || at->second.empty() ? nullptr : &at->second;
  }
  Result<std::optional<std::uint64_t>> number(std::string_view key) const {
    const std::string* text = find(key);
    if (!text) return std::nullopt;
    auto value = parse_integer(*text);
    if (!value || *value < 0) return broken_tar(std::string(key) + " is not a number");
    return static_cast<std::uint64_t>(*value);
  }
};

}  // namespace sebring::image
