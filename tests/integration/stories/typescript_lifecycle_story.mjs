// The life of a sandbox with the official TypeScript SDK, oldest and newest: pause, archive, resize, fork, snapshot,
// and with the newest one states that come as events.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

const require = createRequire(process.cwd() + "/");
const { Daytona, DaytonaNotFoundError } = require("@daytona/sdk");
const url = process.env.SEBRING_URL + "/api";
const daytona = new Daytona({ apiUrl: url, apiKey: process.env.SEBRING_KEY });

const behindItsBack = async (method, path) => {
  const answer = await fetch(url + path, { method, headers: { Authorization: `Bearer ${process.env.SEBRING_KEY}` } });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
};

async function withSandbox(params, work) {
  const sandbox = await daytona.create(params);
  try {
    await work(sandbox);
  } finally {
    await daytona.get(sandbox.id).then((found) => found.delete(), (error) => assert.ok(error instanceof DaytonaNotFoundError));
  }
}

test("pause, resize, archive", () =>
  withSandbox({ snapshot: "daytona-small" }, async (sandbox) => {
    await sandbox.fs.uploadFile(Buffer.from("kept"), "file.txt");
    await sandbox.pause();
    assert.equal(sandbox.state, "paused");
    await assert.rejects(sandbox.process.executeCommand("true"));
    await sandbox.start();
    await sandbox.resize({ cpu: 2, memory: 2 });
    assert.deepEqual([sandbox.cpu, sandbox.memory], [2, 2]);
    await assert.rejects(sandbox.resize({ disk: 5 }));
    await sandbox.stop();
    await sandbox.resize({ disk: 5 });
    assert.equal(sandbox.disk, 5);
    await sandbox.archive();
    for (let i = 0; i < 600 && sandbox.state !== "archived"; i++) {
      await new Promise((done) => setTimeout(done, 100));
      await sandbox.refreshData();
    }
    assert.equal(sandbox.state, "archived");
    await sandbox.start();
    assert.equal((await sandbox.fs.downloadFile("file.txt")).toString(), "kept");
  }));

test("fork and snapshot", () =>
  withSandbox({}, async (parent) => {
    await parent.fs.uploadFile(Buffer.from("of the parent"), "file.txt");
    const child = await parent._experimental_fork({ name: `child-${Date.now()}-${process.pid}` });
    const name = `snap-${Date.now()}-${process.pid}`;
    await child._experimental_createSnapshot(name);
    await assert.rejects(parent.delete(), /active fork children/);
    await withSandbox({ snapshot: name }, async (copy) => {
      assert.equal((await copy.fs.downloadFile("file.txt")).toString(), "of the parent");
    });
    await daytona.snapshot.delete(await daytona.snapshot.get(name));
    await child.delete();
  }));

test("linked sandboxes", () =>
  withSandbox({ name: `parent-${Date.now()}-${process.pid}` }, async (parent) => {
    const child = await daytona.create({ linkedSandbox: parent.name, ephemeral: true });
    assert.equal(child.linkedSandboxId, parent.id);
    const run = async (sandbox, command) => (await sandbox.process.executeCommand(command)).result;
    for (const one of [parent, child]) {
      await run(one, "(nohup python3 -m http.server 3000 --directory /etc >/dev/null 2>&1 &); for i in $(seq 200); do curl -s -o /dev/null http://127.0.0.1:3000/ && break; sleep 0.1; done");
    }
    assert.equal(await run(child, `curl -s http://${parent.name}:3000/hostname`), await run(parent, "cat /etc/hostname"));
    assert.equal(await run(parent, `curl -s http://${child.id}:3000/hostname`), await run(child, "cat /etc/hostname"));
    await assert.rejects(daytona.create({ linkedSandbox: child.id, ephemeral: true }), /itself linked/);
    await parent.delete();
    await assert.rejects(daytona.get(child.id), DaytonaNotFoundError);
  }));

test("states come as events", { skip: !daytona.eventDispatcher }, () =>
  withSandbox({}, async (sandbox) => {
    for (let i = 0; i < 200 && !daytona.eventDispatcher.isConnected; i++) await new Promise((done) => setTimeout(done, 100));
    assert.ok(daytona.eventDispatcher.isConnected);
    sandbox.refreshData = async () => {}; // polling would tell nothing now
    for (const [call, wait, state] of [["stop", "waitUntilStopped", "stopped"], ["start", "waitUntilStarted", "started"]]) {
      await Promise.all([behindItsBack("POST", `/sandbox/${sandbox.id}/${call}`), sandbox[wait](60)]);
      assert.equal(sandbox.state, state);
    }
  }));
