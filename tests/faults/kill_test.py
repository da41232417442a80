"""kill -9 of control and runner at their N-th system call of each operation, of the importer and of the sandbox's own
daemon in the middle of it. Then: is everything what the API said?

strace injects SIGKILL at the N-th call (per thread) of those that change something outside the process. Afterwards the
sandbox must be what the API answered, or cleanly gone; what was written must be there; it must be deletable; and nothing
may be left: no disk, copy, archive, container, and when the server has stopped, nothing on the machine.

SEBRING_FAULT_STEPS=N tries the calls 1 to N of each operation instead of a few; SEBRING_FAULT_KINDS names operations.
"""

import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402
from importers import ImporterKiller  # noqa: E402
from traces import ask_runner, assert_nothing_left, left_behind, pool_of  # noqa: E402

# What leaves a trace: files, mounts, cgroups, namespaces, links, processes, messages to others.
CALLS = ("openat,mkdirat,mkdir,unlinkat,unlink,rename,renameat,renameat2,write,pwrite64,fsync,fdatasync,ioctl,mount,umount2,"
         "move_mount,fsmount,open_tree,mount_setattr,sendmsg,sendto,clone,clone3,vfork,execveat,kill,pidfd_send_signal,bind,listen")
STEPS = os.environ.get("SEBRING_FAULT_STEPS")
KINDS = ("create", "stop", "start", "delete", "fork", "pause", "resume", "archive", "restore", "snapshot", "resize", "backup", "recover")
FEW = {"create": (1, 4), "stop": (2, 5), "start": (2, 6), "delete": (1, 4), "fork": (2, 5), "archive": (3, 6), "restore": (2, 7)}
DELAYS = (0, 0.002, 0.02)  # seconds into an operation, for what is killed by hand
SETTLE_SECONDS = 60
READ_MARK = "cat /home/daytona/mark 2>/dev/null; echo ok"
RESTS = ("started", "stopped", "error", "archived", "paused")


def kinds(among=KINDS):
    asked = os.environ.get("SEBRING_FAULT_KINDS", "").split(",")
    return [kind for kind in among if asked == [""] or kind in asked]


def steps(kind):
    return range(1, int(STEPS) + 1) if STEPS else FEW.get(kind, (3,))


def traced(pid):
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            status = pathlib.Path(f"/proc/{pid}/task/{task}/status").read_text()
            if "TracerPid:\t0" in status:
                return False
        return True
    return False


class Killer:
    """Kills `pid` at its `step`-th call of CALLS from now on; says whether it came to that."""

    def __init__(self, pid, step):
        self.pid = pid
        self.strace = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={CALLS}",
                                        "-e", f"inject={CALLS}:signal=SIGKILL:when={step}"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while not traced(pid) and time.monotonic() < deadline and self.strace.poll() is None:
            time.sleep(0.005)

    def finish(self):
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline and os.path.exists(f"/proc/{self.pid}") and self.strace.poll() is None:
            time.sleep(0.01)
        killed = self.strace.poll() is not None or not os.path.exists(f"/proc/{self.pid}")
        if self.strace.poll() is None:
            self.strace.terminate()
        try:
            self.strace.wait(5)
        except subprocess.TimeoutExpired:  # it waits for a thread that waits for a vfork child, which it holds itself
            self.strace.kill()
            self.strace.wait()
        return killed


class DelayedKiller:
    """Kills one process a little after the beginning."""

    def __init__(self, pid, delay):
        self.timer = threading.Timer(delay, self.kill, (pid,))
        self.killed = False
        self.timer.start()

    def kill(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.killed = True

    def finish(self):
        self.timer.join()
        return self.killed


class Rig:
    """One server, and what is done to sandboxes of it."""

    def __init__(self, test):
        self.test = test
        self.server = Server({"slots": 2}).start()
        test.addCleanup(self.server.__exit__, None, None, None)

    def call(self, method, path, body=None):
        try:
            return self.server.request(method, path, body, timeout=40)[:2]
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)

    def good(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status in (200, 201), (method, path, status, answer)
        return answer

    def settled(self, name):
        """The sandbox once it neither is on its way nor changes any more; None when it is gone."""
        while True:
            first = self.once_settled(name)
            time.sleep(0.5)  # what was ordered before the death may still be carried out behind the restart
            second = self.once_settled(name)
            if (first and first["state"]) == (second and second["state"]):
                return second

    def once_settled(self, name):
        deadline = time.monotonic() + SETTLE_SECONDS
        last = None
        while time.monotonic() < deadline:
            status, body = self.call("GET", f"/api/sandbox/{name}")
            if status == 404:
                return None
            if status == 200:
                last = body
                if body["state"] in RESTS and body["backupState"] != "InProgress":
                    return body
            time.sleep(0.05)
        raise AssertionError(f"{name} did not settle: {last}\n{self.server.log()[-2000:]}")

    def runs(self, name, command):
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            status, body = self.call("POST", f"/toolbox/{name}/process/execute", {"command": command})
            if status == 200 and body["exitCode"] == 0:
                return body["result"]
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} is started but does not work: {status} {body}")
            time.sleep(0.2)

    def pid(self, box):
        return ask_runner(self.server, f"/v1/sandboxes/{box}")["pid"]

    def prepare(self, kind, name, command="true"):
        """Brings a sandbox to where the operation begins, `command` done in it; returns its id."""
        if kind == "create":
            return None
        box = self.server.create(name=name, snapshot="daytona-small")["id"]
        self.server.execute(box, "echo mark > /home/daytona/mark; sync /home/daytona/mark; " + command)
        if kind in ("start", "archive", "restore"):
            self.good("POST", f"/api/sandbox/{name}/stop")
        if kind == "restore":
            self.good("POST", f"/api/sandbox/{name}/archive")
            assert self.once_settled(name)["state"] == "archived"
        if kind == "resume":
            self.good("POST", f"/api/sandbox/{name}/pause")
        if kind == "recover":
            os.kill(self.pid(box), signal.SIGKILL)
            deadline = time.monotonic() + SETTLE_SECONDS
            while self.call("GET", f"/api/sandbox/{name}")[1]["state"] != "error":
                assert time.monotonic() < deadline, f"{name}: its end is not noticed"
                time.sleep(0.02)
        return box

    def operate(self, kind, name):
        if kind == "create":
            return self.call("POST", "/api/sandbox", {"name": name, "snapshot": "daytona-small"})
        if kind == "delete":
            return self.call("DELETE", f"/api/sandbox/{name}")
        verb = {"resume": "start", "restore": "start"}.get(kind, kind)
        body = {"fork": {"name": "child-of-" + name}, "snapshot": {"name": "of-" + name}, "resize": {"cpu": 2}}.get(kind)
        return self.call("POST", f"/api/sandbox/{name}/{verb}", body)

    def during(self, kind, name, make_killer):
        """The operation with the killer at work; what was answered, and whether anything was killed."""
        killer = make_killer()
        answer = {}
        worker = threading.Thread(target=lambda: answer.update(zip(("status", "body"), self.operate(kind, name))))
        worker.start()
        worker.join(45)
        assert not worker.is_alive(), f"{name}: the request hangs"
        killed = killer.finish()
        self.server.wait_serving()
        return answer, killed

    def check(self, kind, name, answer, daemon_killed=False):
        """Is the sandbox what was answered, is what was written in it there?"""
        test, ok = self.test, answer.get("status") in (200, 201)
        sandbox = self.settled(name)
        where = f"{name}: answered {answer}, now {sandbox and (sandbox['state'], sandbox['errorReason'])}"
        wanted = {"create": "started", "start": "started", "stop": "stopped", "delete": None, "pause": "paused", "resume": "started",
                  "restore": "started", "recover": "started", "fork": "started", "snapshot": "started", "resize": "started", "backup": "started"}
        if ok and kind in wanted and not daemon_killed:
            test.assertEqual(sandbox and sandbox["state"], wanted[kind], where)
        if kind not in ("create", "delete"):
            test.assertIsNotNone(sandbox, where)
        if sandbox and sandbox["state"] == "error":
            test.assertTrue(sandbox["errorReason"], where)
            test.assertTrue(sandbox["recoverable"], where)
            test.assertTrue(daemon_killed or kind == "recover", where)
        self.check_kind(kind, name, sandbox, ok, where)
        if sandbox:
            self.use(kind, name, sandbox, where, daemon_killed)
        for gone in ("child-of-" + name, name):
            deadline = time.monotonic() + SETTLE_SECONDS
            while self.call("DELETE", f"/api/sandbox/{gone}")[0] not in (200, 404):
                test.assertLess(time.monotonic(), deadline, f"{gone} can not be deleted")
                time.sleep(0.2)

    def check_kind(self, kind, name, sandbox, ok, where):
        test = self.test
        if kind == "fork":
            child = self.settled("child-of-" + name)
            test.assertTrue(child or not ok, where)
            if child:
                test.assertEqual(child["state"], "started", (where, child["errorReason"]))
                test.assertEqual(self.runs(child["id"], "cat /home/daytona/mark"), "mark\n", where)
        if kind == "snapshot":
            status, snapshot = self.call("GET", f"/api/snapshots/of-{name}")
            test.assertTrue(status == 200 or not ok, where)
            if status == 200:
                made = self.good("POST", "/api/sandbox", {"snapshot": "of-" + name})
                test.assertEqual(self.runs(made["id"], "cat /home/daytona/mark"), "mark\n", where)
                self.good("DELETE", f"/api/sandbox/{made['id']}")
                self.good("DELETE", f"/api/snapshots/{snapshot['id']}")
        if kind == "resize":
            test.assertIn(sandbox["cpu"], (2,) if ok else (1, 2), where)
            if sandbox["state"] == "started":
                test.assertEqual(int(self.runs(sandbox["id"], "nproc")), sandbox["cpu"], where)
        if kind in ("archive", "backup"):
            test.assertIn(sandbox["backupState"], ("Completed", "Error", "None"), where)

    def use(self, kind, name, sandbox, where, daemon_killed):
        """Whatever state it is in, it can be brought to run, with what was in it."""
        wanted = "ok\n" if kind == "create" else "mark\nok\n"
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            state = self.call("GET", f"/api/sandbox/{name}")[1]["state"]
            verb = {"started": None, "error": "recover"}.get(state, "start")
            brought = verb is None or self.call("POST", f"/api/sandbox/{name}/{verb}")[0] == 200
            # A death of the daemon may be noticed only now: a frozen process dies when it is thawed.
            if brought and not daemon_killed:
                self.test.assertEqual(self.runs(sandbox["id"], READ_MARK), wanted, where)
                return
            if brought:
                status, body = self.call("POST", f"/toolbox/{sandbox['id']}/process/execute", {"command": READ_MARK})
                if status == 200:
                    self.test.assertEqual(body["result"], wanted, where)
                    return
            self.test.assertLess(time.monotonic(), deadline, f"{where}: can not be brought to run: {self.call('GET', f'/api/sandbox/{name}')}")
            time.sleep(0.2)


class KillTest(unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def test_what_is_left_is_seen(self):
        """The look at the disk itself: it finds nothing on a good server, and each kind of thing that nobody owns."""
        rig = Rig(self)
        box = rig.server.create(snapshot="daytona-small")["id"]
        rig.good("POST", f"/api/sandbox/{box}/snapshot", {"name": "kept"})
        assert_nothing_left(rig.server)
        pool = pool_of(rig.server)
        for kind, stray in (("disks", pool / "sb/0/u-0123456789abcdef"), ("snapshots", pool / "snap/archive-u-0123-4567"),
                            ("archives", rig.server.data / "objects/archive-of-nobody.tar.zst")):
            stray.mkdir()
            self.assertIn(kind, left_behind(rig.server))
            stray.rmdir()
        assert_nothing_left(rig.server)

    def at_each_step(self, role):
        rig, hit = Rig(self), 0
        for kind in kinds():
            for step in steps(kind):
                name = f"{kind}-{role}-{step}"
                try:
                    rig.prepare(kind, name)
                    answer, killed = rig.during(kind, name, lambda step=step: Killer(rig.server.role_pid(role), step))
                    rig.check(kind, name, answer)
                except Exception as failure:
                    raise AssertionError(f"{name}: {failure}\n{rig.server.log()[-3000:]}") from failure
                if not killed:
                    break
                hit += 1
        assert_nothing_left(rig.server)
        rig.server.__exit__(None, None, None)
        return hit

    def test_control_and_runner(self):
        # Side by side, each with a server of its own: most of the time is waiting.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for hit in [pool.submit(self.at_each_step, role) for role in ("runner", "control")]:
                self.assertGreater(hit.result(), len(kinds()) // 2, "the test hardly killed anything")

    def test_importer(self):
        rig, hit = Rig(self), 0
        for kind in kinds(("archive", "restore", "backup")):
            for turn in range(2 if not STEPS else min(int(STEPS), 10)):
                name = f"{kind}-importer-{turn}"
                # Small archives are done before anybody could kill.
                rig.prepare(kind, name, "head -c 64M /dev/urandom > /home/daytona/large; sync")
                runner = rig.server.role_pid("runner")
                answer, killed = rig.during(kind, name, lambda: ImporterKiller(runner, turn % 2, 0.01 * turn))
                rig.check(kind, name, answer)
                hit += killed
        self.assertGreater(hit, 2)
        assert_nothing_left(rig.server)

    def test_daemon_of_the_sandbox(self):
        """Its PID 1 dies in the middle: nobody hangs, the cause is told, and it comes back with its disk."""
        rig, hit = Rig(self), 0
        for kind in kinds(("stop", "delete", "fork", "pause", "resume", "snapshot", "resize", "backup")):
            for delay in DELAYS if STEPS else DELAYS[1:2]:
                name = f"{kind}-daemon-{int(delay * 1000)}"
                box = rig.prepare(kind, name)
                pid = rig.pid(box)
                answer, killed = rig.during(kind, name, lambda: DelayedKiller(pid, delay))
                rig.check(kind, name, answer, daemon_killed=True)
                hit += killed
        self.assertGreater(hit, 3)
        assert_nothing_left(rig.server)


if __name__ == "__main__":
    unittest.main(verbosity=1)
