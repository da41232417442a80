#include "toolbox/files/channel.h"

#include <doctest/doctest.h>

namespace sebring::toolbox::files {

TEST_CASE("messages survive their way") {
  Request request;
  request.operation = "GET /files";
  request.path = "/files";
  request.work_dir = "/w";
  request.head_only = true;
  request.query = {{"path", std::string("a\0b", 3)}, {"", ""}};
  auto unpacked = unpack_request(pack(request));
  REQUIRE(unpacked.has_value());
  CHECK(unpacked->operation == request.operation);
  CHECK(unpacked->head_only);
  CHECK(!unpacked->plain_fields);
  CHECK(unpacked->query == request.query);
  CHECK(unpacked->parameter("path") == std::string_view("a\0b", 3));
  CHECK(!unpacked->parameter("other"));

  auto head = unpack_head(pack(Head{.status = 206, .headers = {{"A", "b"}}, .body = "c"}));
  REQUIRE(head.has_value());
  CHECK(head->status == 206);
  CHECK(head->headers.size() == 1);
  CHECK(head->body == "c");
}

TEST_CASE("broken messages are refused") {
  const std::string good = pack(Head{.status = 200, .headers = {{"A", "b"}}, .body = "c"});
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(!unpack_head(good.substr(0, size)).has_value());
  CHECK(!unpack_head(good + "x").has_value());
  CHECK(!unpack_head(pack(Head{.status = 100})).has_value());
  CHECK(!unpack_head(pack(Head{.status = 600})).has_value());
  CHECK(!unpack_head(pack(Head{.status = 200, .headers = {{"A", "b\r\nC: d"}}})).has_value());
  CHECK(!unpack_head(pack(Head{.status = 200, .headers = {{"A\n", "b"}}})).has_value());
  const std::string request = pack(Request{.operation = "x"});
  for (std::size_t size = 0; size < request.size(); ++size) CHECK(!unpack_request(request.substr(0, size)).has_value());
  // A count that no message can have.
  std::string counted = good;
  counted[4] = counted[5] = counted[6] = counted[7] = '\xFF';
  CHECK(!unpack_head(counted).has_value());
}

}  // namespace sebring::toolbox::files
