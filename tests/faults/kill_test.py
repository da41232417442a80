"""kill -9 of control and runner at their N-th system call of each operation, then: is everything what the API said?

strace injects SIGKILL at the N-th call (per thread) of those that change something outside the process. N grows until
the operation gets through without being hit. Afterwards the sandbox must be what the API answered, or cleanly gone; it
must be deletable; and when the server has stopped, nothing may be left on the machine.
"""

import contextlib
import http.client
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402

# What leaves a trace: files, mounts, cgroups, namespaces, links, processes, messages to others.
CALLS = ("openat,mkdirat,mkdir,unlinkat,unlink,rename,renameat,renameat2,write,pwrite64,fsync,fdatasync,ioctl,mount,umount2,"
         "move_mount,fsmount,open_tree,mount_setattr,sendmsg,sendto,clone,clone3,vfork,execveat,kill,pidfd_send_signal,bind,listen")
STEP_MAX = int(os.environ.get("SEBRING_FAULT_STEPS", "6"))  # system calls tried per operation and role; more: a longer run
SETTLE_SECONDS = 60


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
        self.strace.wait()
        return killed


class KillTest(unittest.TestCase):
    def setUp(self):
        self.leftovers = Leftovers().__enter__()
        self.server = Server({"slots": 2}).start()
        self.addCleanup(self.server.__exit__, None, None, None)

    def call(self, method, path, body=None):
        try:
            return self.server.request(method, path, body, timeout=40)[:2]
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)

    def settled(self, name):
        """The sandbox once it neither is on its way nor changes any more; None when it is gone."""
        while True:
            first = self.once_settled(name)
            time.sleep(0.7)  # what was ordered before the death may still be carried out behind the restart
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
                if body["state"] in ("started", "stopped", "error", "archived", "paused"):
                    return body
            time.sleep(0.1)
        raise AssertionError(f"{name} did not settle: {last}")

    def operation(self, kind, name):
        if kind == "create":
            return self.call("POST", "/api/sandbox", {"name": name})
        if kind == "delete":
            return self.call("DELETE", f"/api/sandbox/{name}")
        return self.call("POST", f"/api/sandbox/{name}/{kind}")

    def check_works(self, sandbox_id):
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            status, body = self.call("POST", f"/toolbox/{sandbox_id}/process/execute", {"command": "cat /home/daytona/mark 2>/dev/null; echo ok"})
            if status == 200 and body["exitCode"] == 0 and body["result"].endswith("ok\n"):
                return body["result"]
            if time.monotonic() > deadline:
                raise AssertionError(f"{sandbox_id} is started but does not work: {status} {body}")
            time.sleep(0.2)

    def prepare(self, kind, name):
        if kind == "create":
            return
        sandbox = self.server.create(name=name)
        self.server.execute(sandbox["id"], "echo mark > /home/daytona/mark; sync /home/daytona/mark")
        if kind == "start":
            self.assertEqual(self.call("POST", f"/api/sandbox/{name}/stop")[0], 200)
            self.settled(name)

    def one(self, kind, role, step):
        name = f"{kind}-{role}-{step}"
        self.prepare(kind, name)
        victim = self.server.role_pid(role)
        self.assertIsNotNone(victim, f"no {role} process")
        killer = Killer(victim, step)
        answer = {}
        worker = threading.Thread(target=lambda: answer.update(zip(("status", "body"), self.operation(kind, name))))
        worker.start()
        worker.join(45)
        self.assertFalse(worker.is_alive(), f"{name}: the request hangs")
        killed = killer.finish()
        self.server.wait_serving()
        sandbox = self.settled(name)
        where = f"{name}: answered {answer}, now {sandbox and (sandbox['state'], sandbox['errorReason'])}"
        if answer.get("status") == 200:
            wanted = {"create": "started", "start": "started", "stop": "stopped", "delete": None}[kind]
            self.assertEqual(sandbox and sandbox["state"], wanted, where)
        if sandbox and sandbox["state"] == "error":
            self.assertTrue(sandbox["errorReason"], where)
        if sandbox and sandbox["state"] == "started":
            result = self.check_works(sandbox["id"])
            self.assertTrue(kind == "create" or "mark" in result, where)
        if sandbox:
            deadline = time.monotonic() + SETTLE_SECONDS
            while self.call("DELETE", f"/api/sandbox/{name}")[0] not in (200, 404):
                self.assertLess(time.monotonic(), deadline, f"{name} can not be deleted")
                time.sleep(0.2)
        return killed

    def run_all(self, role):
        hit = 0
        for kind in ("create", "stop", "start", "delete"):
            for step in range(1, STEP_MAX + 1):
                with self.subTest(kind=kind, role=role, step=step):
                    if not self.one(kind, role, step):
                        break
                    hit += 1
        self.assertGreater(hit, 4, "the test hardly killed anything")
        left = self.uppers_left()
        self.assertEqual(left, [], "disks left behind")
        self.server.__exit__(None, None, None)
        self.leftovers.__exit__(None, None, None)

    def uppers_left(self):
        deadline = time.monotonic() + 20
        while True:
            left = [str(p) for p in pathlib.Path(self.server.pool).glob("i/*/sb/*")
                    if len(p.name) == 36] if self.server.pool else []
            known = {s["id"] for s in self.server.request("GET", "/api/sandbox?limit=200")[1]["items"]}
            left = [p for p in left if pathlib.Path(p).name not in known]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.3)

    def test_runner(self):
        self.run_all("runner")

    def test_control(self):
        self.run_all("control")


if __name__ == "__main__":
    unittest.main(verbosity=1)
