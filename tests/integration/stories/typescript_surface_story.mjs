// Every public method of the official TypeScript SDK: it does what it says, or is refused with a 501 that says so. What a
// newer SDK adds can not be overlooked: its declarations are read, and a method that no story here calls is a failure.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";

const require = createRequire(process.cwd() + "/");
const { Daytona, DaytonaError, DaytonaNotFoundError } = require("@daytona/sdk");
const called = new Set();

// Notes what this file calls, not what the SDK calls itself in turn.
function watch(target) {
  return new Proxy(target, {
    get(object, name) {
      const value = object[name];
      if (typeof value !== "function") return value && PARTS.has(name) ? watch(value) : value;
      return (...args) => {
        called.add(`${object.constructor.name.replace(/^_/, "")}.${String(name)}`);
        return value.apply(object, args);
      };
    },
  });
}
const PARTS = new Set(["fs", "git", "process", "codeInterpreter", "computerUse", "snapshot", "volume", "secret", "warmPool", "mouse", "display"]);

// Class.method of all that is declared public.
function declared() {
  const folder = path.dirname(require.resolve("@daytona/sdk"));
  const found = new Set();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(path.join(folder, file), "utf8").replace(/\/\*\*[^]*?\*\//g, "");
    for (const [, title, body] of text.matchAll(/export declare class (\w+)[^{]*\{([^]*?)\n\}/g)) {
      for (const [, name] of body.matchAll(/^ {4}(?:async )?(\w+)\(/gm)) if (name !== "constructor") found.add(`${title}.${name}`);
    }
  }
  return found;
}
// What does not talk to the server, and the desktop, which is refused as a whole and sampled below.
const ELSEWHERE = /^(Image|ObjectStorage|Mouse|Keyboard|Screenshot|Display|RecordingService|Accessibility|ComputerUse)\./;

const daytona = watch(new Daytona({ apiUrl: process.env.SEBRING_URL + "/api", apiKey: process.env.SEBRING_KEY }));
const made = [];
const create = async (params) => {
  const sandbox = watch(await daytona.create(params));
  made.push(sandbox);
  return sandbox;
};
let box;
test.before(async () => (box = await create({ envVars: { DECLARED: "yes" } })));
test.after(async () => {
  for (const sandbox of made) await sandbox.delete().catch((error) => assert.ok(error instanceof DaytonaNotFoundError, error));
});

const refused = (call) =>
  assert.rejects(call, (error) => {
    assert.ok(error instanceof DaytonaError, error);
    assert.match(error.message, /not available in this version/);
    assert.equal(error.statusCode, 501, error.message);
    return true;
  });

test("life", async () => {
  assert.equal((await daytona.get(box.id)).id, box.id);
  const listed = [];
  for await (const one of daytona.list()) listed.push(one.id);
  assert.ok(listed.includes(box.id));
  await daytona.stop(await daytona.get(box.id));
  await daytona.start(await daytona.get(box.id));
  await box.refreshData();
  await box.stop(60, true);
  await box.waitUntilStopped();
  await box.start();
  await box.waitUntilStarted();
  await box.pause();
  await box.start();
  await box.refreshActivity();
  await box.resize({ cpu: 2, memory: 2 });
  await box.waitForResizeComplete();
  await assert.rejects(box.recover()); // it is well
  const forks = [() => box._experimental_fork({ name: `child-${Date.now()}` }), () => daytona._experimental_fork(box)];
  if (declared().has("Sandbox.fork")) forks.push(() => box.fork(), () => daytona.fork(box));
  for (const fork of forks) await daytona.delete(await fork());
  const other = await create();
  await other.stop();
  await other.archive();
  assert.match(other.state, /^archiv/);
});

test("settings", async () => {
  assert.deepEqual([await box.getUserHomeDir(), await box.getUserRootDir(), await box.getWorkDir()], Array(3).fill("/home/daytona"));
  assert.equal((await box.setLabels({ team: "platform" })).team, "platform");
  await box.setAutostopInterval(60);
  await box.setAutoArchiveInterval(60);
  await box.setAutoDeleteInterval(-1);
  await box.refreshData();
  assert.deepEqual([box.autoStopInterval, box.autoArchiveInterval, box.autoDeleteInterval], [60, 60, -1]);
  await box.updateNetworkSettings({ networkBlockAll: true });
  await box.refreshData();
  assert.equal(box.networkBlockAll, true);
  await box.updateNetworkSettings({ networkBlockAll: false });
  if (!declared().has("Sandbox.setTtl")) return;
  await box.setAutostopInterval(0);
  await box.setAutoPauseInterval(30);
  await box.setAutoPauseInterval(0);
  await box.setTtl(60);
  await box.refreshData();
  assert.ok(box.autoDestroyAt);
  await box.setTtl(0);
  await box.updateEnv({ ADDED: "a b" }, { unset: ["DECLARED"] });
  assert.equal((await box.process.executeCommand("echo $ADDED$DECLARED")).result, "a b\n");
  assert.ok((await box.getMetricsLatest()).memTotal > 1 << 20);
});

test("reach", async () => {
  const link = await box.getPreviewLink(3000);
  assert.ok(link.url.includes(`3000-${box.id}`) && link.token.length === 32);
  const signed = await box.getSignedPreviewUrl(3000, 120);
  assert.ok(signed.url.includes(`3000-${signed.token}`));
  await box.expireSignedPreviewUrl(3000, signed.token);
  const access = await box.createSshAccess(10);
  assert.deepEqual(Object.entries(await box.validateSshAccess(access.token)).sort().slice(-2), [["sandboxId", box.id], ["valid", true]]);
  await box.revokeSshAccess(access.token);
  assert.equal((await box.validateSshAccess(access.token)).valid, false);
  if (!declared().has("Sandbox.downloadUrl")) return;
  assert.match(await box.downloadUrl("/tmp/x"), /signature=/);
  assert.match(await box.uploadUrl("/tmp/x"), /signature=/);
  await box.rotateSigningKey();
});

test("files", async () => {
  const { fs } = box;
  await fs.createFolder("dir", "755");
  await fs.uploadFile(Buffer.from("hello world\n"), "dir/a.txt");
  await fs.uploadFiles([{ source: Buffer.from("1"), destination: "dir/b" }, { source: Buffer.from("2"), destination: "dir/c" }]);
  await fs.uploadFileStream(Buffer.from("streamed"), "dir/d");
  const pieces = [];
  for await (const piece of await fs.downloadFileStream("dir/d")) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), "streamed");
  assert.equal((await fs.downloadFile("dir/a.txt")).toString(), "hello world\n");
  const got = await fs.downloadFiles([{ source: "dir/b" }, { source: "dir/none" }]);
  assert.deepEqual(got.map((one) => [one.result?.toString(), !!one.error]), [["1", false], [undefined, true]]);
  assert.equal((await fs.getFileDetails("dir/a.txt")).size, 12);
  assert.equal((await fs.listFiles("dir")).length, 4);
  assert.equal((await fs.findFiles("dir", "world"))[0].line, 1);
  assert.equal((await fs.searchFiles("dir", "*.txt")).files.length, 1);
  assert.ok((await fs.replaceInFiles(["dir/a.txt"], "world", "there"))[0].success);
  await fs.setFilePermissions("dir/a.txt", { mode: "600", owner: "daytona", group: "daytona" });
  await fs.moveFiles("dir/a.txt", "dir/z.txt");
  await fs.deleteFile("dir", true);
});

test("processes", async () => {
  const { process } = box;
  assert.equal((await process.codeRun("print(6 * 7)")).result, "42\n");
  assert.equal((await process.executeCommand("exit 3")).exitCode, 3);
  await process.createSession("s");
  assert.equal((await process.getSession("s")).sessionId, "s");
  assert.ok((await process.listSessions()).some((one) => one.sessionId === "s"));
  const { cmdId } = await process.executeSessionCommand("s", { command: "read x; echo got $x; echo bad >&2", runAsync: true });
  await process.sendSessionCommandInput("s", cmdId, "it");
  let out = "";
  await process.getSessionCommandLogs("s", cmdId, (piece) => (out += piece), () => {});
  assert.match(out, /got it\n$/);
  assert.equal((await process.getSessionCommandLogs("s", cmdId)).stderr, "bad\n");
  assert.equal((await process.getSessionCommand("s", cmdId)).exitCode, 0);
  await process.deleteSession("s");
  assert.deepEqual((await process.getEntrypointSession()).commands.map((one) => one.command), ["sleep infinity"]);
  assert.equal((await process.getEntrypointLogs()).stdout, "");
});

test("terminals", async () => {
  const { process } = box;
  const first = watch(await process.createPty({ id: "t", cols: 100, rows: 30, onData: () => {} }));
  await first.waitForConnection();
  assert.equal(first.isConnected(), true);
  assert.equal((await process.getPtySessionInfo("t")).cols, 100);
  assert.deepEqual((await process.listPtySessions()).map((one) => one.id), ["t"]);
  assert.equal((await process.resizePtySession("t", 120, 40)).cols, 120);
  assert.equal((await first.resize(90, 30)).cols, 90);
  await first.sendInput("exit 3\n");
  assert.equal((await first.wait()).exitCode, 3);
  const second = watch(await process.createPty({ id: "u", onData: () => {} }));
  const third = watch(await process.connectPty("u", { onData: () => {} }));
  await third.waitForConnection();
  await process.killPtySession("u");
  assert.equal((await second.wait()).exitCode, 137);
  const fourth = watch(await process.createPty({ id: "v", onData: () => {} }));
  await fourth.waitForConnection();
  await fourth.kill();
  for (const handle of [first, second, third, fourth]) await handle.disconnect();
});

test("interpreters", async () => {
  const { codeInterpreter } = box;
  const context = await codeInterpreter.createContext("/tmp");
  assert.equal((await codeInterpreter.runCode("import os; print(os.getcwd())", { context })).stdout, "/tmp\n");
  assert.ok((await codeInterpreter.listContexts()).some((one) => one.id === context.id));
  await codeInterpreter.deleteContext(context);
});

test("git", async () => {
  const { git, fs } = box;
  const run = async (command) => (await box.process.executeCommand(command)).result;
  await run("git init -q --bare -b main /tmp/served.git && git clone -q /tmp/served.git seed && cd seed && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first && git push -q origin HEAD:main");
  await run("git daemon --base-path=/tmp --export-all --enable=receive-pack --detach --listen=127.0.0.1 --port=9418");
  const url = "git://127.0.0.1/served.git";
  await git.clone(url, "r");
  await git.createBranch("r", "feature");
  await git.checkoutBranch("r", "feature");
  await fs.uploadFile(Buffer.from("x"), "r/f");
  await git.add("r", ["f"]);
  await git.commit("r", "work", "Ada", "ada@example.com");
  await git.push("r");
  await git.pull("r");
  assert.equal((await git.status("r")).currentBranch, "feature");
  await git.checkoutBranch("r", "main");
  await git.deleteBranch("r", "feature");
  assert.deepEqual((await git.branches("r")).branches, ["main"]);
  if (!declared().has("Git.init")) return;
  await git.init("n", false, "trunk");
  await git.remoteAdd("n", "origin", url, true);
  assert.deepEqual((await git.remotes("n")).remotes.map((one) => one.name), ["origin"]);
  assert.equal(await git.remoteGet("n", "origin"), url);
  await git.setConfig("core.editor", "true", "local", "n");
  assert.equal(await git.getConfig("core.editor", "local", "n"), "true");
  await git.configureUser("Ada", "ada@example.com", "local", "n");
  await git.reset("r", "hard", "HEAD");
  await fs.uploadFile(Buffer.from("x"), "r/g");
  await git.add("r", ["g"]);
  await git.restore("r", ["g"], true, false);
  await git.dangerouslyAuthenticate("ada", "secret", "example.com");
  await git.push("r", undefined, undefined, "main", "origin", true);
  await git.clone(url, "shallow", undefined, undefined, undefined, undefined, undefined, 1);
  assert.equal(await run("git -C shallow rev-parse --is-shallow-repository"), "true\n");
});

test("languages", async () => {
  await box.fs.uploadFile(Buffer.from("class Greeter:\n    def greet(self):\n        return 'hi'\n\nGreeter().gr\n"), "p/main.py");
  const server = watch(await box.createLspServer("python", "/home/daytona/p"));
  const file = "/home/daytona/p/main.py";
  await server.start();
  await server.didOpen(file);
  assert.ok((await server.documentSymbols(file)).some((one) => one.name === "greet"));
  await server.sandboxSymbols("greet");
  await server.workspaceSymbols("greet");
  assert.ok((await server.completions(file, { line: 4, character: 12 })).items.length);
  await server.didClose(file);
  await server.stop();
});

test("snapshots", async () => {
  const name = `snap-${Date.now()}-${process.pid}`;
  await box._experimental_createSnapshot(name);
  if (declared().has("Sandbox.createSnapshot")) {
    await box.createSnapshot(name + "-b");
    await daytona.snapshot.delete(await daytona.snapshot.get(name + "-b"));
  }
  const snapshot = await daytona.snapshot.get(name);
  assert.ok((await daytona.snapshot.list(1, 100)).items.some((one) => one.name === name));
  await assert.rejects(daytona.snapshot.activate(snapshot), DaytonaError); // it is active
  await daytona.snapshot.delete(snapshot);
  await assert.rejects(daytona.snapshot.get(name), DaytonaNotFoundError);
});

test("not yet", async () => {
  await refused(() => daytona.create({ image: "debian:12.9" }));
  await refused(() => daytona.snapshot.create({ name: "n", image: "debian:12.9" }));
  const { volume, secret, warmPool } = daytona;
  const desk = box.computerUse;
  const calls = [
    () => volume.list(), () => volume.get("v"), () => volume.create("v"), () => volume.delete({ id: "00000000-0000-4000-8000-000000000000" }),
    () => desk.start(), () => desk.stop(), () => desk.getStatus(), () => desk.mouse.getPosition(), () => desk.display.getInfo(),
  ];
  if (secret) {
    calls.push(() => secret.list(), () => secret.get("s"), () => secret.create({ name: "S", value: "v" }), () => secret.update("s", { value: "v" }), () => secret.delete("s"));
    calls.push(() => warmPool.list(), () => warmPool.create({ snapshot: "daytona-small", pool: 1 }), () => warmPool.update("w", { pool: 1 }), () => warmPool.delete("w"));
    calls.push(() => box.updateSecrets({ A: "b" }), () => box.getMetrics());
  }
  for (const call of calls) await refused(call);
});

test("nothing is left out", async () => {
  for (const sandbox of made) await sandbox.delete();
  assert.deepEqual([...declared()].filter((name) => !called.has(name) && !ELSEWHERE.test(name)), []);
});
