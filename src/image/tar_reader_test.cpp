#include "image/tar_reader.h"

#include <doctest/doctest.h>

#include "image/tar_writer.h"
#include "image/testing/memory_source.h"
#include "image/testing/tar_builder.h"
#include "image/testing/tar_samples.h"

using namespace sebring;
using namespace sebring::image;
using namespace sebring::image::testing;
using namespace std::string_literals;

namespace {

struct Read {
  std::vector<TarEntry> entries;
  std::vector<std::string> contents;  // holes as zeros
};

Result<Read> read_all(const std::string& tar, std::size_t step = 1 << 20, const TarLimits& limits = {}) {
  MemorySource source(tar, step);
  TarReader reader(source, limits);
  Read read;
  for (;;) {
    SB_TRY(auto entry, reader.next());
    if (!entry) return read;
    std::string content;
    if (entry->kind == EntryKind::file) {
      REQUIRE(entry->size < 1 << 24);
      content.resize(entry->size);
      for (;;) {
        SB_TRY(auto piece, reader.piece());
        if (piece.bytes.empty()) break;
        content.replace(piece.offset, piece.bytes.size(), piece.bytes);
      }
    }
    read.entries.push_back(*entry);
    read.contents.push_back(content);
  }
}

}  // namespace

TEST_CASE("a tar of every kind, at every boundary") {
  std::string tar = tar_of_every_kind();
  for (std::size_t step : {1ul << 20, 1ul, 7ul, 511ul, 512ul, 513ul}) {
    auto read = read_all(tar, step);
    REQUIRE_MESSAGE(read, read.error().message());
    REQUIRE(read->entries.size() == 10);
    const auto& entries = read->entries;
    CHECK(entries[0].kind == EntryKind::directory);
    CHECK(entries[0].mode == 01777);
    CHECK(entries[0].uid == 77);
    CHECK(entries[1].mode == 04755);
    CHECK(entries[1].gid == 100);
    CHECK(entries[1].mtime == FileTime{014524660600, 0});
    CHECK(read->contents[1] == "hello");
    CHECK(entries[2].link == "../../anywhere");
    CHECK(entries[3].kind == EntryKind::hard_link);
    CHECK(entries[4].kind == EntryKind::fifo);
    CHECK(entries[5].kind == EntryKind::device);
    CHECK(entries[6].path == kLongName);
    CHECK(read->contents[6] == std::string(1000, 'x'));
    CHECK(entries[7].path == "päth");
    CHECK(entries[7].mtime == FileTime{1, 500'000'000});
    CHECK(entries[7].uid == 70000);
    REQUIRE(entries[7].attributes.size() == 2);
    CHECK(entries[7].attributes[0] == std::pair("user.a=b"s, "c"s));
    CHECK(entries[7].attributes[1] == std::pair("user.k"s, "v\n\0w"s));
    CHECK(entries[8].kind == EntryKind::directory);
    CHECK(read->contents[9].empty());
  }
}

TEST_CASE("the four forms of sparse files") {
  std::string expected =
      std::string(512, '\0') + "abc" + std::string(485, '\0') + "de" + std::string(98, '\0');  // 1100 bytes
  auto read = read_all(tar_of_sparse_files(), 100);
  REQUIRE_MESSAGE(read, read.error().message());
  REQUIRE(read->entries.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(read->entries[i].path);
    CHECK(read->entries[i].size == 1100);
    CHECK(read->entries[i].extents == std::vector<Extent>{{512, 3}, {1000, 2}});
    CHECK(read->contents[i] == expected);
  }
  CHECK(read->entries[3].path == "v1.0");
}

TEST_CASE("tars that are refused") {
  for (const auto& [name, tar] : refused_tars()) {
    CAPTURE(name);
    CHECK_FALSE(read_all(tar));
    CHECK_FALSE(read_all(tar, 3));
  }
}

TEST_CASE("limits") {
  std::string three = tar_of({{.name = "a"}, {.name = "b"}, {.name = "c", .data = std::string(100, 'c')}});
  CHECK(read_all(three, 1 << 20, {.entries_max = 3}));
  auto entries = read_all(three, 1 << 20, {.entries_max = 2});
  REQUIRE_FALSE(entries);
  CHECK(entries.error().code() == Errc::too_large);
  auto size = read_all(three, 1 << 20, {.file_bytes_max = 99});
  REQUIRE_FALSE(size);
  CHECK(size.error().code() == Errc::too_large);
  CHECK(read_all(TarBuilder().add({.name = "a", .data = "b"}).cut()));  // without its end, as some programs leave it
}

TEST_CASE("what the writer writes the reader reads") {
  MemorySink sink;
  TarWriter writer(sink);
  std::vector<TarEntry> entries = {
      {.kind = EntryKind::directory, .path = "d/", .mode = 01777, .mtime = {-3, 250'000'000}},
      {.path = std::string(300, 'n'),
       .mode = 0644,
       .uid = 65535,
       .gid = 3'000'000,
       .mtime = {-1, 500'000'000},
       .size = 3},
      {.path = "sparse",
       .mode = 06755,
       .mtime = {1, 1},
       .size = std::uint64_t{1} << 23,
       .sparse = true,
       .extents = {{4096, 3}, {10000, 1}}},
      {.path = "all hole", .size = 5000, .sparse = true},
      {.kind = EntryKind::symbolic_link, .path = "l", .link = std::string(4000, 't'), .mode = 0777},
      {.kind = EntryKind::hard_link, .path = "h", .link = "sparse"},
      {.kind = EntryKind::fifo, .path = "f", .mtime = {7258118400, 0}},
      {.path = ".wh.plain", .attributes = {{"user.a=b", "\0\n"s}, {"user.c", ""}}, .literal_name = true},
      {.path = std::string(100, 'x'), .mtime = {0, 999'999'999}},
  };
  for (const auto& entry : entries) {
    REQUIRE(writer.begin(entry));
    std::uint64_t stored = entry.kind == EntryKind::file && !entry.sparse ? entry.size : 0;
    for (const auto& extent : entry.extents) stored += extent.bytes;
    REQUIRE(writer.write_data(std::string(stored, 'D')));
  }
  REQUIRE(writer.finish());
  auto read = read_all(sink.text, 777);
  REQUIRE_MESSAGE(read, read.error().message());
  REQUIRE(read->entries.size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(i);
    const auto &wanted = entries[i], &found = read->entries[i];
    CHECK(found.kind == wanted.kind);
    CHECK(found.path == wanted.path);
    CHECK(found.link == wanted.link);
    CHECK(found.mode == wanted.mode);
    CHECK(found.uid == wanted.uid);
    CHECK(found.gid == wanted.gid);
    CHECK(found.mtime == wanted.mtime);
    CHECK(found.size == wanted.size);
    CHECK(found.sparse == wanted.sparse);
    CHECK(found.extents == wanted.extents);
    CHECK(found.attributes == wanted.attributes);
    CHECK(found.literal_name == wanted.literal_name);
  }
}
