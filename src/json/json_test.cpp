#include "json/json.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

using namespace sebring;

TEST_CASE("texts that are refused") {
  const std::string deep(40, '[');
  for (std::string text : {std::string("{"), std::string("{\"a\":1,\"a\":2}"), std::string("{\"a\":{\"b\":1,\"b\":1}}"),
                           deep, std::string("\"\xFF\""), std::string("nul"), std::string("{} x"),
                           std::string("{\"a\":01}"), std::string("{'a':1}"), std::string("[1,]")}) {
    CAPTURE(text);
    auto value = json::parse(text);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().code() == Errc::invalid_argument);
  }
  CHECK_FALSE(json::parse_object("[1]").has_value());
}

TEST_CASE("texts that are fine") {
  CHECK(json::parse_object("")->empty());
  CHECK(json::parse_object("  {\"a\": [1, {\"a\": 2}], \"b\": {\"a\": 3}} ")->size() == 2);
}

TEST_CASE("fields by name and type") {
  auto object =
      json::parse_object(R"({"s":"x","n":7,"f":2.0,"h":2.5,"b":true,"z":null,"m":{"k":"v"},"l":["a","b"],"e":""})");
  REQUIRE(object.has_value());
  json::ObjectReader good(*object);
  CHECK(good.text("s") == "x");
  CHECK(good.integer("n", 0, 10) == 7);
  CHECK(good.integer("f") == 2);
  CHECK(good.boolean("b") == true);
  CHECK_FALSE(good.text("z").has_value());
  CHECK(good.text_map("m")->front().second == "v");
  CHECK(good.texts("l")->size() == 2);
  CHECK(good.finish().has_value());
  json::ObjectReader bad(*object, "x.");
  bad.text("n");
  bad.integer("s");
  bad.integer("h");
  bad.integer("n", 8, 9);
  bad.boolean("s");
  bad.texts("m");
  bad.text_map("l");
  bad.required_text("e");
  bad.required_text("none");
  CHECK(bad.finish().error().message() ==
        "x.n must be a string, x.s must be an integer number, x.h must be an integer number, x.n must be between 8 and "
        "9, "
        "x.s must be a boolean value, x.m must be an array, x.l must be an object, x.e should not be empty, "
        "x.none must be a string");
}
