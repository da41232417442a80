// Expands bytes in two step sizes, which must agree, within its limits.
// links: image
#include <cstdint>
#include <cstdlib>
#include <string>

#include "image/expand.h"
#include "image/testing/memory_source.h"

using namespace sebring::image;
using namespace sebring::image::testing;

namespace {

bool expand(std::string_view bytes, std::size_t step, std::string& out) {
  MemorySource source(bytes, step);
  MemorySink sink;
  bool good = Expander({1 << 20, 1 << 22, 500}).run(source, sink).has_value();
  if (sink.text.size() > 1 << 22) std::abort();
  out = std::move(sink.text);
  return good;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string whole, parts;
  bool good = expand(bytes, 1 << 20, whole);
  if (expand(bytes, 37, parts) != good || (good && whole != parts)) std::abort();
  return 0;
}
