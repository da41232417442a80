// links: toolbox
// Multipart bodies: however one is cut into pieces, the same parts must come out, or the same refusal.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "toolbox/files/multipart.h"

namespace {

using namespace sebring;
using namespace sebring::toolbox::files;

struct Recorder final : PartSink {
  Result<void> begin(const PartHead& head) override {
    log += "[" + head.name + "|" + head.file_name.value_or("-") + "|" + head.content_type + ":";
    return {};
  }
  Result<void> data(std::string_view piece) override {
    log += piece;
    return {};
  }
  Result<void> end() override {
    log += "]";
    return {};
  }
  std::string log;
};

struct Outcome {
  bool good = false;
  std::string log;
};

Outcome parse(std::string_view body, std::size_t step) {
  Recorder recorder;
  MultipartParser parser("B", recorder);
  for (std::size_t at = 0; at < body.size(); at += step) {
    if (!parser.feed(body.substr(at, step))) return {false, recorder.log};
  }
  return {parser.finish().has_value(), recorder.log};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = data[0] % 37 + 1;
  (void)multipart_boundary(input);
  (void)parse_part_head(input);
  const Outcome whole = parse(input, input.size() + 1);
  const Outcome pieces = parse(input, step);
  if (whole.good != pieces.good || (whole.good && whole.log != pieces.log)) std::abort();
  return 0;
}
