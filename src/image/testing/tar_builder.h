#pragma once
// Tars for tests, wrong ones above all: nothing is checked, every field can be set.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/tar_format.h"

namespace sebring::image::testing {

struct Item {
  char type = '0';
  std::string name;
  std::string link = "";
  std::string data = "";
  std::string mode = "0000644";
  std::string uid = "0000000";
  std::string gid = "0000000";
  std::vector<std::pair<std::string, std::string>> pax = {};  // an extended header before it
  std::string size = "";                                      // instead of data's
  std::string magic = std::string("ustar\00000", 8);
  std::string mtime = "14524660600";
};

class TarBuilder {
 public:
  TarBuilder& add(const Item& item) {
    if (!item.pax.empty()) {
      std::string records;
      for (const auto& [key, value] : item.pax) records += pax_record(key, value);
      add({.type = 'x', .name = "PaxHeaders/0", .data = records});
    }
    TarBlock block = header(item);
    return raw(std::string_view(block.bytes.data(), kTarBlock)).padded(item.data);
  }
  TarBuilder& raw(std::string_view bytes) {
    tar_ += bytes;
    return *this;
  }
  TarBuilder& padded(std::string_view bytes) {
    tar_ += bytes;
    tar_.append((kTarBlock - bytes.size() % kTarBlock) % kTarBlock, '\0');
    return *this;
  }
  // With the end, or without.
  std::string done() const { return tar_ + std::string(2 * kTarBlock, '\0'); }
  std::string cut() const { return tar_; }

  static TarBlock header(const Item& item) {
    TarBlock block;
    block.bytes.fill(0);
    auto put = [&](std::size_t at, std::size_t size, std::string_view text) {
      text.copy(block.bytes.data() + at, size);
    };
    put(0, 100, item.name);
    put(100, 8, item.mode);
    put(108, 8, item.uid);
    put(116, 8, item.gid);
    put(124, 12, item.size.empty() ? octal(item.data.size(), 11) : item.size);
    put(136, 12, item.mtime);
    block.bytes[156] = item.type;
    put(157, 100, item.link);
    put(257, 8, item.magic);
    sign(block);
    return block;
  }
  static void sign(TarBlock& block) {
    octal(block.checksum(), 6).copy(block.bytes.data() + 148, 7);
    block.bytes[154] = 0;
    block.bytes[155] = ' ';
  }
  static std::string octal(std::uint64_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value >>= 3) text[i] = static_cast<char>('0' + (value & 7));
    return text;
  }

 private:
  std::string tar_;
};

inline std::string tar_of(const std::vector<Item>& items) {
  TarBuilder builder;
  for (const auto& item : items) builder.add(item);
  return builder.done();
}

}  // namespace sebring::image::testing
