#pragma once
// Bytes that were read from a stream and not yet used. Contiguous; grows up to what its owner allows.
#include <boost/asio/buffer.hpp>
#include <string_view>
#include <vector>

namespace sebring::net {

class ReadBuffer {
 public:
  std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room for at least `least` more bytes behind what is there.
  boost::asio::mutable_buffer prepare(std::size_t least) {
    if (bytes_.size() - end_ < least && begin_ > 0) {
      std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_),
                bytes_.begin() + static_cast<std::ptrdiff_t>(end_), bytes_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    if (bytes_.size() - end_ < least) bytes_.resize(end_ + least);
    return {bytes_.data() + end_, bytes_.size() - end_};
  }
  void commit(std::size_t count) { end_ += count; }
  // An idle connection keeps no buffer.
  void release_if_empty() {
    if (size() == 0) std::vector<char>().swap(bytes_), begin_ = end_ = 0;
  }

 private:
  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace sebring::net
