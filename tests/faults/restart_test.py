"""Deaths of whole processes with sandboxes running: nobody else notices, everything comes back."""

import collections
import concurrent.futures
import contextlib
import glob
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402
from traces import assert_nothing_left  # noqa: E402
from transitions import Transitions  # noqa: E402

MANY = int(os.environ.get("SEBRING_FAULT_MANY", "60"))


class RestartTest(Transitions, unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def wait_for(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        self.fail(what)

    def test_control_and_runner_die_and_sandboxes_live(self):
        server = self.with_server()
        boxes = [server.create() for _ in range(3)]
        for box in boxes:
            server.execute(box["id"], "nohup sleep 1000 >/dev/null 2>&1 & echo $! > /tmp/pid")
        for role in ("control", "runner", "control", "runner"):
            pid = server.role_pid(role)
            os.kill(pid, signal.SIGKILL)
            self.wait_for(f"{role} restarts", lambda: server.role_pid(role) not in (None, pid))
            server.wait_serving()
            for box in boxes:
                result = server.execute(box["id"], "kill -0 $(cat /tmp/pid) && echo alive")
                self.assertEqual(result["result"], "alive\n", role)
                self.assertEqual(server.request("GET", f"/api/sandbox/{box['id']}")[1]["state"], "started")
        another = server.create()
        self.assertEqual(server.execute(another["id"], "echo new")["result"], "new\n")

    def test_requests_go_on_while_the_runner_is_dead(self):
        server = self.with_server()
        box = server.create()
        stop, failures = threading.Event(), []

        def ask():
            while not stop.is_set():
                try:
                    if server.execute(box["id"], "echo x")["result"] != "x\n":
                        failures.append("wrong result")
                except Exception as error:  # noqa: BLE001
                    failures.append(repr(error))
        worker = threading.Thread(target=ask)
        worker.start()
        for _ in range(3):
            pid = server.role_pid("runner")
            os.kill(pid, signal.SIGKILL)
            self.wait_for("runner restarts", lambda: server.role_pid("runner") not in (None, pid))
            time.sleep(0.3)
        stop.set()
        worker.join()
        self.assertEqual(failures, [])

    def test_dead_toolbox_is_noticed(self):
        server = self.with_server()
        took = []
        while not took or (took[-1] > 1.5 and len(took) < 5):  # a busy machine may be late, but not each time
            box = server.create()
            pid = self.toolbox_pid(server, box["id"])
            os.kill(pid, signal.SIGKILL)
            start = time.monotonic()
            self.wait_for("the death is reported",
                          lambda: server.request("GET", f"/api/sandbox/{box['id']}")[1]["state"] in ("error", "stopped"), 60)
            took.append(time.monotonic() - start)
            sandbox = server.request("GET", f"/api/sandbox/{box['id']}")[1]
            self.assertTrue(sandbox["errorReason"], sandbox)
            self.assertEqual(server.request("DELETE", f"/api/sandbox/{box['id']}")[0], 200)
        self.assertLess(took[-1], 1.5, took)

    def test_a_dead_daemon_leaves_its_last_words(self):
        server = self.with_server()
        for words, wanted in ((b"", "killed from outside"), (b"serve.cpp:12: assertion failed:\n\x1b[1m x > 0\xff\n", "from outside; its daemon's last words: serve.cpp:12: assertion failed:  [1m x > 0\ufffd"),
                              (b"early\n" + b"x" * 100_000, "'s last words: " + "x" * 500)):
            box = server.create(snapshot="daytona-small")
            pid = self.toolbox_pid(server, box["id"])
            said = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
            with contextlib.suppress(BlockingIOError):
                while words:
                    words = words[os.write(said, words):]
            os.close(said)
            os.kill(pid, signal.SIGKILL)  # any other signal is lost on the first process of a namespace
            self.wait_for("the death is reported", lambda: server.request("GET", f"/api/sandbox/{box['id']}")[1]["state"] == "error")
            sandbox = server.request("GET", f"/api/sandbox/{box['id']}")[1]
            self.assertTrue(sandbox["errorReason"].endswith(wanted), sandbox["errorReason"])
            self.assertTrue(sandbox["recoverable"])

    def test_out_of_memory_inside(self):
        server = self.with_server()
        box = server.create()
        result = server.execute(box["id"], "python3 -c 'x = bytearray(6 << 30); print(len(x))'", timeout=60)
        self.assertNotEqual(result["exitCode"], 0)
        self.assertRegex(str(result), r"out of memory: .*limit of [0-9.]+ MiB .peak [0-9.]+ MiB")
        self.assertEqual(server.execute(box["id"], "echo alive")["result"], "alive\n")

    def test_reboot(self):
        server = self.with_server()
        box = server.create()
        server.execute(box["id"], "echo kept > /home/daytona/kept; sync")
        self.kill_everything(server)
        server.start()
        sandbox = server.request("GET", f"/api/sandbox/{box['id']}")[1]
        self.assertEqual(sandbox["state"], "stopped", sandbox)
        answer = server.request("POST", f"/api/sandbox/{box['id']}/start")[:2]
        self.assertEqual(answer[0], 200, f"{answer}\n{server.log()[-3000:]}")
        self.assertEqual(server.execute(box["id"], "cat /home/daytona/kept")["result"], "kept\n")

    def fault_during_everything(self, pause, rebooted):
        """Everything dies at once while sandboxes are on their way; after the next start all come to rest, nothing is lost."""
        server = self.with_server()
        boxes = self.make_ready(server)
        bystander = self.toolbox_pid(server, boxes["bystander"])
        calls = self.transitions(boxes)
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            pending = {what: pool.submit(self.call, server, *call) for what, call in calls.items()}
            time.sleep(pause)
            if rebooted:
                self.kill_everything(server)
            else:
                self.kill_roles(server)
            answers = {what: asked.result() for what, asked in pending.items()}
        server.start()
        self.until_at_rest(server)
        self.check(server, f"everything after {pause}", boxes, answers, bystander, rebooted)
        for snapshot in server.request("GET", "/api/snapshots?limit=100")[1]["items"]:
            if snapshot["name"] == "made-meanwhile":
                self.assertEqual(server.request("DELETE", f"/api/snapshots/{snapshot['id']}")[0], 200)
        assert_nothing_left(server)

    def kill_roles(self, server):
        for pid in (server.process.pid, server.role_pid("control"), server.role_pid("runner")):
            if pid:
                os.kill(pid, signal.SIGKILL)
        server.process.wait()
        server.process.stdout.close()
        server.process = None

    def test_everything_dies_during_everything(self):
        # Side by side: a restart early and late in the transitions, and a reboot.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(self.fault_during_everything, *how) for how in ((0.02, False), (0.3, False), (0.1, True))]:
                done.result()

    def kill_everything(self, server):
        """As a power cut: every process of this server and its sandboxes at once, nobody cleans up."""
        for pid in (server.process.pid, server.role_pid("control"), server.role_pid("runner")):
            if pid:
                os.kill(pid, signal.SIGKILL)
        # Nobody makes or removes groups any more; processes may still be on their way into one, and frozen ones stay.
        killed = set()
        while inside := self.processes_inside(server) - killed:
            for pid in inside:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed |= inside
            time.sleep(0.005)
        server.process.wait()
        server.process.stdout.close()
        server.process = None
        # What was written belongs to another boot now.
        now, before = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip(), str(uuid.uuid4())
        for path in (server.data / "runner").rglob("*"):
            if path.is_file() and now.encode() in path.read_bytes():
                path.write_bytes(path.read_bytes().replace(now.encode(), before.encode()))

    @staticmethod
    def processes_inside(server):
        pids = []
        for tree in glob.glob(f"/sys/fs/cgroup/sebring-{server.instance()}") + glob.glob(f"/sys/fs/cgroup/*/sebring-{server.instance()}"):
            for directory, _, _ in os.walk(tree):
                with contextlib.suppress(OSError):
                    pids += (pathlib.Path(directory) / "cgroup.procs").read_text().split()
        return {int(pid) for pid in pids}

    def test_clean_stop_within_five_seconds(self):
        server = self.with_server()
        box = server.create()
        server.execute(box["id"], "trap '' TERM; nohup sh -c 'trap \"\" TERM; sleep 1000' >/dev/null 2>&1 & echo started")
        start = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - start, 5)
        server.start()
        self.assertEqual(server.request("GET", f"/api/sandbox/{box['id']}")[1]["state"], "stopped")

    def test_clean_stop_of_many_within_five_seconds(self):
        """However many there are, nobody waits longer; what the kernel has not closed by then the next start does."""
        server = self.with_server(slots=8)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            boxes = list(pool.map(lambda _: server.create(snapshot="daytona-small")["id"], range(MANY)))
        for box in boxes[::10]:
            server.execute(box, "echo kept > /home/daytona/kept; sync /home/daytona/kept; head -c 1M /dev/urandom > /home/daytona/dirty")
        server.execute(boxes[0], "nohup sh -c 'trap \"\" TERM; sleep 1000' >/dev/null 2>&1 & echo started")
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        took = time.monotonic() - start
        server.stop()
        print(f"{MANY} sandboxes stopped in {took:.2f} s", file=sys.stderr)
        self.assertLess(took, 5)
        server.start()

        def states():
            pages = [server.request("GET", f"/api/sandbox/paginated?limit=100&page={page}")[1]["items"] for page in range(1, 2 + MANY // 100)]
            return collections.Counter((row["state"], row.get("errorReason")) for page in pages for row in page)
        # Rows are compared with the runner's word one after the other, behind the start.
        with contextlib.suppress(AssertionError):
            self.wait_for("all are stopped", lambda: states() == {("stopped", None): MANY}, 60)
        self.assertEqual(states(), {("stopped", None): MANY})
        self.assertEqual(server.request("POST", f"/api/sandbox/{boxes[10]}/start")[0], 200)
        self.assertEqual(server.execute(boxes[10], "cat /home/daytona/kept")["result"], "kept\n")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(lambda box: server.request("DELETE", f"/api/sandbox/{box}")[0], boxes)), {200})
        assert_nothing_left(server)

    def test_stop_with_a_deaf_runner(self):
        """What the runner does not stop is killed, and is stopped, not failed, after the next start."""
        server = self.with_server()
        boxes = [server.create() for _ in range(3)]
        for box in boxes:
            server.execute(box["id"], "echo kept > /home/daytona/kept; sync")
        inside = [self.toolbox_pid(server, box["id"]) for box in boxes]
        os.kill(server.role_pid("runner"), signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        server.process.stdout.close()
        server.process = None
        self.wait_for("the sandboxes end", lambda: not any(pathlib.Path(f"/proc/{pid}/ns/net").exists() for pid in inside))
        server.start()
        for box in boxes:
            sandbox = server.request("GET", f"/api/sandbox/{box['id']}")[1]
            self.assertEqual((sandbox["state"], sandbox.get("errorReason")), ("stopped", None), sandbox)
        self.assertEqual(server.request("POST", f"/api/sandbox/{boxes[0]['id']}/start")[0], 200)
        self.assertEqual(server.execute(boxes[0]["id"], "cat /home/daytona/kept")["result"], "kept\n")


if __name__ == "__main__":
    unittest.main(verbosity=1)
