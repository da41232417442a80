#include "toolbox/interpreter_scripts.h"

namespace sebring::toolbox {

const std::string_view kNodeInterpreter = R"javascript('use strict';
const net = require('net');
const path = require('path');
const vm = require('vm');
const util = require('util');
const Module = require('module');

const channel = new net.Socket({ fd: 3, readable: true, writable: true });
const { parse: fromJson, stringify: toJson } = JSON;  // as user code may replace them
const { from: toBytes } = Buffer;
// Without surrogates that have no partner, which are no text to anybody else.
const printable = (text) => toBytes(String(text)).toString();
const send = (message) => channel.write(toJson(message) + '\n');
const SELF = 'sebring-interpreter';

// Declarations that await stay declared: node's own console knows how, when it lets us ask.
let hoistAwait = (code) => `(async () => {\n${code}\n})()`;
let hoisted = false;
try {
  const { processTopLevelAwait } = require('internal/repl/await');
  hoistAwait = (code) => processTopLevelAwait(code);
  hoisted = true;
} catch {}

const userRequire = Module.createRequire(path.join(process.cwd(), 'interpreter.js'));
globalThis.require = userRequire;
globalThis.module = new Module('interpreter');
globalThis.exports = globalThis.module.exports;

function loadTool(name) {
  const places = [process.cwd(), path.resolve(process.execPath, '../../lib/node_modules'), '/usr/lib/node_modules',
    '/usr/local/lib/node_modules', path.resolve(process.execPath, '../../lib/node_modules/tsx/node_modules')];
  for (const place of places) {
    for (const from of [place, path.join(place, 'node_modules'), path.join(place, 'tsx')]) {
      try { return Module.createRequire(path.join(from, 'x.js'))(name); } catch {}
      try { return require(path.join(from, name)); } catch {}
    }
  }
  return undefined;
}

// That what we use here is experimental is no news of the user's code.
const emitWarning = process.emitWarning;
process.emitWarning = function (warning, type, ...rest) {
  const name = type && typeof type === 'object' ? type.type : type;
  if (name === 'ExperimentalWarning' && /stripTypeScriptTypes|USE_MAIN_CONTEXT_DEFAULT_LOADER/.test(String(warning))) return;
  return emitWarning.call(process, warning, type, ...rest);
};

function stripTypes(code) {
  if (Module.stripTypeScriptTypes) {
    try {
      return Module.stripTypeScriptTypes(code, { mode: 'strip' });
    } catch (error) {
      if (error.code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') throw error;
      return Module.stripTypeScriptTypes(code, { mode: 'transform' });
    }
  }
  const ts = loadTool('typescript');
  if (ts) {
    const result = ts.transpileModule(code, { reportDiagnostics: true, compilerOptions: {
      target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true, isolatedModules: true } });
    const wrong = (result.diagnostics || []).find((d) => d.category === ts.DiagnosticCategory.Error && d.code < 2000);
    if (wrong) throw new SyntaxError(ts.flattenDiagnosticMessageText(wrong.messageText, '\n'));
    return result.outputText.replace(/^export \{\};?$/m, '');
  }
  const esbuild = loadTool('esbuild');
  if (esbuild) {
    try {
      return esbuild.transformSync(code, { loader: 'ts', target: 'es2022', logLevel: 'silent',
        tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } } }).code;
    } catch (error) {
      throw new SyntaxError(error.errors ? error.errors.map((one) => one.text).join('; ') : String(error));
    }
  }
  throw new Error('TypeScript needs Node.js 22.13 or newer, or the package typescript or esbuild');
}

// Static imports exist in modules only; a console takes them as `await import`. Exports have nobody to go to.
function asConsoleCode(code) {
  const names = (list) => list.replace(/\s+as\s+/g, ': ');
  return code
    .replace(/^([ \t]*)import\s+([A-Za-z_$][\w$]*)\s*,\s*(\{[^}]*\})\s*from\s*(['"][^'"\n]+['"]);?/gm,
      (_, space, first, list, from) => `${space}const { default: ${first}, ${names(list).slice(1)} = await import(${from});`)
    .replace(/^([ \t]*)import\s+\*\s*as\s+([A-Za-z_$][\w$]*)\s+from\s*(['"][^'"\n]+['"]);?/gm,
      (_, space, name, from) => `${space}const ${name} = await import(${from});`)
    .replace(/^([ \t]*)import\s+(\{[^}]*\})\s*from\s*(['"][^'"\n]+['"]);?/gm,
      (_, space, list, from) => `${space}const ${names(list)} = await import(${from});`)
    .replace(/^([ \t]*)import\s+([A-Za-z_$][\w$]*)\s+from\s*(['"][^'"\n]+['"]);?/gm,
      (_, space, name, from) => `${space}const { default: ${name} } = await import(${from});`)
    .replace(/^([ \t]*)import\s*(['"][^'"\n]+['"]);?/gm, (_, space, from) => `${space}await import(${from});`)
    .replace(/^export\s+default\s+/gm, '')
    .replace(/^export\s+(?=(async|function|class|const|let|var)\b)/gm, '');
}

const importModuleDynamically = vm.constants && vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER ||
  ((specifier) => load(/^\.{0,2}\//.test(specifier) ? path.resolve(specifier) : specifier));

function compile(code, filename) {
  const options = { filename, importModuleDynamically };
  let failed;
  try {
    return { script: new vm.Script(code, options), awaits: false };
  } catch (error) {
    failed = error;
  }
  if (!/\bawait\b/.test(code)) throw failed;
  let wrapped;
  try {
    wrapped = hoistAwait(code);
  } catch {
    throw failed;
  }
  if (!wrapped) throw failed;
  return { script: new vm.Script(wrapped, options), awaits: true };
}

let current;  // the present run: { run, interrupt }
let number = 0;

const wasInterrupted = (error) => error && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';

async function execute(code, language) {
  if (language === 'typescript') code = stripTypes(code);
  const { script, awaits } = compile(asConsoleCode(code), `<${language}-input-${number++}>`);
  const result = script.runInThisContext({ breakOnSigint: true, displayErrors: false });
  if (!awaits) return;
  const interrupted = new Promise((_, reject) => {
    current.interrupt = () => reject(Object.assign(new Error('interrupted'), { code: 'ERR_SCRIPT_EXECUTION_INTERRUPTED' }));
  });
  await Promise.race([result, interrupted]);
}

function describe(error) {
  if (!(error instanceof Error) && !util.types.isNativeError(error)) {
    const value = util.inspect(error);
    return { type: 'error', name: 'Error', value: printable(value), traceback: printable(`${value}\n`) };
  }
  const lines = String(error.stack || error).split('\n');
  const ours = lines.findIndex((line) => /^ {4}at /.test(line) && (line.includes(SELF) || line.includes('node:vm')));
  const stack = (ours < 0 ? lines : lines.slice(0, ours)).join('\n');
  return { type: 'error', name: printable(error.name || 'Error'), value: printable(error.message), traceback: printable(`${stack}\n`) };
}

const immediately = setImmediate;
const flushed = (stream) => new Promise((resolve) => stream.write('', resolve));

async function serve(request) {
  current = { run: request.run };
  const before = {};
  for (const [name, value] of Object.entries(request.envs || {})) {
    before[name] = process.env[name];
    process.env[name] = value;
  }
  let text = 'completed';
  let failure;
  try {
    await execute(request.code, request.language);
  } catch (error) {
    if (wasInterrupted(error)) text = 'interrupted';
    else failure = describe(error);
  }
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  // Rejections that nobody handles are told after the run's own turn.
  await new Promise((resolve) => immediately(resolve));
  await flushed(process.stdout);
  await flushed(process.stderr);
  if (failure) send({ run: request.run, ...failure });
  send({ run: request.run, type: 'control', text });
  current = undefined;
}

process.on('SIGINT', () => { if (current && current.interrupt) current.interrupt(); });
// What a callback throws after its run has nobody to catch it; the variables are worth more than the usual end.
process.on('uncaughtException', (error) => process.stderr.write(`Uncaught ${describe(error).traceback}`));
process.on('unhandledRejection', (error) => process.stderr.write(`Uncaught (in promise) ${describe(error).traceback}`));

const realExit = process.exit.bind(process);
channel.on('end', () => realExit(0));
channel.on('error', () => realExit(1));
let waiting = '';
let last = Promise.resolve();
const decoder = new (require('string_decoder').StringDecoder)('utf8');
channel.on('data', (piece) => {
  waiting += decoder.write(piece);
  let end;
  while ((end = waiting.indexOf('\n')) >= 0) {
    const request = fromJson(waiting.slice(0, end));
    waiting = waiting.slice(end + 1);
    last = last.then(() => serve(request));
  }
});
send({ type: 'ready' });
)javascript";

}  // namespace sebring::toolbox
