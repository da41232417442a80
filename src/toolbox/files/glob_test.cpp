#include "toolbox/files/glob.h"

#include <doctest/doctest.h>

#include <string>

namespace sebring::toolbox::files {

TEST_CASE("patterns") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  } rows[] = {{"*", "", true},
              {"*", "abc", true},
              {"*.txt", "a.txt", true},
              {"*.txt", ".txt", true},
              {"a*b*c", "aXbYbc", true},
              {"a?c", "abc", true},
              {"a?c",
               "a\xC3\xA4"
               "c",
               true},
              {"[a-c]x", "bx", true},
              {"[^a-c]x", "dx", true},
              {"[!a-c]x", "dx", true},
              {"\\*", "*", true},
              {"[\\]]", "]", true},
              {"[\\-x]", "-", true},
              {"", "", true},
              {"a[\xC3\xA0-\xC3\xBC]", "a\xC3\xA4", true},
              {"*.txt", "a.txtx", false},
              {"a?c", "ac", false},
              {"[a-c]x", "dx", false},
              {"[^a-c]x", "ax", false},
              {"\\*", "x", false},
              {"", "x", false},
              {"a", "", false},
              {"*a", "b", false},
              {"?", "", false},
              {"[a]", "", false},
              {"A", "a", false},
              {"a*b", "acbd", false}};
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.name);
    CHECK(is_good_pattern(row.pattern));
    CHECK(matches_pattern(row.pattern, row.name) == row.matches);
  }
}

TEST_CASE("patterns that are none") {
  for (const char* pattern : {"[", "[a", "[]", "[]a]", "[a-]", "[-a]", "[^", "[^]", "a\\", "[\\", "[a-\\"}) {
    CAPTURE(pattern);
    CHECK(!is_good_pattern(pattern));
  }
}

TEST_CASE("many stars take no exponential time") {
  const std::string name(200, 'a');
  CHECK(!matches_pattern("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

}  // namespace sebring::toolbox::files
