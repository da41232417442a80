"""Six clients do everything at random while control and runner are killed at random. Afterwards: no answer was a 5xx other
than 503, no file that was there is gone, nothing hangs between two states, and everything can be deleted.

SEBRING_FAULT_SECONDS: how long (20); SEBRING_FAULT_SEED: another course (1).
"""

import collections
import contextlib
import http.client
import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402

SECONDS = float(os.environ.get("SEBRING_FAULT_SECONDS", "20"))
SEED = int(os.environ.get("SEBRING_FAULT_SEED", "1"))
CLIENTS = 6
SANDBOXES_OF_A_CLIENT = 6
SETTLE_SECONDS = 60
AT_REST = ("started", "stopped", "paused", "archived")
LIFE = ("stop", "start", "start", "pause", "archive")
WHAT = ("create", "exec", "write", "write", "check", "check", "fork", "delete", "resize", "info", "list", "snapshot") + LIFE


class Client:
    def __init__(self, server, number, until, faults):
        self.server, self.until, self.faults = server, until, faults
        self.random = random.Random(SEED * 1000 + number)
        self.boxes = {}  # id -> what ~/token may hold; one only when the last write was answered
        self.done = collections.Counter()

    def ask(self, what, method, path, body=None):
        try:
            status, answer, _ = self.server.request(method, path, body, timeout=90)
        except (OSError, http.client.HTTPException) as error:
            status, answer = type(error).__name__, None  # a connection that a kill has cut
            if isinstance(error, TimeoutError):
                self.faults.append((what, path, "no answer"))
        self.done[what, status] += 1
        if isinstance(status, int) and status >= 500 and status != 503:
            self.faults.append((what, path, status, answer))
        return status, answer

    def execute(self, what, box, command):
        status, answer = self.ask(what, "POST", f"/toolbox/{box}/process/execute", {"command": command, "timeout": 40})
        return answer["result"].strip() if status == 200 and answer["exitCode"] == 0 else None

    def name(self):
        return f"random-{self.random.getrandbits(60)}"

    def step(self):
        what = self.random.choice(WHAT)
        if what == "create" and len(self.boxes) < SANDBOXES_OF_A_CLIENT:
            status, box = self.ask(what, "POST", "/api/sandbox", {"name": self.name()})
            if status == 200:
                self.boxes[box["id"]] = [""]
        if not self.boxes or what == "create":
            return
        box = self.random.choice(sorted(self.boxes))
        getattr(self, what, self.change)(*((what, box) if what in LIFE else (box,)))

    def change(self, what, box):
        self.ask(what, "POST", f"/api/sandbox/{box}/{what}")

    def exec(self, box):
        self.execute("exec", box, "sleep 0.05")

    def write(self, box):
        token = str(self.random.getrandbits(60))
        wrote = self.execute("write", box, f"echo {token} > ~/new && sync && mv ~/new ~/token && sync && echo done")
        self.boxes[box] = [token] if wrote == "done" else [*self.boxes[box], token]

    def check(self, box):
        found = self.execute("check", box, "touch ~/token; cat ~/token")
        if found is not None and found not in self.boxes[box]:
            self.faults.append(("lost", box, self.boxes[box], found))

    def fork(self, box):
        if len(self.boxes) < SANDBOXES_OF_A_CLIENT:
            status, child = self.ask("fork", "POST", f"/api/sandbox/{box}/fork", {"name": self.name()})
            if status in (200, 201):
                self.boxes[child["id"]] = list(self.boxes[box])

    def delete(self, box):
        if self.ask("delete", "DELETE", f"/api/sandbox/{box}")[0] in (200, 404):
            del self.boxes[box]

    def resize(self, box):
        self.ask("resize", "POST", f"/api/sandbox/{box}/resize", {"memory": self.random.choice((1, 2))})

    def info(self, box):
        self.ask("info", "GET", f"/api/sandbox/{box}")

    def list(self, _):
        self.ask("list", "GET", "/api/sandbox?limit=50")

    def snapshot(self, box):
        if self.random.random() < 0.1:
            self.ask("snapshot", "POST", f"/api/sandbox/{box}/snapshot", {"name": self.name()})

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.step()
        except Exception as error:  # noqa: BLE001  a thread's end must be seen
            self.faults.append(("client", repr(error)))


class Random(unittest.TestCase):
    def kill_until(self, server, until):
        choice, kills = random.Random(SEED), 0
        while time.monotonic() < until:
            time.sleep(choice.uniform(1, 5))
            pid = server.role_pid(choice.choice(("control", "runner")))
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
        return kills

    def all_of(self, server):
        return server.request("GET", "/api/sandbox?limit=200&includeErroredDeleted=true")[1]["items"]

    def test_everything_at_random(self):
        faults = []
        with Leftovers(), Server({"slots": 8, "patience": 3}) as server:
            until = time.monotonic() + SECONDS
            clients = [Client(server, number, until, faults) for number in range(CLIENTS)]
            threads = [threading.Thread(target=client.run) for client in clients]
            for thread in threads:
                thread.start()
            kills = self.kill_until(server, until)
            for thread in threads:
                thread.join(120)
                self.assertFalse(thread.is_alive(), "a request hangs")
            done = sum((client.done for client in clients), collections.Counter())
            server.wait_serving()
            deadline = time.monotonic() + SETTLE_SECONDS
            while (moving := [box for box in self.all_of(server) if box["state"] not in AT_REST]) and time.monotonic() < deadline:
                time.sleep(0.2)
            self.assertEqual([(box["state"], box["errorReason"]) for box in moving], [])
            self.assertEqual(faults, [], server.log()[-4000:])
            for client in clients:  # once more, with nobody killing
                for box in sorted(client.boxes):
                    client.ask("start", "POST", f"/api/sandbox/{box}/start")
                    client.check(box)
            self.assertEqual(faults, [])
            for _ in range(20):  # parents after their forks
                for box in self.all_of(server):
                    server.request("DELETE", f"/api/sandbox/{box['id']}")
            self.assertEqual(self.all_of(server), [])
        self.assertGreater(kills, 2)
        for what in ("create", "exec", "write", "check", "fork", "stop", "start", "pause", "delete"):
            self.assertTrue(any(name == what and status in (200, 201) for name, status in done), what)


if __name__ == "__main__":
    unittest.main(verbosity=2)
