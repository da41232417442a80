#pragma once
// Tars that unit tests, root tests and fuzzers begin with.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/testing/tar_builder.h"

namespace sebring::image::testing {

using namespace std::string_literals;

inline const std::string kLongName = std::string(90, 'd') + "/" + std::string(90, 'n');

inline std::string tar_of_every_kind() {
  TarBuilder builder;
  builder
      .add({.type = 'g', .name = "pax_global_header", .data = pax_record("comment", "0123") + pax_record("uid", "77")})
      .add({.type = '5', .name = "dir/", .mode = "0001777", .size = "00000000777"})  // a size without data
      .add({.name = "dir/file", .data = "hello", .mode = "0004755", .uid = "0001750", .gid = "0000144"})
      .add({.type = '2', .name = "link", .link = "../../anywhere"})
      .add({.type = '1', .name = "hard", .link = "dir/file", .size = "00000000005"})
      .add({.type = '6', .name = "fifo"})
      .add({.type = '3', .name = "null"})
      .add({.type = 'L', .name = "././@LongLink", .data = kLongName + "\0"s})
      .add({.name = "cut", .data = std::string(1000, 'x'), .magic = "ustar  \0"s})
      .add({.name = "overridden",
            .data = "1234567",
            .pax = {{"path", "päth"},
                    {"mtime", "1.5"},
                    {"uid", "70000"},
                    {"SCHILY.xattr.user.k", "v\n\0w"s},
                    {"SEBRING.xattr.user.a%3Db", "c"}}})
      .add({.type = '\0', .name = "old/", .magic = ""})
      .add({.name = "empty"});
  return builder.done() + std::string(8192, '\0');
}

// Each of 1,100 bytes: three at 512, two at 1000.
inline std::string tar_of_sparse_files() {
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
  builder.add({.name = "v0.0",
               .data = "abcde",
               .pax = {{"GNU.sparse.size", "1100"},
                       {"GNU.sparse.numblocks", "2"},
                       {"GNU.sparse.offset", "512"},
                       {"GNU.sparse.numbytes", "3"},
                       {"GNU.sparse.offset", "1000"},
                       {"GNU.sparse.numbytes", "2"}}});
  builder.add(
      {.name = "v0.1", .data = "abcde", .pax = {{"GNU.sparse.size", "1100"}, {"GNU.sparse.map", "512,3,1000,2"}}});
  builder.add({.name = "x",
               .data = map + "abcde",
               .pax = {{"GNU.sparse.major", "1"},
                       {"GNU.sparse.minor", "0"},
                       {"GNU.sparse.name", "v1.0"},
                       {"GNU.sparse.realsize", "1100"}}});
  return builder.done();
}

inline std::vector<std::pair<std::string_view, std::string>> refused_tars() {
  auto sparse1 = [](std::string map, std::string realsize, std::string data = "") {
    map.resize((map.size() + 511) / 512 * 512);
    return tar_of({{.name = "x",
                    .data = map + data,
                    .pax = {{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", realsize}}}});
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
      {"pax too large", TarBuilder()
                            .add({.type = 'x', .name = "p", .data = pax_record("comment", std::string(2 << 20, 'c'))})
                            .add({.name = "a"})
                            .done()},
      {"long name empty", TarBuilder().add({.type = 'L', .name = "p"}).add({.name = "a"}).done()},
      {"escaped attribute broken", tar_of({{.name = "a", .pax = {{"SEBRING.xattr.user.%zz", "v"}}}})},
      {"escaped attribute NUL", tar_of({{.name = "a", .pax = {{"SEBRING.xattr.user.%00", "v"}}}})},
      {"global path",
       TarBuilder().add({.type = 'g', .name = "g", .data = pax_record("path", "b")}).add({.name = "a"}).done()},
      {"global size",
       TarBuilder().add({.type = 'g', .name = "g", .data = pax_record("size", "1")}).add({.name = "a"}).done()},
      {"global attribute", TarBuilder()
                               .add({.type = 'g', .name = "g", .data = pax_record("SCHILY.xattr.user.a", "1")})
                               .add({.name = "a"})
                               .done()},
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
      {"sparse odd map",
       tar_of({{.name = "x", .data = "a", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.map", "0,1,2"}}}})},
      {"sparse half pair",
       tar_of({{.name = "x", .data = "a", .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.offset", "0"}}}})},
      {"sparse pair order",
       tar_of({{.name = "x",
                .data = "a",
                .pax = {{"GNU.sparse.size", "9"}, {"GNU.sparse.numbytes", "1"}, {"GNU.sparse.offset", "0"}}}})},
  };
  TarBuilder many;
  for (int i = 0; i < 9; ++i) many.add({.type = 'x', .name = "p", .data = pax_record("path", "b")});
  rows.emplace_back("too many headers", many.add({.name = "a"}).done());
  return rows;
}

}  // namespace sebring::image::testing
