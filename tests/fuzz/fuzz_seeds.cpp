// Writes seeds for the fuzzers: OUTDIR/tar/*, OUTDIR/expand/*.
#include <zstd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "image/testing/tar_samples.h"

using namespace sebring::image::testing;

namespace {

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds OUTDIR\n", stderr);
    return 2;
  }
  std::filesystem::path base = argv[1];
  auto rows = refused_tars();
  rows.emplace_back("every kind", tar_of_every_kind());
  rows.emplace_back("sparse files", tar_of_sparse_files());
  for (auto folder : {"tar", "expand"}) std::filesystem::create_directories(base / folder);
  for (const auto& [name, tar] : rows) {
    if (tar.size() > 64 * 1024) continue;
    write(base / "tar" / name, tar);
    std::string packed(ZSTD_compressBound(tar.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), tar.data(), tar.size(), 3));
    write(base / "expand" / name, packed);
  }
  // One member of gzip: "hello\n".
  write(base / "expand" / "gzip",
        std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\0\x20\x30\x3a\x36\x06\0\0\0", 26));
}
