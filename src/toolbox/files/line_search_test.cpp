#include "toolbox/files/line_search.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace sebring::toolbox::files {
namespace {

UniqueFd file_of(std::string_view text) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    REQUIRE(put > 0);
    done += static_cast<std::size_t>(put);
  }
  return file;
}

std::string found_in(std::string_view text, std::string_view pattern) {
  std::string log;
  search_lines(file_of(text).get(), pattern, [&](std::uint64_t number, std::string_view line) {
    log += std::to_string(number) + ":" + std::string(line) + ";";
    return true;
  });
  return log;
}

int pieces = 0;  // of the last replaced_in()

std::string replaced_in(std::string_view text, std::string_view pattern, std::string_view value) {
  std::string out;
  pieces = 0;
  auto done = replace_all(file_of(text).get(), pattern, value, [&](std::string_view piece) -> Result<void> {
    out += piece;
    ++pieces;
    return {};
  });
  CHECK(done.has_value());
  return out;
}

}  // namespace

TEST_CASE("lines with a text") {
  struct Row {
    std::string text;
    const char* pattern;
    const char* log;
  } rows[] = {{"a\nb\nab\n", "b", "2:b;3:ab;"},
              {"bb bb\n", "b", "1:bb bb;"},
              {"x\r\nb\r\n", "b", "2:b;"},
              {"no end b", "b", "1:no end b;"},
              {"\n\n\nb", "b", "4:b;"},
              {"", "b", ""},
              {"aaa", "b", ""},
              {"a\nb", "a\nb", ""},
              {std::string("a\0b", 3), "b", ""},
              {"a.b\naxb\n", "a.b", "1:a.b;"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(found_in(row.text, row.pattern) == row.log);
  }
}

TEST_CASE("lines over the ends of blocks") {
  std::string text;
  std::string expected;
  for (int i = 1; i <= 60'000; ++i) {
    const bool hit = i % 5'000 == 0;
    text += "line " + std::to_string(i) + (hit ? " needle\n" : "\n");
    if (hit) expected += std::to_string(i) + ":line " + std::to_string(i) + " needle;";
  }
  CHECK(found_in(text, "needle") == expected);
}

TEST_CASE("a line without end is cut") {
  const std::string text = "needle" + std::string(20 << 20, 'x') + "\nneedle\n";
  std::size_t count = 0;
  search_lines(file_of(text).get(), "needle", [&](std::uint64_t, std::string_view line) {
    CHECK(line.size() <= kLineBytesMax);
    ++count;
    return true;
  });
  CHECK(count == 2);
}

TEST_CASE("replacing") {
  CHECK(replaced_in("abcabc", "b", "XX") == "aXXcaXXc");
  CHECK(replaced_in("aaaa", "aa", "a") == "aa");
  CHECK(replaced_in("abc", "abc", "") == "");
  CHECK(replaced_in("", "a", "b") == "");
  CHECK(replaced_in("ab", "abc", "x") == "ab");
  // Matches across every place where a block may end.
  std::string text;
  std::string expected;
  for (int i = 0; i < 200'000; ++i) {
    text += "needle.";
    expected += "pin.";
  }
  CHECK(replaced_in(text, "needle", "pin") == expected);
  CHECK(pieces < 30);
  const std::string large(300'000, 'v');
  CHECK(replaced_in("a needle z", "needle", large) == "a " + large + " z");
  CHECK(contains(file_of(text).get(), "needle.needle").value());
  CHECK(!contains(file_of(text).get(), "pin").value());
}

}  // namespace sebring::toolbox::files
