// What clients of an earlier TypeScript SDK do, and a product that has such a client inside.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import test from "node:test";

const require = createRequire(process.cwd() + "/");
const { Daytona } = require("@daytonaio/sdk");
const config = { apiUrl: process.env.SEBRING_URL + "/api", apiKey: process.env.SEBRING_KEY };

test("an earlier SDK", async () => {
  const daytona = new Daytona(config);
  const sandbox = await daytona.create({ language: "typescript", envVars: { A: "b" }, labels: { earlier: "ts" } });
  try {
    assert.equal(sandbox.state, "started");
    assert.equal((await sandbox.process.codeRun("const a: number = 42; console.log(a)")).result, "42\n");
    const ran = await sandbox.process.executeCommand("echo $A $B; exit 3", "/tmp", { B: "c" }, 20);
    assert.deepEqual([ran.exitCode, ran.result], [3, "b c\n"]);
    await sandbox.fs.uploadFile(Buffer.from("x"), "/tmp/q");
    assert.equal((await sandbox.fs.downloadFile("/tmp/q")).toString(), "x");
    await sandbox.process.createSession("s");
    const command = await sandbox.process.executeSessionCommand("s", { command: "echo a; sleep 0.2; echo b >&2", runAsync: true });
    const seen = { out: "", err: "" };
    await sandbox.process.getSessionCommandLogs("s", command.cmdId, (text) => (seen.out += text), (text) => (seen.err += text));
    assert.deepEqual(seen, { out: "a\n", err: "b\n" });
    const terminal = await sandbox.process.createPty({ id: "p", onData: () => {} });
    await terminal.waitForConnection();
    await terminal.sendInput("exit 7\n");
    assert.equal((await terminal.wait()).exitCode, 7);
    assert.ok((await daytona.list()).total >= 1);
    assert.deepEqual((await daytona.list({ earlier: "ts" })).items.map((one) => one.id), [sandbox.id]);
    await sandbox.stop();
    await sandbox.start();
    assert.equal((await sandbox.fs.downloadFile("/tmp/q")).toString(), "x");
  } finally {
    await daytona.delete(sandbox);
  }
  await assert.rejects(daytona.get("nope"), /not found/);
});

test("ComputeSDK", async () => {
  process.env.DAYTONA_API_URL = config.apiUrl;
  const { daytona } = await import(pathToFileURL(require.resolve("@computesdk/daytona")));
  const provider = daytona({ apiKey: config.apiKey });
  const sandbox = await provider.sandbox.create({});
  try {
    const ran = await sandbox.runCommand("echo hi; exit 3");
    assert.deepEqual([ran.stdout, ran.exitCode], ["hi\n", 3]);
    await sandbox.filesystem.writeFile("/tmp/a.txt", "hello");
    assert.equal(await sandbox.filesystem.readFile("/tmp/a.txt"), "hello");
    assert.equal((await sandbox.getInfo()).status, "running");
    assert.match(await sandbox.getUrl({ port: 3000 }), /3000-/);
  } finally {
    await sandbox.destroy();
  }
});
