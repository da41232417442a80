#pragma once
// Streams over descriptors: counted, hashed, expanded, compressed.
#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "image/byte_source.h"

namespace sebring::image {

class FdSource : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  Result<std::size_t> read(char* into, std::size_t bytes_max) override;

 private:
  int fd_;
};

class FdSink : public ByteSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  // Errc::cancelled when the reader of a pipe is gone, exhausted when the disk is full.
  Result<void> write(const char* data, std::size_t bytes) override;

 private:
  int fd_;
};

// Collects small writes.
class BufferedSink : public ByteSink {
 public:
  BufferedSink(ByteSink& sink, std::size_t bytes)
      : sink_(sink), capacity_(bytes), buffer_(std::make_unique<char[]>(bytes)) {}
  Result<void> write(const char* data, std::size_t bytes) override;
  Result<void> flush();

 private:
  ByteSink& sink_;
  std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;
};

// SHA-256 and a count of what passed. Made before the system call filter is on: OpenSSL looks for its algorithms then.
class Digest {
 public:
  Digest();
  void add(const char* data, std::size_t bytes);
  std::uint64_t bytes() const { return bytes_; }
  std::string hex();  // once, at the end

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
  std::uint64_t bytes_ = 0;
};

}  // namespace sebring::image
