#include "toolbox/lsp_answers.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "toolbox/lsp_documents.h"

using namespace sebring::toolbox;
namespace bj = boost::json;

TEST_CASE("completions in the shape of the wire") {
  struct Row {
    std::string_view answer, list;
  } rows[] = {
      {"null", R"({"isIncomplete":false,"items":[]})"},
      {"[]", R"({"isIncomplete":false,"items":[]})"},
      {R"([{"label":"a","kind":3,"data":1,"textEdit":{}}])",
       R"({"isIncomplete":false,"items":[{"label":"a","kind":3}]})"},
      {R"({"isIncomplete":true,"items":[{"label":"a","documentation":{"kind":"markdown","value":"x"},"detail":null}]})",
       R"({"isIncomplete":true,"items":[{"label":"a","documentation":{"kind":"markdown","value":"x"}}]})"},
      {R"({"items":"x"})", R"({"isIncomplete":false,"items":[]})"},
      {R"([1,null,"x",[]])", R"({"isIncomplete":false,"items":[]})"},
      {"5", R"({"isIncomplete":false,"items":[]})"},
  };
  for (const Row& row : rows) CHECK(bj::serialize(completion_list(bj::parse(row.answer))) == row.list);
}

TEST_CASE("symbols are flat") {
  const bj::value tree = bj::parse(
      R"([{"name":"A","kind":5,"range":{"r":1},"children":[{"name":"b","kind":6,"range":{"r":2}},{"bad":1}]},
          {"name":"C","kind":12,"location":{"uri":"file:///c","range":{"r":3}}},{"name":"D","kind":12,"location":{"uri":"file:///d"}},
          {"kind":1},{"name":"x"},{"name":1,"kind":1},{"name":"x","kind":"1"},null,7])");
  const bj::array symbols = flat_symbols(tree, "file:///t");
  REQUIRE(symbols.size() == 4);
  CHECK(bj::serialize(symbols[0]) == R"({"kind":5,"location":{"range":{"r":1},"uri":"file:///t"},"name":"A"})");
  CHECK(bj::serialize(symbols[1]) == R"({"kind":6,"location":{"range":{"r":2},"uri":"file:///t"},"name":"b"})");
  CHECK(bj::serialize(symbols[2]) == R"({"kind":12,"location":{"uri":"file:///c","range":{"r":3}},"name":"C"})");
  CHECK(symbols[3].at("location").get_object().contains("range"));
  CHECK(flat_symbols(tree, "", "B").size() == 1);
  CHECK(flat_symbols(tree, "", "nothing").empty());
  CHECK(flat_symbols(bj::value(), "").empty());
}

TEST_CASE("files and URIs") {
  CHECK(file_uri("/a/b c/ü.py") == "file:///a/b%20c/%C3%BC.py");
  CHECK(file_uri("/") == "file:///");
  struct Row {
    std::string_view uri;
    std::vector<std::string> paths;
  } rows[] = {
      {"file:///a/b.py", {"/a/b.py"}},
      {"/a/b.py", {"/a/b.py"}},
      {"file:///a%20b", {"/a b", "/a%20b"}},
      {"file:///100%", {"/100%"}},
      {"file://src/a.py", {"/p/src/a.py", "/w/src/a.py"}},
      {"src/a.py", {"/p/src/a.py", "/w/src/a.py"}},
  };
  for (const Row& row : rows) CHECK(*candidate_paths(row.uri, {"/p", "/w"}) == row.paths);
  for (std::string_view bad : {"", "file://", "http://x/a", "untitled://1", "file:///a%00"}) {
    CAPTURE(bad);
    CHECK_FALSE(candidate_paths(bad, {"/p", "/w"}));
  }
}
