#include "image/expand.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace sebring::image {
namespace {

constexpr int kWindowLogMax = 27;  // 128 MiB of memory; what `zstd -19` writes without --long fits

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

struct Inflater {
  z_stream stream{};
  bool ready = false;
  Inflater() { ready = ::inflateInit2(&stream, 15 + 16) == Z_OK; }  // with gzip's header, and that only
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
};

bool starts_with(const char* first, std::size_t bytes, std::string_view magic) {
  return std::string_view(first, bytes).starts_with(magic);
}

}  // namespace

Result<Compression> compression_of(const char* first, std::size_t bytes) {
  if (starts_with(first, bytes, "\x28\xb5\x2f\xfd")) return Compression::zstd;
  // A skippable frame, with which some programs begin.
  if (bytes >= 4 && (first[0] & 0xf0) == 0x50 && std::string_view(first + 1, 3) == "\x2a\x4d\x18")
    return Compression::zstd;
  if (starts_with(first, bytes, "\x1f\x8b")) return Compression::gzip;
  if (starts_with(first, bytes, "BZh"))
    return fail(Errc::unprocessable, "layer: bzip2 is not understood; gzip, zstd and plain tar are");
  if (starts_with(first, bytes,
                  "\xfd"
                  "7zXZ"))
    return fail(Errc::unprocessable, "layer: xz is not understood; gzip, zstd and plain tar are");
  if (bytes == 0) return fail(Errc::unprocessable, "layer: it is empty");
  return Compression::none;
}

Expander::Expander(const ExpandLimits& limits)
    : limits_(limits),
      in_(std::make_unique_for_overwrite<char[]>(kBytes)),
      out_(std::make_unique_for_overwrite<char[]>(kBytes)) {}
Expander::~Expander() = default;

// At least a few bytes, so that the first ones tell what it is; 0 only at the end.
Result<std::size_t> Expander::fill(ByteSource& source) {
  std::size_t n = 0;
  while (n < 16) {
    SB_TRY(std::size_t more, source.read(in_.get() + n, kBytes - n));
    if (more == 0) break;
    n += more;
  }
  in_total_ += n;
  if (in_total_ > limits_.input_bytes_max)
    return fail(Errc::too_large, "layer: larger than " + std::to_string(limits_.input_bytes_max) + " bytes");
  in_size_ = n;
  return n;
}

Result<void> Expander::put(ByteSink& sink, std::size_t bytes) {
  out_total_ += bytes;
  if (out_total_ > limits_.output_bytes_max)
    return fail(Errc::too_large,
                "layer: larger than " + std::to_string(limits_.output_bytes_max) + " bytes when expanded");
  if (out_total_ > kRatioFrom && out_total_ / limits_.ratio_max > in_total_)
    return fail(Errc::too_large,
                "layer: expands to more than " + std::to_string(limits_.ratio_max) + " times its size");
  return sink.write(out_.get(), bytes);
}

Result<void> Expander::run(ByteSource& source, ByteSink& sink) {
  SB_TRY(std::size_t first, fill(source));
  SB_TRY(Compression compression, compression_of(in_.get(), first));
  switch (compression) {
    case Compression::none:
      return run_plain(source, sink);
    case Compression::gzip:
      return run_gzip(source, sink);
    case Compression::zstd:
      return run_zstd(source, sink);
  }
  return {};
}

Result<void> Expander::run_plain(ByteSource& source, ByteSink& sink) {
  while (in_size_ > 0) {
    std::swap(in_, out_);
    SB_CHECK(put(sink, in_size_));
    SB_TRY(std::size_t n, fill(source));
    if (n == 0) break;
  }
  return {};
}

Result<void> Expander::run_gzip(ByteSource& source, ByteSink& sink) {
  Inflater inflater;
  if (!inflater.ready) return fail(Errc::internal, "gzip: cannot begin");
  z_stream& stream = inflater.stream;
  bool in_member = true;
  for (std::size_t size = in_size_; size > 0;) {
    stream.next_in = reinterpret_cast<Bytef*>(in_.get());
    stream.avail_in = static_cast<uInt>(size);
    while (stream.avail_in > 0 || stream.avail_out == 0) {
      if (!in_member) {  // one more member
        if (::inflateReset(&stream) != Z_OK) return fail(Errc::internal, "gzip: cannot begin again");
        in_member = true;
      }
      stream.next_out = reinterpret_cast<Bytef*>(out_.get());
      stream.avail_out = kBytes;
      int result = ::inflate(&stream, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return fail(Errc::unprocessable,
                    std::string("layer: not valid gzip") + (stream.msg ? std::string(": ") + stream.msg : ""));
      SB_CHECK(put(sink, kBytes - stream.avail_out));
      if (result == Z_STREAM_END) {
        in_member = false;
        if (stream.avail_in == 0) break;
      } else if (result == Z_BUF_ERROR) {
        break;
      }
    }
    SB_TRY(size, fill(source));
  }
  if (in_member) return fail(Errc::unprocessable, "layer: its gzip stream ends in the middle");
  return {};
}

Result<void> Expander::run_zstd(ByteSource& source, ByteSink& sink) {
  std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLogMax)))
    return fail(Errc::internal, "zstd: cannot begin");
  std::size_t hint = 1;  // 0: a frame has just ended
  for (std::size_t size = in_size_; size > 0;) {
    ZSTD_inBuffer in{in_.get(), size, 0};
    for (bool more = true; more;) {
      ZSTD_outBuffer out{out_.get(), kBytes, 0};
      hint = ZSTD_decompressStream(context.get(), &out, &in);
      if (ZSTD_isError(hint))
        return fail(Errc::unprocessable, std::string("layer: not valid zstd: ") + ZSTD_getErrorName(hint));
      SB_CHECK(put(sink, out.pos));
      // A full output may hide more; at the end of a frame nothing is left inside.
      more = in.pos < in.size || (out.pos == out.size && hint != 0);
    }
    SB_TRY(size, fill(source));
  }
  if (hint != 0) return fail(Errc::unprocessable, "layer: its zstd stream ends in the middle");
  return {};
}

Result<void> compress_zstd(ByteSource& source, ByteSink& sink, int level) {
  std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  if (!context || ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1)))
    return fail(Errc::internal, "zstd: cannot begin");
  constexpr std::size_t kBytes = 1 << 20;
  auto in_space = std::make_unique_for_overwrite<char[]>(kBytes),
       out_space = std::make_unique_for_overwrite<char[]>(kBytes);
  for (;;) {
    SB_TRY(std::size_t n, source.read(in_space.get(), kBytes));
    ZSTD_inBuffer in{in_space.get(), n, 0};
    ZSTD_EndDirective end = n == 0 ? ZSTD_e_end : ZSTD_e_continue;
    for (bool done = false; !done;) {
      ZSTD_outBuffer out{out_space.get(), kBytes, 0};
      std::size_t left = ZSTD_compressStream2(context.get(), &out, &in, end);
      if (ZSTD_isError(left)) return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(left));
      SB_CHECK(sink.write(out_space.get(), out.pos));
      done = end == ZSTD_e_end ? left == 0 : in.pos == in.size;
    }
    if (n == 0) return {};
  }
}

}  // namespace sebring::image
