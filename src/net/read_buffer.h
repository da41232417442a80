#pragma once
// Bytes that were read from a stream and not yet used. Contiguous; grows up to what its owner allows.
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <memory>
#include <string_view>

namespace sebring::net {

class ReadBuffer {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room for at least `least` more bytes behind what is there.
  boost::asio::mutable_buffer prepare(std::size_t least) {
    if (room_ - end_ < least && begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    if (room_ - end_ < least) grow(end_ + least);
    return {bytes_.get() + end_, room_ - end_};
  }
  void commit(std::size_t count) { end_ += count; }
  // An idle connection keeps no buffer.
  void release_if_empty() {
    if (size() != 0) return;
    bytes_.reset();
    room_ = begin_ = end_ = 0;
  }

 private:
  // Not zeroed: what is read goes there, and a request costs one buffer on each side.
  void grow(std::size_t room) {
    auto larger = std::make_unique_for_overwrite<char[]>(room);
    if (end_ > 0) std::memcpy(larger.get(), bytes_.get(), end_);
    bytes_ = std::move(larger);
    room_ = room;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t room_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sebring::net
