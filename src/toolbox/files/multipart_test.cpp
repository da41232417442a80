#include "toolbox/files/multipart.h"

#include <doctest/doctest.h>

#include <vector>

namespace sebring::toolbox::files {
namespace {

struct Recorder final : PartSink {
  Result<void> begin(const PartHead& head) override {
    log += "[" + head.name + (head.file_name ? "|" + *head.file_name : "") + ":";
    return {};
  }
  Result<void> data(std::string_view piece) override {
    log += piece;
    return {};
  }
  Result<void> end() override {
    log += "]";
    return {};
  }
  std::string log;
};

// Fed in pieces of `size` bytes.
Result<std::string> parse(std::string_view body, std::size_t size, const std::string& boundary = "B") {
  Recorder recorder;
  MultipartParser parser(boundary, recorder);
  for (std::size_t at = 0; at < body.size(); at += size) SB_CHECK(parser.feed(body.substr(at, size)));
  SB_CHECK(parser.finish());
  return recorder.log;
}

const std::string kHead = "Content-Disposition: form-data; name=\"a\"\r\n\r\n";

}  // namespace

TEST_CASE("bodies in pieces of every size") {
  struct Row {
    std::string body;
    std::string log;
  } rows[] = {
      {"--B\r\n" + kHead + "x\r\n--B--\r\n", "[a:x]"},
      {"--B\r\n" + kHead + "\r\n--B--", "[a:]"},
      {"preamble\r\n--B\r\n" + kHead + "x\r\n--B--epilogue\r\n--B\r\n", "[a:x]"},
      {"\r\n--B\r\n" + kHead + "x\r\n--B--", "[a:x]"},
      {"--B \t\r\n" + kHead + "x\r\n--B--", "[a:x]"},
      {"--B\r\n" + kHead + "x\r\n--B\r\n" + kHead + "y\r\n--B--", "[a:x][a:y]"},
      {"--B\r\n" + kHead + "\r\n\r\n--\r\n--A\r\n-\r\n--B--", "[a:\r\n\r\n--\r\n--A\r\n-]"},
      {"--B\r\n" + kHead + "\r\r\n--B--", "[a:\r]"},
      {"--B\r\n" + kHead + "--B--\r\n--B--", "[a:--B--]"},
      {"--B--\r\n", ""},
      {"--B\r\ncontent-disposition: FORM-DATA; filename=\"x;y\\\"z\"; name=n\r\nContent-Type: "
       "text/plain\r\n\r\n1\r\n--B--",
       "[n|x;y\"z:1]"},
      {"--B\r\nContent-Disposition: form-data; name=\"n\"; filename=\"a\"; filename*=utf-8''b%20c\r\n\r\n1\r\n--B--",
       "[n|b c:1]"},
      {"--B\r\nX: y\r\n" + kHead + std::string("\0\1\2", 3) + "\r\n--B--", "[a:" + std::string("\0\1\2", 3) + "]"}};
  for (const Row& row : rows) {
    for (std::size_t size = 1; size <= row.body.size(); ++size) {
      CAPTURE(row.body);
      CAPTURE(size);
      auto parsed = parse(row.body, size);
      REQUIRE(parsed.has_value());
      CHECK(*parsed == row.log);
    }
  }
}

TEST_CASE("what is no multipart body") {
  const std::string rows[] = {"",
                              "x",
                              "--B",
                              "--B\r\n",
                              "--B\r\n" + kHead,
                              "--B\r\n" + kHead + "x",
                              "--B\r\n" + kHead + "x\r\n--B",
                              "--B\r\n" + kHead + "x\r\n--B-",
                              "--B\r\n" + kHead + "x\n--B--",
                              "--Bx\r\n" + kHead + "x\r\n--B--",
                              "--B\n" + kHead + "x\r\n--B--",
                              "--B\r\n\r\nx\r\n--B--",
                              "--B\r\nno colon\r\n\r\nx\r\n--B--",
                              "--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--B--",
                              "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
                              "--C\r\n" + kHead + "x\r\n--C--"};
  for (const std::string& body : rows) {
    for (std::size_t size = 1; size <= body.size() + 1; ++size) {
      CAPTURE(body);
      CAPTURE(size);
      auto parsed = parse(body, size);
      CHECK(!parsed.has_value());
      if (!parsed) CHECK(parsed.error().code() == Errc::invalid_argument);
    }
  }
}

TEST_CASE("heads are bounded, contents are not") {
  const std::string long_head = "--B\r\nX: " + std::string(kPartHeadBytesMax, 'x') + "\r\n" + kHead + "x\r\n--B--";
  for (std::size_t size : {1UL, 1000UL, 1UL << 20}) {
    CHECK(!parse(long_head, size).has_value());
    const std::string content(3 << 18, '\r');
    auto parsed = parse("--B\r\n" + kHead + content + "\r\n--B--", size);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == "[a:" + content + "]");
  }
}

TEST_CASE("boundaries of content types") {
  struct Row {
    std::string type;
    std::optional<std::string> boundary;
  } rows[] = {{"multipart/form-data; boundary=abc", "abc"},
              {"Multipart/Form-Data; charset=utf-8; Boundary=\"a b;c\"", "a b;c"},
              {"multipart/form-data;boundary=abc; x=y", "abc"},
              {"multipart/form-data", {}},
              {"multipart/form-data; boundary=", {}},
              {"multipart/form-data; boundary=\"\"", {}},
              {"multipart/form-data; boundary=" + std::string(71, 'x'), {}},
              {"multipart/form-data; boundary=\"a\n\"", {}},
              {"multipart/form-data; boundary=\"a \"", {}},
              {"application/json; boundary=abc", {}},
              {"", {}},
              {";boundary=abc", {}}};
  for (const Row& row : rows) {
    CAPTURE(row.type);
    CHECK(multipart_boundary(row.type) == row.boundary);
  }
}

TEST_CASE("an error of the sink ends it") {
  struct Refusing final : PartSink {
    Result<void> begin(const PartHead&) override { return fail(Errc::forbidden, "no"); }
    Result<void> data(std::string_view) override { return {}; }
    Result<void> end() override { return {}; }
  } sink;
  MultipartParser parser("B", sink);
  auto fed = parser.feed("--B\r\n" + kHead + "x\r\n--B--");
  REQUIRE(!fed.has_value());
  CHECK(fed.error().code() == Errc::forbidden);
}

}  // namespace sebring::toolbox::files
