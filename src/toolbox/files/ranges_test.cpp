#include "toolbox/files/ranges.h"

#include <doctest/doctest.h>

namespace sebring::toolbox::files {

TEST_CASE("ranges") {
  struct Row {
    const char* header;
    std::uint64_t size;
    bool unsatisfiable;
    std::uint64_t first;
    std::uint64_t length;  // 0: the whole file
  } rows[] = {{"bytes=0-4", 10, false, 0, 5},   {"bytes=5-", 10, false, 5, 5},
              {"bytes=-3", 10, false, 7, 3},    {"bytes=-30", 10, false, 0, 10},
              {"bytes=2-999", 10, false, 2, 8}, {"BYTES= 1 - 2 ", 10, false, 1, 2},
              {"bytes=9-9", 10, false, 9, 1},   {"bytes=0-99999999999999999999999", 10, false, 0, 10},
              {"bytes=10-", 10, true, 0, 0},    {"bytes=99999999999999999999999-", 10, true, 0, 0},
              {"bytes=-0", 10, true, 0, 0},     {"bytes=0-", 0, true, 0, 0},
              {"bytes=-1", 0, true, 0, 0},      {"", 10, false, 0, 0},
              {"bytes", 10, false, 0, 0},       {"bytes=", 10, false, 0, 0},
              {"bytes=-", 10, false, 0, 0},     {"bytes=a-b", 10, false, 0, 0},
              {"bytes=3-1", 10, false, 0, 0},   {"bytes=+1-2", 10, false, 0, 0},
              {"bytes=1", 10, false, 0, 0},     {"bytes=0-1,3-4", 10, false, 0, 0},
              {"lines=0-1", 10, false, 0, 0}};
  for (const Row& row : rows) {
    CAPTURE(row.header);
    const RangeAnswer answer = parse_range(row.header, row.size);
    CHECK(answer.unsatisfiable == row.unsatisfiable);
    CHECK(answer.range.has_value() == (row.length > 0));
    if (!answer.range) continue;
    CHECK(answer.range->first == row.first);
    CHECK(answer.range->length == row.length);
  }
}

}  // namespace sebring::toolbox::files
