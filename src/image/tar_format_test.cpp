#include "image/tar_format.h"

#include <doctest/doctest.h>

using namespace sebring;
using namespace sebring::image;
using namespace std::string_view_literals;

TEST_CASE("numbers of headers") {
  struct Row {
    std::string_view field;
    bool negative;
    std::optional<std::int64_t> number;
  } rows[] = {
      {"0000644\0"sv, false, 0644},
      {"   644 \0"sv, false, 0644},
      {"00000001\0"sv, false, 1},
      {"\0\0\0\0"sv, false, 0},
      {"        "sv, false, 0},
      {"77777777777\0"sv, false, 077777777777},
      {"\x80\0\0\0\0\0\0\1\0\0\0\0"sv, false, std::int64_t{1} << 32},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, true, -1},
      {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"sv, false, INT64_MAX},
      {"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0"sv, true, INT64_MIN},
      {""sv, false, {}},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, false, {}},
      {"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"sv, false, {}},
      {"\x80\0\0\1\0\0\0\0\0\0\0\0"sv, false, {}},
      {"\xff\xff\xff\xfe\0\0\0\0\0\0\0\0"sv, true, {}},
      {"8"sv, false, {}},
      {"-1"sv, true, {}},
      {"+1"sv, false, {}},
      {"0x10"sv, false, {}},
      {"12 34"sv, false, {}},
      {"12\0"
       "34"sv,
       false,
       {}},
      {"7777777777777777777777777"sv, false, {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.field);
    CHECK(parse_tar_number(row.field, row.negative) == row.number);
  }
}

TEST_CASE("times of extended headers") {
  struct Row {
    std::string_view text;
    std::optional<FileTime> time;
  } rows[] = {
      {"0", FileTime{0, 0}},
      {"1700000000.5", FileTime{1700000000, 500'000'000}},
      {"1.123456789123", FileTime{1, 123'456'789}},
      {"-1.25", FileTime{-2, 750'000'000}},
      {"-0.5", FileTime{-1, 500'000'000}},
      {"-3", FileTime{-3, 0}},
      {"1.", FileTime{1, 0}},
      {"", {}},
      {".5", {}},
      {"1.5.5", {}},
      {"1e9", {}},
      {"1.x", {}},
      {" 1", {}},
      {"99999999999999999999", {}},
      {"-9223372036854775808.5", {}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_pax_time(row.text) == row.time);
  }
}

TEST_CASE("records of extended headers") {
  for (std::size_t bytes :
       {0, 1, 4, 5, 6, 88, 89, 90, 91, 92, 93, 985, 986, 987, 988, 989, 990, 991, 992, 9984, 9985, 9986, 9987, 9988}) {
    std::string value(bytes, 'v');
    std::string text = pax_record("path", value) + pax_record("SCHILY.xattr.user.x", "a\n=\0b"sv);
    auto records = parse_pax_records(text);
    REQUIRE(records);
    REQUIRE(records->size() == 2);
    CHECK(records->at(0).value == value);
    CHECK(records->at(1).value == "a\n=\0b"sv);
  }
  for (auto text :
       {"12 path=abcd"sv, "13 path=abcde"sv, "12path=abcde\n"sv, "99 path=abcd\n"sv, "0 path=abcd\n"sv,
        "-5 path=abcd\n"sv, " path=abcd\n"sv, "3 \n"sv, "2 "sv, "5 =a\n"sv, "6 path\n"sv, "12 path=abcd\n12 path=ab"sv,
        "000000000012 path=abcd\n"sv, "x\n"sv, "11 p\0th=abc\n"sv, "18446744073709551628 path=abcd\n"sv}) {
    CAPTURE(text);
    CHECK_FALSE(parse_pax_records(text));
  }
}
