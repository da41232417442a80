// The same day with the official TypeScript SDK. SEBRING_URL, SEBRING_KEY; the SDK is resolved from the working directory.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

const require = createRequire(process.cwd() + "/");
const { Daytona, DaytonaNotFoundError } = require("@daytona/sdk");
const config = { apiUrl: process.env.SEBRING_URL + "/api", apiKey: process.env.SEBRING_KEY };
const daytona = new Daytona(config);

test("create, run, files, delete", async () => {
  const sandbox = await daytona.create({ labels: { story: "ts" }, envVars: { GREETING: "hello" } });
  try {
    assert.equal(sandbox.state, "started");
    const ran = await sandbox.process.codeRun("print(sum(range(10)))");
    assert.deepEqual([ran.exitCode, ran.result], [0, "45\n"]);
    const exec = await sandbox.process.executeCommand("echo $GREETING; pwd; exit 7", "/tmp", { X: "y" });
    assert.deepEqual([exec.exitCode, exec.result], [7, "hello\n/tmp\n"]);
    await assert.rejects(sandbox.process.executeCommand("sleep 30", undefined, undefined, 1));
    await sandbox.fs.createFolder("dir", "755");
    await sandbox.fs.uploadFile(Buffer.from("hello world\n"), "dir/a.txt");
    assert.equal((await sandbox.fs.downloadFile("dir/a.txt")).toString(), "hello world\n");
    await sandbox.fs.uploadFiles([{ source: Buffer.alloc(3_000_000, 7), destination: "dir/b.bin" }]);
    const [b] = await sandbox.fs.downloadFiles([{ source: "dir/b.bin" }]);
    assert.equal(b.result.length, 3_000_000);
    assert.deepEqual((await sandbox.fs.listFiles("dir")).map((f) => f.name).sort(), ["a.txt", "b.bin"]);
    assert.equal((await sandbox.fs.getFileDetails("dir/a.txt")).size, 12);
    assert.equal((await sandbox.fs.findFiles("dir", "world"))[0].line, 1);
    await assert.rejects(sandbox.fs.downloadFile("dir/none"));
    await sandbox.process.createSession("s");
    const command = await sandbox.process.executeSessionCommand("s", { command: "echo out; echo err >&2" });
    assert.deepEqual([command.exitCode, command.stdout, command.stderr], [0, "out\n", "err\n"]);
    await sandbox.process.deleteSession("s");
    assert.equal(await sandbox.getUserHomeDir(), "/home/daytona");
    const listed = [];
    for await (const item of daytona.list({ labels: { story: "ts" } })) listed.push(item.id);
    assert.ok(listed.includes(sandbox.id));
    await sandbox.setLabels({ story: "ts", more: "x" });
    await sandbox.stop();
    await sandbox.start();
    assert.equal((await sandbox.fs.downloadFile("dir/a.txt")).toString(), "hello world\n");
  } finally {
    await sandbox.delete();
  }
  await assert.rejects(daytona.get(sandbox.id), (error) => error instanceof DaytonaNotFoundError);
});

test("javascript and typescript", async () => {
  for (const [language, code] of [
    ["javascript", "console.log([1,2].map(x => x * 2).join())"],
    ["typescript", "const x: number[] = [1, 2]; console.log(x.map(v => v * 2).join())"],
  ]) {
    const sandbox = await daytona.create({ language });
    try {
      const ran = await sandbox.process.codeRun(code);
      assert.deepEqual([ran.exitCode, ran.result.trim()], [0, "2,4"]);
    } finally {
      await sandbox.delete();
    }
  }
});

test("errors", async () => {
  await assert.rejects(daytona.get("nobody"), (error) => error instanceof DaytonaNotFoundError);
  await assert.rejects(daytona.create({ snapshot: "nosuch" }), /nosuch not found/);
  const stranger = new Daytona({ ...config, apiKey: "dtn_" + "0".repeat(64) });
  await assert.rejects(stranger.get("x"), /[Ii]nvalid credentials/);
});
