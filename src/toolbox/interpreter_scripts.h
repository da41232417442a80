#pragma once
// The programs that run inside an interpreter's process.
//
// Started with descriptor 0 a stream socket to us; the script itself is the first thing in it, and what a short
// bootstrap on the command line reads and runs. Then each side sends JSON objects, one a line:
//   to it    {"run": N, "code": "...", "language": "...", "envs": {...}}
//   from it  {"type": "ready"}
//            {"run": N, "type": "stdout" | "stderr", "text": "..."}
//            {"run": N, "type": "error", "name": "...", "value": "...", "traceback": "..."}
//            {"run": N, "type": "control", "text": "completed" | "interrupted"}    the last of a run
// SIGINT interrupts a run. What is written to descriptors 1 and 2, as child processes do, goes past the socket.
#include <string>
#include <string_view>
#include <vector>

namespace sebring::toolbox {

struct InterpreterProgram {
  std::vector<std::string> argv;
  std::string_view script;
  std::string_view needs;  // for people: what must be installed
};

// `language`: python, javascript or typescript.
InterpreterProgram interpreter_program(std::string_view language);

extern const std::string_view kPythonInterpreter;
extern const std::string_view kNodeInterpreter;

}  // namespace sebring::toolbox
