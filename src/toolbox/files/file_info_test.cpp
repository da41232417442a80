#include "toolbox/files/file_info.h"

#include <doctest/doctest.h>

namespace sebring::toolbox::files {

TEST_CASE("modes") {
  struct Row {
    unsigned mode;
    const char* text;
  } rows[] = {{S_IFREG | 0644, "-rw-r--r--"},   {S_IFDIR | 0755, "drwxr-xr-x"},  {S_IFLNK | 0777, "Lrwxrwxrwx"},
              {S_IFDIR | 01777, "dtrwxrwxrwx"}, {S_IFREG | 04755, "urwxr-xr-x"}, {S_IFREG | 02755, "grwxr-xr-x"},
              {S_IFCHR | 0666, "Dcrw-rw-rw-"},  {S_IFBLK | 0660, "Drw-rw----"},  {S_IFIFO | 0600, "prw-------"},
              {S_IFSOCK | 0700, "Srwx------"},  {S_IFREG, "----------"}};
  for (const Row& row : rows) CHECK(mode_text(row.mode) == row.text);
}

TEST_CASE("times") {
  struct Row {
    timespec time;
    const char* rfc3339;
  } rows[] = {{{0, 0}, "1970-01-01T00:00:00Z"},
              {{1709210096, 123456789}, "2024-02-29T12:34:56.123456789Z"},
              {{1709210096, 120000000}, "2024-02-29T12:34:56.12Z"},
              {{1767225599, 0}, "2025-12-31T23:59:59Z"},
              {{-1, 0}, "1969-12-31T23:59:59Z"},
              {{4102444800, 1}, "2100-01-01T00:00:00.000000001Z"}};
  for (const Row& row : rows) CHECK(rfc3339_time(row.time) == row.rfc3339);
  CHECK(go_time({1709210096, 5000}) == "2024-02-29 12:34:56.000005 +0000 UTC");
  CHECK(http_time(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_CASE("properties as JSON") {
  struct stat status{};
  status.st_mode = S_IFREG | 0640;
  status.st_size = 12;
  status.st_uid = 1000;
  status.st_gid = 100;
  std::string text;
  append_file_info(text, "a\"b\xFF", "", status);
  CHECK(text ==
        "{\"name\":\"a\\\"b\xEF\xBF\xBD\",\"size\":12,\"mode\":\"-rw-r-----\",\"modTime\":\"1970-01-01 00:00:00 +0000 "
        "UTC\",\"modifiedAt\":\"1970-01-01T00:00:00Z\",\"isDir\":false,\"owner\":\"1000\",\"group\":\"100\","
        "\"permissions\":\"0640\"}");
}

TEST_CASE("entries of a folder read as the files by themselves") {
  for (const std::string folder : {"", "/", "/tmp/", "/t\"x\xC3/"}) {
    EntryWriter writer(folder);
    for (const std::string name : {"plain", "a\"b", "n\xFF\xFE", "\n", "\xC3", "\x80"}) {
      struct stat status{};
      for (const mode_t mode : {S_IFREG | 0600, S_IFREG | 0600, S_IFDIR | 01777, S_IFLNK | 0777}) {
        for (const uid_t id : {0U, 1000U}) {
          for (const timespec time : {timespec{0, 0}, {0, 7}, {1709210096, 7}, {1709210096, 900'000'000}, {-1, 0}}) {
            status.st_mode = mode;
            status.st_uid = id;
            status.st_gid = status.st_uid + mode;
            status.st_mtim = time;
            status.st_size += 12345;
            std::string alone, listed;
            append_file_info(alone, name, folder.empty() ? "" : folder + name, status);
            writer.append(listed, name, status);
            CAPTURE(name);
            CHECK(listed == alone);
          }
        }
      }
    }
  }
}

}  // namespace sebring::toolbox::files
