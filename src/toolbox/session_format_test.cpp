#include "toolbox/session_format.h"

#include <doctest/doctest.h>

using namespace sebring::toolbox;

TEST_CASE("which shape of logs a client gets") {
  struct Row {
    std::optional<SdkVersion> version;
    bool split_header;
    LogFormat format;
  } rows[] = {
      {{}, false, LogFormat::plain},
      {{}, true, LogFormat::marked},
      {SdkVersion{0, 0, 0}, false, LogFormat::plain},
      {SdkVersion{0, 26, 99}, false, LogFormat::plain},
      {SdkVersion{0, 26, 99}, true, LogFormat::plain},
      {SdkVersion{0, 27, 0}, false, LogFormat::marked},
      {SdkVersion{0, 166, 99}, false, LogFormat::marked},
      {SdkVersion{0, 166, 99}, true, LogFormat::marked},
      {SdkVersion{0, 167, 0}, false, LogFormat::split},
      {SdkVersion{0, 190, 0}, false, LogFormat::split},
      {SdkVersion{1, 0, 0}, false, LogFormat::split},
      {parse_sdk_version("v0.0.0-dev"), false, LogFormat::split},
      {parse_sdk_version("v0.26.0"), false, LogFormat::plain},
      {parse_sdk_version("0.167.0-alpha.1"), false, LogFormat::split},
  };
  for (const Row& row : rows) CHECK(log_format(row.version, row.split_header) == row.format);
}
