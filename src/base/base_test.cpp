#include <doctest/doctest.h>

#include "base/random.h"
#include "base/text.h"
#include "base/time.h"

using namespace sebring;

TEST_CASE("dates") {
  CHECK(iso8601(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso8601(1767225599999) == "2025-12-31T23:59:59.999Z");
  CHECK(parse_iso8601("2025-12-31T23:59:59.999Z") == 1767225599999);
  CHECK(parse_iso8601("2026-01-01T00:59:59.999123+01:00") == 1767225599999);
  CHECK(parse_iso8601("2026-01-01") == 1767225600000);
  for (const char* bad :
       {"", "2026", "2026-13-01", "2026-01-01T", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00.Z", "x", "2026-01-01Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_iso8601(bad).has_value());
  }
}

TEST_CASE("ids") {
  CHECK(is_uuid(random_uuid()));
  CHECK(random_uuid() != random_uuid());
  CHECK(random_hex(32).size() == 64);
  CHECK(random_text(16, "ab").find_first_not_of("ab") == std::string::npos);
  for (const char* bad : {"", "x", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-00000000000g"})
    CHECK_FALSE(is_uuid(bad));
}

TEST_CASE("text") {
  CHECK(parse_integer("-5") == -5);
  for (const char* bad : {"", "+5", " 5", "5 ", "0x5", "99999999999999999999", "1.0"})
    CHECK_FALSE(parse_integer(bad).has_value());
  CHECK(is_valid_utf8("aé€😀"));
  for (const char* bad : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82"})
    CHECK_FALSE(is_valid_utf8(bad));
  CHECK(to_valid_utf8("a\xFF"
                      "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(base64_encode("abcd") == "YWJjZA==");
  CHECK(base64_decode("YWJjZA") == "abcd");
  CHECK(base64url_encode("\xFB\xFF") == "-_8");
  for (const char* bad : {"a", "a$bc", "=a="}) CHECK_FALSE(base64_decode(bad).has_value());
  CHECK(percent_decode("a%20b+c", true) == "a b c");
  for (const char* bad : {"%", "%2", "%zz"}) CHECK_FALSE(percent_decode(bad).has_value());
  CHECK(split("a,,b", ',').size() == 3);
  CHECK(starts_with_ignore_case("X-Forwarded-For", "x-fORWARDED-"));
  CHECK_FALSE(starts_with_ignore_case("X-Forwarded", "X-Forwarded-"));
  bool as_by_letter = true;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      std::string left = "0123456789", right = left;
      left[3] = left[9] = static_cast<char>(a);
      right[3] = right[9] = static_cast<char>(b);
      if (equals_ignore_case(left, right) != (to_lower(left) == to_lower(right))) as_by_letter = false;
    }
  }
  CHECK(as_by_letter);
  CHECK(constant_time_equal("abc", "abc"));
  CHECK_FALSE(constant_time_equal("abc", "abd"));
}
