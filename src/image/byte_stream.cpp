#include "image/byte_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sebring::image {

Result<std::size_t> FdSource::read(char* into, std::size_t bytes_max) {
  ssize_t n;
  while ((n = ::read(fd_, into, bytes_max)) < 0 && errno == EINTR) {
  }
  if (n < 0) return fail_errno(errno, "read");
  return static_cast<std::size_t>(n);
}

Result<void> FdSink::write(const char* data, std::size_t bytes) {
  while (bytes > 0) {
    ssize_t n = ::write(fd_, data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int error = errno;
      Errc code = error == EPIPE                       ? Errc::cancelled
                  : error == ENOSPC || error == EDQUOT ? Errc::exhausted
                                                       : Errc::internal;
      return fail(Error::from_errno(error, "write").with_code(code));
    }
    data += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> BufferedSink::write(const char* data, std::size_t bytes) {
  while (bytes > 0) {
    if (size_ == 0 && bytes >= capacity_) return sink_.write(data, bytes);
    std::size_t n = std::min(bytes, capacity_ - size_);
    std::memcpy(buffer_.get() + size_, data, n);
    size_ += n;
    data += n;
    bytes -= n;
    if (size_ == capacity_) SB_CHECK(flush());
  }
  return {};
}

Result<void> BufferedSink::flush() {
  std::size_t n = size_;
  size_ = 0;
  return sink_.write(buffer_.get(), n);
}

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  SB_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Digest::add(const char* data, std::size_t bytes) {
  SB_ASSERT(EVP_DigestUpdate(context_.get(), data, bytes) == 1);
  bytes_ += bytes;
}

std::string Digest::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  SB_ASSERT(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

}  // namespace sebring::image
