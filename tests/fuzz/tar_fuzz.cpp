// Reads bytes as a tar, in two step sizes, which must agree; writes what was read and reads it back, which must agree
// too; every name that is accepted must be a plain path below the root. links: image
#include <cstdint>
#include <cstdlib>
#include <string>

#include "image/file_attributes.h"
#include "image/layer_name.h"
#include "image/tar_reader.h"
#include "image/tar_writer.h"
#include "image/testing/memory_source.h"

using namespace sebring;
using namespace sebring::image;
using namespace sebring::image::testing;

namespace {

constexpr TarLimits kLimits{
    .entries_max = 1000, .extended_bytes_max = 1 << 16, .file_bytes_max = 1 << 20, .extents_max = 1000};

struct Outcome {
  bool good = false;
  std::string error;
  std::vector<TarEntry> entries;
  std::vector<std::string> stored;  // bytes of each, holes left out
};

void require(bool holds) {
  if (!holds) std::abort();
}

Outcome read(std::string_view tar, std::size_t step) {
  MemorySource source(tar, step);
  TarReader reader(source, kLimits);
  Outcome outcome;
  for (;;) {
    auto entry = reader.next();
    if (!entry) {
      outcome.error = entry.error().message();
      return outcome;
    }
    if (!*entry) break;
    std::string stored;
    std::uint64_t end = 0;
    for (;;) {
      auto piece = reader.piece();
      if (!piece) {
        outcome.error = piece.error().message();
        return outcome;
      }
      if (piece->bytes.empty()) break;
      require(piece->offset >= end && piece->offset + piece->bytes.size() <= (*entry)->size);
      end = piece->offset + piece->bytes.size();
      stored += piece->bytes;
    }
    outcome.entries.push_back(**entry);
    outcome.stored.push_back(stored);
  }
  outcome.good = true;
  return outcome;
}

void check_name(const std::string& text) {
  for (auto whiteouts : {Whiteouts::everywhere, Whiteouts::last, Whiteouts::nowhere}) {
    auto name = parse_layer_name(text, {}, whiteouts);
    (void)printable(text);
    if (!name || name->kind == LayerName::Kind::root) continue;
    std::string path = "/" + name->path() + "/";
    require(path.size() <= 4097 && path.find('\0') == std::string::npos);
    require(path.find("/../") == std::string::npos && path.find("/./") == std::string::npos &&
            path.find("//") == std::string::npos);
    require(!name->name.empty() && name->name.find('/') == std::string::npos);
  }
}

bool same(const TarEntry& a, const TarEntry& b) {
  return a.kind == b.kind && a.path == b.path && a.link == b.link && a.mode == b.mode && a.uid == b.uid &&
         a.gid == b.gid && a.mtime == b.mtime && a.size == b.size && a.sparse == b.sparse && a.extents == b.extents &&
         a.attributes == b.attributes && a.literal_name == b.literal_name;
}

void check_round_trip(const Outcome& outcome) {
  MemorySink sink;
  TarWriter writer(sink);
  for (std::size_t i = 0; i < outcome.entries.size(); ++i) {
    if (outcome.entries[i].kind == EntryKind::device) return;  // never written
    if (!writer.begin(outcome.entries[i]) || !writer.write_data(outcome.stored[i])) std::abort();
  }
  require(writer.finish().has_value());
  Outcome again = read(sink.text, 1 << 20);
  // A map may have grown over a limit on the way; nothing else may differ.
  if (!again.good) return require(again.error.find("larger than") != std::string::npos);
  require(again.entries.size() == outcome.entries.size());
  for (std::size_t i = 0; i < again.entries.size(); ++i)
    require(same(again.entries[i], outcome.entries[i]) && again.stored[i] == outcome.stored[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view tar(reinterpret_cast<const char*>(data), size);
  Outcome outcome = read(tar, 1 << 20), slow = read(tar, 100);
  require(outcome.good == slow.good && outcome.entries.size() == slow.entries.size() && outcome.stored == slow.stored);
  for (const auto& entry : outcome.entries) {
    check_name(entry.path);
    if (!entry.link.empty()) check_name(entry.link);
    for (const auto& [name, value] : entry.attributes)
      if (attribute_to_set(name, value, false))
        require(!name.starts_with("trusted.") && !name.starts_with("user.overlay."));
  }
  if (outcome.good) check_round_trip(outcome);
  return 0;
}
