#include "toolbox/code_run.h"

#include <doctest/doctest.h>

namespace sebring::toolbox {

TEST_CASE("languages") {
  CHECK(make_program("python", "print(1)", {"a b"})->argv == std::vector<std::string>{"python3", "-u", "-", "a b"});
  CHECK(make_program("python", "print(1)", {})->input == "print(1)");
  CHECK(make_program("javascript", "x", {"y"})->argv == std::vector<std::string>{"node", "-", "y"});
  CHECK(make_program("typescript", "x", {})->argv[0] == "node");
  for (const char* language : {"", "ruby", "Python", "python3", "js"}) {
    auto program = make_program(language, "x", {});
    REQUIRE(!program.has_value());
    CHECK(program.error().message() == std::string("unsupported language: ") + language);
  }
}

TEST_CASE("which programs use matplotlib") {
  for (const char* code :
       {"import matplotlib", "import matplotlib.pyplot as plt", "from matplotlib import pyplot",
        "x=1;import numpy, matplotlib", "  from matplotlib.figure import Figure", "__import__('matplotlib')",
        "importlib.import_module(\"matplotlib.pyplot\")", "sys.modules['matplotlib']", "a\nimport matplotlib\nb"}) {
    CAPTURE(code);
    CHECK(uses_matplotlib(code));
    CHECK(make_program("python", code, {})->has_charts);
  }
  for (const char* code : {"", "# import matplotlib", "x = 1 # from matplotlib import pyplot", "print('matplotlib')",
                           "import matplotlibx", "import my_matplotlib", "import numpy"}) {
    CAPTURE(code);
    CHECK(!uses_matplotlib(code));
  }
}

TEST_CASE("charts are taken out of the output") {
  struct Row {
    std::string output;
    std::string left;
    std::string charts;
  } rows[] = {
      {"a\nb\n", "a\nb\n", ""},
      {"a\ndtn_artifact_k39fd2:{\"type\":\"chart\",\"value\":{\"type\":\"pie\"}}\nb\n", "a\nb\n",
       "{\"charts\":[{\"type\":\"pie\"}]}"},
      {"dtn_artifact_k39fd2:{\"type\":\"chart\",\"value\":{\"a\":1}}\ndtn_artifact_k39fd2:{\"type\":\"chart\","
       "\"value\":{}}",
       "", "{\"charts\":[{\"a\":1},{}]}"},
      {"no newline dtn_artifact_k39fd2:{\"type\":\"chart\",\"value\":{}}\nend", "no newline end", "{\"charts\":[{}]}"},
      {"dtn_artifact_k39fd2:{\"type\": \"chart\", \"value\": {\"x\": [1.0, 2e3]}}\n", "",
       "{\"charts\":[{\"x\": [1.0, 2e3]}]}"},
      {"dtn_artifact_k39fd2:{\"type\": \"chart\", \"value\": {}, \"more\": 1}\n", "", "{\"charts\":[{}]}"},
      {"dtn_artifact_k39fd2:{\"type\": \"chart\", \"value\": {}}}\n", "", ""},
      {"dtn_artifact_k39fd2:nonsense\nx", "x", ""},
      {"dtn_artifact_k39fd2:{\"type\":\"chart\",\"value\":3}\nx", "x", ""},
      {"dtn_artifact_k39fd2:{\"type\":\"image\",\"value\":{}}\nx", "x", ""},
      {"dtn_artifact_k39fd2:{\"type\":\"chart\"}\nx", "x", ""},
      {"dtn_artifact_k39fd2:", "", ""},
      {"", "", ""}};
  for (const Row& row : rows) {
    CAPTURE(row.output);
    std::string output = row.output;
    CHECK(take_charts(output) == row.charts);
    CHECK(output == row.left);
  }
}

}  // namespace sebring::toolbox
