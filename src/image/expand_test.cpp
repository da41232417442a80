#include "image/expand.h"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "image/testing/memory_source.h"

using namespace sebring;
using namespace sebring::image;
using namespace sebring::image::testing;
using namespace std::string_literals;

namespace {

constexpr ExpandLimits kWide{1 << 30, 1 << 30, 500};

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

Result<std::string> expand(const std::string& text, std::size_t step = 1 << 20, const ExpandLimits& limits = kWide) {
  MemorySource source(text, step);
  MemorySink sink;
  SB_CHECK(Expander(limits).run(source, sink));
  return sink.text;
}

}  // namespace

TEST_CASE("expanding") {
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += std::to_string(std::int64_t{i} * 7919);
  std::string skippable = "\x50\x2a\x4d\x18\x03\0\0\0abc"s;
  std::vector<std::pair<std::string_view, std::string>> rows = {
      {"plain", text},
      {"gzip", gzip(text)},
      {"two members", gzip(text.substr(0, 1000)) + gzip(text.substr(1000))},
      {"an empty member", gzip(text) + gzip("")},
      {"zstd", zstd(text)},
      {"two frames", zstd(text.substr(0, 1000)) + zstd(text.substr(1000))},
      {"skippable frames", skippable + zstd(text) + skippable},
  };
  for (const auto& [name, input] : rows)
    for (std::size_t step : {1ul << 20, 4096ul, 1000ul}) {
      CAPTURE(name);
      CAPTURE(step);
      auto expanded = expand(input, step);
      REQUIRE_MESSAGE(expanded, expanded.error().message());
      CHECK(*expanded == text);
    }
}

TEST_CASE("compressing") {
  std::string text(5'000'000, 'a');
  text += "end";
  MemorySource source(text, 12345);
  MemorySink sink;
  REQUIRE(compress_zstd(source, sink, 3));
  CHECK(sink.text.size() < 10'000);
  auto expanded = expand(sink.text);
  REQUIRE(expanded);
  CHECK(*expanded == text);
  MemorySource nothing("");
  MemorySink empty;
  REQUIRE(compress_zstd(nothing, empty, 3));
  CHECK(expand(empty.text) == "");
}

TEST_CASE("streams that are refused") {
  std::string text(100'000, 'x'), gz = gzip(text), zs = zstd(text + gz);
  std::string bad_crc = gz, flipped = zs;
  bad_crc[bad_crc.size() - 8] ^= 1;
  flipped[0] ^= 1;  // no zstd then, but no tar either: the tar's reader says so
  std::vector<std::pair<std::string_view, std::string>> rows = {
      {"empty", ""},
      {"gzip cut", gz.substr(0, gz.size() - 1)},
      {"gzip cut in its header", gz.substr(0, 5)},
      {"gzip and garbage", gz + "garbage"},
      {"gzip and a broken member", gz + gz.substr(0, 12)},
      {"gzip checksum", bad_crc},
      {"zstd cut", zs.substr(0, zs.size() - 1)},
      {"zstd cut early", zs.substr(0, 5)},
      {"zstd and garbage", zs + "garbage"},
      {"zstd and a broken frame", zs + zs.substr(0, 9)},
      {"bzip2", "BZh91AY&SY"},
      {"xz",
       "\xfd"
       "7zXZ\0"s},
  };
  for (const auto& [name, input] : rows) {
    CAPTURE(name);
    CHECK_FALSE(expand(input));
    CHECK_FALSE(expand(input, 3));
  }
}

TEST_CASE("limits of streams") {
  std::string text(10'000, 'x');
  CHECK(expand(text, 100, {10'000, 10'000, 500}));
  auto in = expand(text, 100, {9'999, 10'000, 500});
  REQUIRE_FALSE(in);
  CHECK(in.error().code() == Errc::too_large);
  auto out = expand(zstd(text), 100, {10'000, 9'999, 500});
  REQUIRE_FALSE(out);
  CHECK(out.error().code() == Errc::too_large);
  // A window of 1 GiB is not made.
  std::string window = "\x28\xb5\x2f\xfd\x00\xa0"s + std::string(100, '\0');
  CHECK_FALSE(expand(window));
}

TEST_CASE("a bomb") {
  MemorySink bomb;
  class Zeros : public ByteSource {
    Result<std::size_t> read(char* into, std::size_t bytes_max) override {
      std::size_t n = std::min<std::size_t>(bytes_max, left_);
      std::fill_n(into, n, '\0');
      left_ -= n;
      return n;
    }
    std::size_t left_ = 300 << 20;
  } zeros;
  REQUIRE(compress_zstd(zeros, bomb, 1));
  class Nothing : public ByteSink {
    Result<void> write(const char*, std::size_t) override { return {}; }
  } nothing;
  MemorySource source(bomb.text);
  auto expanded = Expander({1 << 30, 1 << 30, 500}).run(source, nothing);
  REQUIRE_FALSE(expanded);
  CHECK(expanded.error().code() == Errc::too_large);
}
