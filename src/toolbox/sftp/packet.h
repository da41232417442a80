#pragma once
// The SFTP wire (draft-ietf-secsh-filexfer-02, version 3): big-endian numbers and counted strings.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sebring::toolbox::sftp {

// Reads fields of one packet. After the first missing byte everything reads as empty and ok() is false.
class PacketReader {
 public:
  explicit PacketReader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }

  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t word() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t quad() { return number(8); }
  std::string_view text() {
    const std::uint32_t length = word();
    if (!ok_ || length > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }

 private:
  std::uint64_t number(std::size_t bytes) {
    if (!ok_ || rest_.size() < bytes) {
      ok_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(rest_[i]);
    rest_.remove_prefix(bytes);
    return value;
  }
  std::string_view rest_;
  bool ok_ = true;
};

// Appends packets to a buffer; the length in front is filled in by end().
class PacketWriter {
 public:
  explicit PacketWriter(std::string& out) : out_(out) {}
  void begin(std::uint8_t type) {
    start_ = out_.size();
    number(0, 4);
    number(type, 1);
  }
  void end() {
    const std::size_t length = out_.size() - start_ - 4;
    for (int i = 0; i < 4; ++i) out_[start_ + static_cast<std::size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
  }
  void byte(std::uint8_t value) { number(value, 1); }
  void word(std::uint32_t value) { number(value, 4); }
  void quad(std::uint64_t value) { number(value, 8); }
  void text(std::string_view value) {
    word(static_cast<std::uint32_t>(value.size()));
    out_ += value;
  }
  std::string& buffer() { return out_; }

 private:
  void number(std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out_ += static_cast<char>(value >> (8 * i));
  }
  std::string& out_;
  std::size_t start_ = 0;
};

}  // namespace sebring::toolbox::sftp
