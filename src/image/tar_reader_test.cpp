#include "image/tar_reader.h"

#include <doctest/doctest.h>

#include "image/tar_writer.h"
#include "image/testing/memory_source.h"
#include "image/testing/tar_builder.h"

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
  std::string long_name = std::string(90, 'd') + "/" + std::string(90, 'n');
  TarBuilder builder;
  builder.add({.type = 'g', .name = "pax_global_header", .data = pax_record("comment", "0123") + pax_record("uid", "77")})
      .add({.type = '5', .name = "dir/", .mode = "0001777", .size = "00000000777"})  // a size without data
      .add({.name = "dir/file", .data = "hello", .mode = "0004755", .uid = "0001750", .gid = "0000144"})
      .add({.type = '2', .name = "link", .link = "../../anywhere"})
      .add({.type = '1', .name = "hard", .link = "dir/file", .size = "00000000005"})
      .add({.type = '6', .name = "fifo"})
      .add({.type = '3', .name = "null"})
      .add({.type = 'L', .name = "././@LongLink", .data = long_name + "\0"s})
      .add({.name = "cut", .data = std::string(1000, 'x'), .magic = "ustar  \0"s})
      .add({.name = "overridden", .data = "1234567",
            .pax = {{"path", "päth"}, {"mtime", "1.5"}, {"uid", "70000"}, {"SCHILY.xattr.user.k", "v\n\0w"s}, {"SEBRING.xattr.user.a%3Db", "c"}}})
      .add({.type = '\0', .name = "old/", .magic = ""})
      .add({.name = "empty"});
  std::string tar = builder.done() + std::string(8192, '\0');
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
    CHECK(entries[6].path == long_name);
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
  std::string expected = std::string(512, '\0') + "abc" + std::string(485, '\0') + "de" + std::string(98, '\0');  // 1100 bytes
  TarBlock gnu = TarBuilder::header({.type = 'S', .name = "gnu", .size = "00000000005", .magic = "ustar  \0"s});
  auto put = [&](std::size_t at, const std::string& text) { text.copy(gnu.bytes.data() + at, text.size()); };
  put(386, TarBuilder::octal(512, 11)), put(398, TarBuilder::octal(3, 11));
  put(410, TarBuilder::octal(1000, 11)), put(422, TarBuilder::octal(2, 11));
  put(434, TarBuilder::octal(1100, 11)), put(446, TarBuilder::octal(0, 11));
  put(483, TarBuilder::octal(1100, 11));
  TarBuilder::sign(gnu);
  std::string map = "2\n512\n3\n1000\n2\n";
  map.resize(512);
  TarBuilder builder;
  builder.raw({gnu.bytes.data(), kTarBlock}).padded("abcde");
  builder.add({.name = "v0.0", .data = "abcde",
               .pax = {{"GNU.sparse.size", "1100"}, {"GNU.sparse.numblocks", "2"}, {"GNU.sparse.offset", "512"}, {"GNU.sparse.numbytes", "3"},
                       {"GNU.sparse.offset", "1000"}, {"GNU.sparse.numbytes", "2"}}});
  builder.add({.name = "v0.1", .data = "abcde", .pax = {{"GNU.sparse.size", "1100"}, {"GNU.sparse.map", "512,3,1000,2"}}});
  builder.add({.name = "x", .data = map + "abcde",
               .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "v1.0"}, {"GNU.sparse.realsize", "1100"}}});
  auto read = read_all(builder.done(), 100);
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
  auto sparse1 = [](std::string map, std::string realsize, std::string data = "") {
    map.resize((map.size() + 511) / 512 * 512);
    return tar_of({{.name = "x", .data = map + data, .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", realsize}}}});
  };
  std::string good = tar_of({{.name = "a", .data = "b"}});
  std::string bad_sum = good;
  bad_sum[0] = 'b';
  std::vector<std::pair<std::string_view, std::string>> rows = {
      {"checksum", bad_sum},
      {"cut header", good.substr(0, 100)},
      {"cut data", good.substr(0, 512)},
      {"cut data 2", good.substr(0, 600)},
      {"garbage behind", good + "x"},
      {"tar behind", good + good},
      {"one zero block, then a file", TarBuilder().raw(std::string(512, '\0')).add({.name = "a"}).done()},
      {"no tar", "hello world, this is not a tar at all"},
      {"text", std::string(2048, 'a')},
      {"unknown type", tar_of({{.type = 'Z', .name = "a"}})},
      {"GNU multi-volume", tar_of({{.type = 'M', .name = "a"}})},
      {"no name", tar_of({{.name = ""}})},
      {"size not octal", tar_of({{.name = "a", .size = "0000000000x"}})},
      {"negative size", tar_of({{.name = "a", .size = std::string(12, '\xff')}})},
      {"size beyond the end", tar_of({{.name = "a", .size = "00000100000"}})},
      {"huge size", tar_of({{.name = "a", .size = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"s}})},
      {"mode not octal", tar_of({{.name = "a", .mode = "rwxr-xr"}})},
      {"negative uid", tar_of({{.name = "a", .uid = std::string(8, '\xff')}})},
      {"pax size not a number", tar_of({{.name = "a", .data = "b", .pax = {{"size", "1x"}}}})},
      {"pax size negative", tar_of({{.name = "a", .data = "b", .pax = {{"size", "-1"}}}})},
      {"pax size beyond the end", tar_of({{.name = "a", .data = "b", .pax = {{"size", "5000"}}}})},
      {"pax uid negative", tar_of({{.name = "a", .pax = {{"uid", "-1"}}}})},
      {"pax mtime", tar_of({{.name = "a", .pax = {{"mtime", "soon"}}}})},
      {"pax path with NUL", tar_of({{.name = "a", .pax = {{"path", "a\0b"s}}}})},
      {"pax linkpath with NUL", tar_of({{.type = '2', .name = "a", .pax = {{"linkpath", "a\0b"s}}}})},
      {"pax broken", TarBuilder().add({.type = 'x', .name = "p", .data = "8 path=a\n"}).add({.name = "a"}).done()},
      {"pax at the end", TarBuilder().add({.type = 'x', .name = "p", .data = pax_record("path", "b")}).done()},
      {"pax too large", TarBuilder().add({.type = 'x', .name = "p", .data = pax_record("comment", std::string(2 << 20, 'c'))}).add({.name = "a"}).done()},
      {"long name empty", TarBuilder().add({.type = 'L', .name = "p"}).add({.name = "a"}).done()},
      {"escaped attribute broken", tar_of({{.name = "a", .pax = {{"SEBRING.xattr.user.%zz", "v"}}}})},
      {"escaped attribute NUL", tar_of({{.name = "a", .pax = {{"SEBRING.xattr.user.%00", "v"}}}})},
      {"global path", TarBuilder().add({.type = 'g', .name = "g", .data = pax_record("path", "b")}).add({.name = "a"}).done()},
      {"global size", TarBuilder().add({.type = 'g', .name = "g", .data = pax_record("size", "1")}).add({.name = "a"}).done()},
      {"global attribute", TarBuilder().add({.type = 'g', .name = "g", .data = pax_record("SCHILY.xattr.user.a", "1")}).add({.name = "a"}).done()},
      {"sparse version", tar_of({{.name = "x", .pax = {{"GNU.sparse.major", "2"}, {"GNU.sparse.minor", "0"}}}})},
      {"sparse without size", tar_of({{.name = "x", .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}}}})},
      {"sparse overlap", sparse1("2\n0\n3\n2\n3\n", "10", "abcdef")},
      {"sparse backwards", sparse1("2\n5\n1\n0\n1\n", "10", "ab")},
      {"sparse beyond", sparse1("1\n8\n3\n", "10", "abc")},
      {"sparse offset overflow", sparse1("1\n999999999999999999\n3\n", "10", "abc")},
      {"sparse less stored", sparse1("1\n0\n8\n", "10", "abc")},
      {"sparse more stored", sparse1("1\n0\n1\n", "10", "abc")},
      {"sparse map not digits", sparse1("1\n0x\n1\n", "10", "a")},
      {"sparse map endless", sparse1(std::string(600, '1'), "10")},
      {"sparse map count", sparse1("900000\n0\n1\n", "10", "a")},
      {"sparse too large", sparse1("0\n", "9999999999999999")},
      {"sparse odd map", tar_of({{.name = "x", .data = "a", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.map", "0,1,2"}}}})},
      {"sparse half pair", tar_of({{.name = "x", .data = "a", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.offset", "0"}}}})},
      {"sparse pair order", tar_of({{.name = "x", .data = "a", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.numbytes", "1"}, {"GNU.sparse.offset", "0"}}}})},
  };
  TarBuilder many;
  for (int i = 0; i < 9; ++i) many.add({.type = 'x', .name = "p", .data = pax_record("path", "b")});
  rows.emplace_back("too many headers", many.add({.name = "a"}).done());
  for (const auto& [name, tar] : rows) {
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
      {.path = std::string(300, 'n'), .mode = 0644, .uid = 65535, .gid = 3'000'000, .mtime = {-1, 500'000'000}, .size = 3},
      {.path = "sparse", .mode = 06755, .mtime = {1, 1}, .size = std::uint64_t{1} << 23, .sparse = true, .extents = {{4096, 3}, {10000, 1}}},
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
