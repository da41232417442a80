#include "runner/wire.h"

#include <doctest/doctest.h>

using namespace sebring;
using namespace sebring::runner;

TEST_CASE("a specification is read") {
  auto spec = parse_spec(R"({"image":{"layers":["sha256:aa"]},"cpus":0.5,"memoryBytes":8388608,"hostname":"h",
      "hosts":[{"address":"10.0.0.1","name":"db"}],"network":{"blockAll":false,"allow":["10.0.0.0/8","1.2.3.4"]},"toolbox":{"a":[1]},"linkedTo":"box-1"})");
  REQUIRE(spec.has_value());
  CHECK(spec->limits.cpus == 0.5);
  CHECK(spec->network.allow.size() == 2);
  CHECK(spec->toolbox == R"({"a":[1]})");
  CHECK(spec->hosts[0].name == "db");
  CHECK(spec->linked_to == "box-1");
}

TEST_CASE("what is wrong in a specification is refused") {
  for (auto body : {"",
                    "{",
                    "[]",
                    "{}",
                    R"({"image":{}})",
                    R"({"image":{"layers":[]}})",
                    R"({"image":{"layers":[1]}})",
                    R"({"image":{"layers":["a"]},"cpus":0})",
                    R"({"image":{"layers":["a"]},"cpus":"1"})",
                    R"({"image":{"layers":["a"]},"cpus":-1})",
                    R"({"image":{"layers":["a"]},"memoryBytes":1})",
                    R"({"image":{"layers":["a"]},"diskBytes":-5})",
                    R"({"image":{"layers":["a"]},"pidsMax":1})",
                    R"({"image":{"layers":["a"]},"hostname":"a b"})",
                    R"({"image":{"layers":["a"]},"hostname":"-x"})",
                    R"({"image":{"layers":["a"]},"hosts":[{"address":"x","name":"y"}]})",
                    R"({"image":{"layers":["a"]},"hosts":[{"address":"1.2.3.4","name":"y\n6.6.6.6 z"}]})",
                    R"({"image":{"layers":["a"]},"network":{"allow":["10.0.0.0/33"]}})",
                    R"({"image":{"layers":["a"]},"network":{"allow":["::/0"]}})",
                    R"({"image":{"layers":["a"]},"linkedTo":7})",
                    R"({"image":{"layers":["a"]},"linkedTo":"../x"})",
                    R"({"image":{"layers":["a"],"base":"../x"}})"})
    CHECK_MESSAGE(!parse_spec(body), body);
}

TEST_CASE("ids and paths") {
  for (auto id : {"a", "0f8fad5b-d9cb-469f-a165-70867728950e", "A_b-9"}) CHECK(is_sandbox_id(id));
  for (auto id : {"", "..", "a/b", "a b", "a.b", "ä"}) CHECK(!is_sandbox_id(id));
  CHECK(!is_sandbox_id(std::string(65, 'a')));
  for (auto path : {"a", "a/b.tar", "...", "a..b"}) CHECK(is_plain_path(path));
  for (auto path : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"}) CHECK(!is_plain_path(path));
  CHECK(!is_plain_path(std::string("a\0b", 3)));
}
