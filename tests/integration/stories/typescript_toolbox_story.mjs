// Everything inside a sandbox with the official TypeScript SDK, oldest and newest: sessions, terminals, interpreters, git,
// language servers, signed addresses.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

const require = createRequire(process.cwd() + "/");
const { Daytona } = require("@daytona/sdk");
const daytona = new Daytona({ apiUrl: process.env.SEBRING_URL + "/api", apiKey: process.env.SEBRING_KEY });

let sandbox;
test.before(async () => (sandbox = await daytona.create({ envVars: { DECLARED: "yes" } })));
test.after(() => sandbox.delete());

async function eventually(check) {
  for (let i = 0; i < 600; i++) {
    const found = await check();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail("did not come true in time");
}

test("sessions: follow, input, end", async () => {
  await sandbox.process.createSession("talk");
  const { cmdId } = await sandbox.process.executeSessionCommand("talk", {
    command: "echo begin; echo warned >&2; read line; echo got $line; (exit 5)",
    runAsync: true,
    suppressInputEcho: true,
  });
  let out = "", err = "";
  const followed = sandbox.process.getSessionCommandLogs("talk", cmdId, (piece) => (out += piece), (piece) => (err += piece));
  await eventually(() => out.includes("begin"));
  await sandbox.process.sendSessionCommandInput("talk", cmdId, "answer");
  await followed;
  assert.deepEqual([out, err], ["begin\ngot answer\n", "warned\n"]);
  assert.equal((await sandbox.process.getSessionCommand("talk", cmdId)).exitCode, 5);
  assert.ok((await sandbox.process.listSessions()).some((session) => session.sessionId === "talk"));
  await sandbox.process.deleteSession("talk");
  await assert.rejects(sandbox.process.getSession("talk"));
});

test("terminals", async () => {
  let seen = "";
  const decoder = new TextDecoder();
  const options = { id: "t", cwd: "/tmp", envs: { A: "b c" }, cols: 100, rows: 30 };
  const terminal = await sandbox.process.createPty({ ...options, onData: (data) => void (seen += decoder.decode(data, { stream: true })) });
  await terminal.waitForConnection();
  assert.equal((await terminal.resize(120, 40)).cols, 120);
  await terminal.sendInput('echo "<$A>" $PWD $(stty size)\n');
  await eventually(() => seen.includes("<b c> /tmp 40 120"));
  assert.ok((await sandbox.process.listPtySessions()).some((info) => info.id === "t"));
  let shared = "";
  const second = await sandbox.process.connectPty("t", { onData: (data) => void (shared += Buffer.from(data)) });
  await second.waitForConnection();
  await terminal.sendInput("vim -u NONE written\n");
  await eventually(() => seen.includes("\x1b[?1049h") && shared.includes("\x1b[?1049h"));
  await terminal.sendInput("ihello from vim\x1b:wq\r");
  await eventually(() => seen.includes("\x1b[?1049l"));
  await terminal.sendInput("exit 3\n");
  assert.equal((await terminal.wait()).exitCode, 3);
  await second.disconnect();
  assert.equal((await sandbox.fs.downloadFile("/tmp/written")).toString(), "hello from vim\n");
});

test("interpreters", async () => {
  const run = (code, options) => sandbox.codeInterpreter.runCode(code, options);
  let piece = "";
  await run("x = 41; print('out')", { onStdout: (message) => (piece += message.output) });
  assert.equal(piece, "out\n");
  assert.equal((await run("import os; print(x + 1, os.environ['E'])", { envs: { E: "once" } })).stdout, "42 once\n");
  const failed = await run("1/0");
  assert.equal(failed.error.name, "ZeroDivisionError");
  const context = await sandbox.codeInterpreter.createContext("/tmp");
  assert.equal((await run("import os; print(os.getcwd(), 'x' in globals())", { context })).stdout, "/tmp False\n");
  assert.ok((await sandbox.codeInterpreter.listContexts()).some((one) => one.id === context.id));
  await assert.rejects(run("while True: pass", { context, timeout: 1 }), /time/i);
  await sandbox.codeInterpreter.deleteContext(context);
});

test("git", async () => {
  const { git, fs } = sandbox;
  const made = await sandbox.process.executeCommand("git init -q --bare -b main /tmp/served.git && git daemon --base-path=/tmp --export-all --enable=receive-pack --detach --listen=127.0.0.1 --port=9418");
  assert.equal(made.exitCode, 0, made.result);
  await sandbox.process.executeCommand("git clone -q git://127.0.0.1/served.git seed && cd seed && git config user.email a@b && git config user.name a && git commit -q --allow-empty -m first && git push -q origin HEAD:main");
  await git.clone("git://127.0.0.1/served.git", "r");
  await fs.uploadFile(Buffer.from("new\n"), "r/new.txt");
  const status = await git.status("r");
  assert.deepEqual([status.currentBranch, status.fileStatus.map((file) => file.name)], ["main", ["new.txt"]]);
  await git.createBranch("r", "feature");
  await git.checkoutBranch("r", "feature");
  await git.add("r", ["new.txt"]);
  assert.match((await git.commit("r", "work", "Ada", "ada@example.com")).sha, /^[0-9a-f]{40}$/);
  await git.push("r");
  await git.clone("git://127.0.0.1/served.git", "again", "feature");
  assert.equal((await fs.downloadFile("again/new.txt")).toString(), "new\n");
  await git.pull("r");
  await git.checkoutBranch("r", "main");
  await git.deleteBranch("r", "feature");
  assert.deepEqual((await git.branches("r")).branches, ["main"]);
  await assert.rejects(git.status("/tmp"));
});

test("language servers", async () => {
  await sandbox.fs.uploadFile(Buffer.from("export class Shouter {\n  shout() { return 'HI' }\n}\nnew Shouter().sh\n"), "t/index.ts");
  await sandbox.fs.uploadFile(Buffer.from("{}"), "t/tsconfig.json");
  const server = await sandbox.createLspServer("typescript", "/home/daytona/t");
  await server.start();
  await server.didOpen("/home/daytona/t/index.ts");
  const items = await eventually(async () => (await server.completions("/home/daytona/t/index.ts", { line: 3, character: 16 })).items);
  assert.ok(items.some((item) => item.label === "shout"), JSON.stringify(items.slice(0, 5)));
  assert.ok((await server.documentSymbols("/home/daytona/t/index.ts")).some((symbol) => symbol.name === "Shouter"));
  assert.ok((await server.sandboxSymbols("Shout")).some((symbol) => symbol.name === "Shouter"));
  await server.didClose("/home/daytona/t/index.ts");
  await server.stop();
});

test("signed addresses", async (context) => {
  if (!sandbox.downloadUrl) return context.skip("SKIP: this version has no downloadUrl()");
  const body = new FormData();
  body.append("file", new Blob(["hello"]), "file");
  assert.equal((await fetch(await sandbox.uploadUrl("/tmp/by address", 600), { method: "POST", body })).status, 200);
  const source = await sandbox.downloadUrl("/tmp/by address", 600);
  assert.equal(await (await fetch(source)).text(), "hello");
  assert.equal((await fetch(source, { method: "POST", body: "x" })).ok, false);
  await sandbox.rotateSigningKey();
  assert.equal((await fetch(source)).status, 401);
  assert.equal(await (await fetch(await sandbox.downloadUrl("/tmp/by address"))).text(), "hello");
});
