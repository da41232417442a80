#include "toolbox/code_run.h"

#include <unistd.h>

#include <boost/json.hpp>

#include "base/random.h"
#include "base/text.h"
#include "json/json.h"
#include "toolbox/error_body.h"
#include "toolbox/scripts.h"

namespace sebring::toolbox {
namespace {

constexpr std::string_view kMarker = "dtn_artifact_k39fd2:";

// JSON's string literals are literals of Python and JavaScript too.
std::string literal(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  return quoted;
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

bool has_word(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(line[at - 1])) && (end == line.size() || !is_word(line[end]))) return true;
  }
  return false;
}

// The value as it was printed: its numbers shall read as Python wrote them. `line` is known to be good JSON.
std::string text_of_value(std::string_view line, const json::bj::object& artifact) {
  constexpr std::string_view kBefore = "{\"type\": \"chart\", \"value\": ";
  line = trim(line);
  if (artifact.size() == 2 && line.starts_with(kBefore)) {
    line.remove_prefix(kBefore.size());
    line.remove_suffix(1);
    return std::string(line);
  }
  return json::serialize(artifact.at("value"));
}

CodeProgram python(std::string_view code) {
  CodeProgram program;
  program.argv = {"python3", "-u", "-"};
  program.has_charts = is_valid_utf8(code) && uses_matplotlib(code);
  if (program.has_charts) {
    program.input = std::string(kChartWrapper) + "\n_sebring_run(" + literal(code) + ")\n";
  } else {
    program.input = code;
  }
  return program;
}

CodeProgram typescript(std::string_view code) {
  CodeProgram program;
  program.argv = {"node", "-"};
  const std::string file = "/tmp/dtn_" + random_hex(6) + ".ts";
  program.input = std::string(kTypescriptLoader) + "\nprocess.argv.splice(1, 1, '');\nsebringRun(" + literal(code) +
                  ", " + literal(file) + ");\n";
  return program;
}

}  // namespace

Result<CodeProgram> make_program(std::string_view language, std::string_view code,
                                 const std::vector<std::string>& arguments) {
  CodeProgram program;
  if (language == "python") {
    program = python(code);
  } else if (language == "javascript") {
    program.argv = {"node", "-"};
    program.input = "process.argv.splice(1, 1);\n" + std::string(code);
  } else if (language == "typescript") {
    program = typescript(code);
  } else {
    return fail(Errc::invalid_argument, "unsupported language: " + std::string(language));
  }
  program.argv.insert(program.argv.end(), arguments.begin(), arguments.end());
  return program;
}

bool uses_matplotlib(std::string_view code) {
  for (std::string_view line : split(code, '\n')) {
    // A # within a string ends the line here too; an import is not behind one.
    line = line.substr(0, line.find('#'));
    const bool imports =
        line.find("import") != std::string_view::npos || line.find("sys.modules") != std::string_view::npos;
    if (imports && has_word(line, "matplotlib")) return true;
  }
  return false;
}

std::string take_charts(std::string& output) {
  std::string charts;
  std::string kept;
  std::string_view rest = output;
  for (;;) {
    const std::size_t at = rest.find(kMarker);
    if (at == std::string_view::npos) break;
    kept += rest.substr(0, at);
    rest.remove_prefix(at + kMarker.size());
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto artifact = json::parse_object(line);
    if (!artifact) continue;  // printed by the program itself, not by us
    const auto* type = artifact->if_contains("type");
    const auto* value = artifact->if_contains("value");
    if (!type || !type->is_string() || type->get_string() != "chart" || !value || !value->is_object()) continue;
    charts += charts.empty() ? "{\"charts\":[" : ",";
    charts += text_of_value(line, *artifact);
  }
  if (kept.empty() && rest.size() == output.size()) return {};
  kept += rest;
  output = std::move(kept);
  if (!charts.empty()) charts += "]}";
  return charts;
}

}  // namespace sebring::toolbox
