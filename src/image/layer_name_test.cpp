#include "image/layer_name.h"

#include <doctest/doctest.h>

using namespace sebring;
using namespace sebring::image;
using Kind = LayerName::Kind;

TEST_CASE("names that may be") {
  struct Row {
    std::string_view text;
    Kind kind;
    std::string_view parent, name;
  } rows[] = {
      {"./", Kind::root, "", ""},
      {".", Kind::root, "", ""},
      {"/", Kind::root, "", ""},
      {"a", Kind::plain, "", "a"},
      {"./a/", Kind::plain, "", "a"},
      {"/a//b/./c", Kind::plain, "a/b", "c"},
      {"...", Kind::plain, "", "..."},
      {"a/..b", Kind::plain, "a", "..b"},
      {"a/.wh.b", Kind::whiteout, "a", "b"},
      {"a/.wh..wh..opq", Kind::opaque, "a", ".wh..wh..opq"},
      {".wh..wh..opq", Kind::opaque, "", ".wh..wh..opq"},
      {"a/.wh..wh.aufs", Kind::ignored, "a", ".wh..wh.aufs"},
      {"a/.wh", Kind::plain, "a", ".wh"},
      {"a/x.wh.b", Kind::plain, "a", "x.wh.b"},
      {".wh.a b\n", Kind::whiteout, "", "a b\n"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    auto name = parse_layer_name(row.text, {}, Whiteouts::everywhere);
    REQUIRE(name);
    CHECK(name->kind == row.kind);
    CHECK(name->parent == row.parent);
    CHECK(name->name == row.name);
  }
}

TEST_CASE("names that may not be") {
  using namespace std::string_literals;
  for (const auto& text : {""s,
                           "\0"s,
                           "a\0b"s,
                           ".."s,
                           "../a"s,
                           "a/.."s,
                           "a/../b"s,
                           "/.."s,
                           "./../a"s,
                           "a/b/../../../etc/passwd"s,
                           ".wh."s,
                           ".wh.."s,
                           ".wh..."s,
                           "a/.wh."s,
                           ".wh.a/b"s,
                           "a/.wh.b/c"s,
                           ".wh..wh..opq/x"s,
                           ".wh.../x"s,
                           std::string(256, 'a'),
                           "a/"s + std::string(256, 'b') + "/c",
                           std::string(5000, '/') + "a"}) {
    CAPTURE(text.substr(0, 80));
    CHECK_FALSE(parse_layer_name(text, {}, Whiteouts::everywhere));
  }
  std::string deep, wide = std::string(255, 'w');
  for (int i = 0; i < 257; ++i) deep += "d/";
  CHECK_FALSE(parse_layer_name(deep, {}, Whiteouts::everywhere));
  CHECK(parse_layer_name(deep.substr(2), {}, Whiteouts::everywhere));
  std::string path = wide;
  for (int i = 0; i < 15; ++i) path += "/" + wide;  // 4095 bytes
  CHECK(parse_layer_name(path, {}, Whiteouts::everywhere));
  CHECK_FALSE(parse_layer_name(path + "/x", {}, Whiteouts::everywhere));
}

TEST_CASE("our own archives may have plain names like whiteouts") {
  auto name = parse_layer_name(".wh.d/.wh.f", {}, Whiteouts::nowhere);
  REQUIRE(name);
  CHECK(name->kind == Kind::plain);
  CHECK(name->path() == ".wh.d/.wh.f");
  name = parse_layer_name(".wh.d/.wh.f", {}, Whiteouts::last);
  REQUIRE(name);
  CHECK(name->kind == Kind::whiteout);
  CHECK(name->path() == ".wh.d/f");
  CHECK_FALSE(parse_layer_name("../.wh.f", {}, Whiteouts::nowhere));
}

TEST_CASE("names in messages") {
  CHECK(printable("usr/bin") == "usr/bin");
  CHECK(printable("a\nb\x1b[31m\x7f") == "a?b?[31m?");
  CHECK(printable("\xff") == "\xEF\xBF\xBD");
  CHECK(printable(std::string(100, 'a')) == std::string(60, 'a') + "...");
}
