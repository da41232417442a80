#include "toolbox/interpreter_scripts.h"

#include "base/result.h"

namespace sebring::toolbox {
namespace {

// `exec` replaces what Python knows as __main__ soon anyway. One read has it all: it was sent before the start.
constexpr const char* kPythonBootstrap = "import os\nexec(compile(os.read(0, 1 << 20), 'sebring-interpreter', 'exec'))";

// Node can not move descriptors; the shell puts the socket where child processes of the user do not get it. Before
// Node 20.12 only the bootstrap itself may import, and scripts only with the flag.
constexpr const char* kNodeShell =
    "exec node --expose-internals --experimental-vm-modules -e \"$0\" sebring-interpreter 3<&0 </dev/null";
constexpr const char* kNodeBootstrap =
    "{const b = Buffer.alloc(1 << 20); const n = require('fs').readSync(3, b);"
    "require('vm').runInThisContext('(function (require, load) {' + b.toString('utf8', 0, n) + '\\n})',"
    "{filename: 'sebring-interpreter'})(require, (name) => import(name))}";

}  // namespace

InterpreterProgram interpreter_program(std::string_view language) {
  if (language == "python") {
    return {.argv = {"python3", "-c", kPythonBootstrap}, .script = kPythonInterpreter, .needs = "python3"};
  }
  SB_ASSERT(language == "javascript" || language == "typescript");
  return {.argv = {"sh", "-c", kNodeShell, kNodeBootstrap}, .script = kNodeInterpreter, .needs = "node"};
}

}  // namespace sebring::toolbox
