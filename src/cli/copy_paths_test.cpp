#include "cli/copy_paths.h"

#include <doctest/doctest.h>

namespace sebring::cli {

TEST_CASE("parse_copy_end") {
  struct Row {
    std::string_view text, box, path;
  } rows[] = {
      {"box:/tmp/a", "box", "/tmp/a"},
      {"box:", "box", "."},
      {"a.txt", "", "a.txt"},
      {"./a:b", "", "./a:b"},
      {"/x:y", "", "/x:y"},
      {":x", "", ":x"},
      {"-", "", "-"},
      {"box:a:b", "box", "a:b"},
      {"", "", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto end = parse_copy_end(row.text);
    CHECK(end.box == row.box);
    CHECK(end.path == row.path);
  }
}

TEST_CASE("base_name") {
  struct Row {
    std::string_view path, expected;
  } rows[] = {{"/a/b", "b"}, {"a", "a"}, {"/a/b//", "b"}, {"/", ""}, {".", ""}, {"x/..", ""}, {"", ""}};
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CHECK(base_name(row.path) == row.expected);
  }
}

TEST_CASE("a sandbox can not name files outside the copied directory") {
  CHECK(relative_below("/a", "/a/b/c") == "b/c");
  CHECK(relative_below("/a/", "/a/b") == "b");
  CHECK(relative_below("/", "/b") == "b");
  struct Row {
    std::string_view base, entry;
  } rows[] = {{"/a", "/a"},      {"/a", "/ab"},   {"/a", "/b/c"},   {"/a", "/a/../b"},
              {"/a", "/a/b/.."}, {"/a", "/a//b"}, {"/a", "/a/./b"}, {"/a", "/a/"},
              {"/a", "../x"},    {"/a", ""},      {"/", "/"},       {"/a", std::string_view("/a/b\0c", 6)}};
  for (const Row& row : rows) {
    CAPTURE(row.entry);
    CHECK_FALSE(relative_below(row.base, row.entry));
  }
}

TEST_CASE("parse_mode") {
  CHECK(parse_mode("0755") == 0755U);
  CHECK(parse_mode("4755") == 0755U);
  for (std::string_view bad : {"", "0799", "rwx", "-1", "0007555"}) CHECK_FALSE(parse_mode(bad));
}

}  // namespace sebring::cli
