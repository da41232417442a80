"""The life of a sandbox with the official Python SDK: pause, archive, resize, fork, snapshot, intervals, events.

Runs unchanged with the oldest and the newest supported version; what only the newest has is skipped with the oldest.
"""

import json
import os
import sys
import threading
import time
import unittest
import unittest.mock
import urllib.request
import uuid

from daytona import CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaError, DaytonaNotFoundError, Resources

CONFIG = dict(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"])


def state_of(sandbox):
    return str(getattr(sandbox.state, "value", sandbox.state))


def ask(method, path):
    """Behind the SDK's back."""
    request = urllib.request.Request(CONFIG["api_url"] + path, method=method, headers={"Authorization": "Bearer " + CONFIG["api_key"]})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or "null")


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daytona = Daytona(DaytonaConfig(**CONFIG))

    def make(self, **params):
        sandbox = self.daytona.create(CreateSandboxFromSnapshotParams(**params))
        self.addCleanup(self.drop, sandbox.id)
        return sandbox

    def drop(self, sandbox_id):
        try:
            self.daytona.get(sandbox_id).delete()
        except DaytonaNotFoundError:
            pass

    def newest(self, sandbox, name):
        if not hasattr(sandbox, name):
            self.skipTest(f"this version has no {name}()")
        return getattr(sandbox, name)

    def test_pause_and_resume(self):
        sandbox = self.make()
        sandbox.process.exec("nohup sh -c 'i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.05; done' >/dev/null 2>&1 & echo $! > /tmp/pid")
        sandbox.pause()
        self.assertEqual(state_of(sandbox), "paused")
        with self.assertRaises(DaytonaError):
            sandbox.process.exec("true")
        sandbox.start()
        self.assertEqual(state_of(sandbox), "started")
        again = sandbox.process.exec("kill -0 $(cat /tmp/pid) && a=$(cat /tmp/count) && sleep 1 && [ $(cat /tmp/count) -gt $a ] && echo counts")
        self.assertEqual(again.result, "counts\n")

    def test_archive_and_restore(self):
        sandbox = self.make()
        sandbox.fs.upload_file(b"kept" * 10000, "kept.bin")
        with self.assertRaises(DaytonaError):
            sandbox.archive()
        sandbox.stop()
        sandbox.archive()
        deadline = time.monotonic() + 60
        while state_of(sandbox) != "archived" and time.monotonic() < deadline:
            time.sleep(0.1)
            sandbox.refresh_data()
        self.assertEqual(state_of(sandbox), "archived")
        sandbox.start()
        self.assertEqual(sandbox.fs.download_file("kept.bin"), b"kept" * 10000)

    def test_resize(self):
        sandbox = self.make(snapshot="daytona-small")
        sandbox.resize(Resources(cpu=2, memory=2))
        self.assertEqual((sandbox.cpu, sandbox.memory), (2, 2))
        self.assertEqual(sandbox.process.exec("nproc; awk '/MemTotal/{print $2}' /proc/meminfo").result, "2\n2097152\n")
        with self.assertRaises(DaytonaError):
            sandbox.resize(Resources(cpu=1))
        with self.assertRaises(DaytonaError):
            sandbox.resize(Resources(disk=5))
        sandbox.stop()
        sandbox.resize(Resources(disk=5))
        self.assertEqual(sandbox.disk, 5)
        sandbox.start()
        self.assertEqual(sandbox.process.exec("echo on").result, "on\n")

    def test_fork_and_snapshot(self):
        parent = self.make(env_vars={"DECLARED": "yes"})
        parent.fs.upload_file(b"of the parent", "file.txt")
        child = getattr(parent, "fork", parent._experimental_fork)(name="child-" + uuid.uuid4().hex[:8])
        self.addCleanup(self.drop, child.id)
        self.assertEqual(state_of(child), "started")
        self.assertEqual(child.fs.download_file("file.txt"), b"of the parent")
        self.assertEqual(child.process.exec("echo $DECLARED; hostname").result, f"yes\n{child.name}\n")
        child.fs.upload_file(b"of the child", "file.txt")
        self.assertEqual(parent.fs.download_file("file.txt"), b"of the parent")
        self.assertEqual([s["id"] for s in ask("GET", f"/sandbox/{parent.id}/forks")], [child.id])
        with self.assertRaisesRegex(DaytonaError, "active fork children"):
            parent.delete()
        name = "snap-" + uuid.uuid4().hex[:8]
        getattr(child, "create_snapshot", child._experimental_create_snapshot)(name)
        copy = self.make(snapshot=name)
        self.assertEqual(copy.fs.download_file("file.txt"), b"of the child")
        self.daytona.snapshot.delete(self.daytona.snapshot.get(name))
        self.assertEqual(copy.fs.download_file("file.txt"), b"of the child")
        copy.delete()
        child.delete()
        parent.delete()
        with self.assertRaises(DaytonaNotFoundError):
            self.daytona.get(parent.id)

    def test_linked(self):
        parent = self.make(name="parent-" + uuid.uuid4().hex[:6])
        child = self.make(linked_sandbox=parent.id, ephemeral=True)
        self.assertEqual((ask("GET", f"/sandbox/{child.id}")["linkedSandboxId"], child.auto_delete_interval), (parent.id, 0))
        for one in (parent, child):
            one.process.exec("(nohup python3 -m http.server 3000 --directory /etc >/dev/null 2>&1 &); for i in $(seq 200); do curl -s -o /dev/null http://127.0.0.1:3000/ && break; sleep 0.1; done")
        self.assertEqual(child.process.exec(f"curl -s http://{parent.name}:3000/hostname").result.strip(), parent.name)
        self.assertEqual(parent.process.exec(f"curl -s http://{child.id}:3000/hostname").result, child.process.exec("cat /etc/hostname").result)
        with self.assertRaises(DaytonaError):
            self.daytona.create(CreateSandboxFromSnapshotParams(linked_sandbox=child.id, ephemeral=True))
        with self.assertRaises(DaytonaError):
            self.daytona.create(CreateSandboxFromSnapshotParams(linked_sandbox=parent.id))
        parent.delete()
        with self.assertRaises(DaytonaNotFoundError):
            self.daytona.get(child.id)

    def test_ephemeral(self):
        sandbox = self.make(ephemeral=True)
        self.assertEqual(sandbox.auto_delete_interval, 0)
        try:
            sandbox.stop()
        except DaytonaError:
            pass  # older versions look once more, and find nothing
        with self.assertRaises(DaytonaNotFoundError):
            self.daytona.get(sandbox.id)

    def test_intervals(self):
        sandbox = self.make()
        sandbox.set_autostop_interval(0)
        sandbox.set_auto_archive_interval(60)
        sandbox.set_auto_delete_interval(120)
        sandbox.refresh_data()
        self.assertEqual((sandbox.auto_stop_interval, sandbox.auto_archive_interval, sandbox.auto_delete_interval), (0, 60, 120))
        before = sandbox.last_activity_at
        time.sleep(0.01)
        sandbox.refresh_activity()
        sandbox.refresh_data()
        self.assertGreaterEqual(sandbox.last_activity_at, before)

    def test_newer_intervals(self):
        sandbox = self.make()
        self.newest(sandbox, "set_auto_pause_interval")(30)
        sandbox.set_ttl(60)
        sandbox.refresh_data()
        self.assertEqual((sandbox.auto_stop_interval, sandbox.auto_pause_interval), (0, 30))
        self.assertTrue(sandbox.auto_destroy_at)
        sandbox.pause()
        # What was paused for idleness comes back by itself when it is used.
        self.assertEqual(sandbox.process.exec("echo awake").result, "awake\n")
        sandbox.refresh_data()
        self.assertEqual(state_of(sandbox), "started")

    def test_states_come_as_events(self):
        sandbox = self.make()
        self.newest(sandbox, "_ensure_subscribed")()
        dispatcher = self.daytona._event_dispatcher
        deadline = time.monotonic() + 20
        while not dispatcher.is_connected and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertTrue(dispatcher.is_connected)
        blind = unittest.mock.patch.object(type(sandbox), "refresh_data", lambda *_, **__: None)  # polling tells nothing now
        blind.start()
        self.addCleanup(blind.stop)
        for call, wait, state in (("stop", sandbox.wait_for_sandbox_stop, "stopped"), ("start", sandbox.wait_for_sandbox_start, "started")):
            asked = threading.Thread(target=ask, args=("POST", f"/sandbox/{sandbox.id}/{call}"))
            asked.start()
            wait(timeout=30)
            asked.join()
            self.assertEqual(state_of(sandbox), state)


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False, verbosity=1).result.wasSuccessful())
