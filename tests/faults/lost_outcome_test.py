"""The power fails right after a create or fork was answered: its row is on the disk, its outcome is not yet."""

import contextlib
import os
import pathlib
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402
from traces import ask_runner  # noqa: E402


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class LostOutcomeTest(unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.stop)

    def end_everything(self, sandboxes_too):
        inside = [box["pid"] for box in ask_runner(self.server, "/v1/sandboxes")["sandboxes"]]
        for pid in (self.server.process.pid, self.server.role_pid("control"), self.server.role_pid("runner")):
            kill(pid)
        self.server.process.wait()
        for pid in inside if sandboxes_too else ():
            kill(pid)

    def lose_outcomes(self):
        """The rows as they were when the runner had not answered."""
        with contextlib.closing(sqlite3.connect(self.server.data / "control" / "sebring.db")) as database:
            with database:
                changed = database.execute("UPDATE sandboxes SET state = 'creating' WHERE state = 'started'")
                self.assertEqual(changed.rowcount, 2)

    def state_at_rest(self, box):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, row, _ = self.server.request("GET", f"/api/sandbox/{box}")
            self.assertEqual(status, 200, row)
            if row["state"] != "creating":
                return row["state"]
            time.sleep(0.05)
        self.fail("stays in creating")

    def test_nothing_is_lost(self):
        parent = self.server.create()["id"]
        self.server.execute(parent, "echo kept > ~/file; sync")
        status, child, _ = self.server.request("POST", f"/api/sandbox/{parent}/fork", {})
        self.assertEqual(status, 200, child)
        self.server.execute(child["id"], "echo its own >> ~/file; sync")
        for sandboxes_too in (False, True):
            with self.subTest(sandboxes_too=sandboxes_too):
                self.end_everything(sandboxes_too)
                self.lose_outcomes()
                self.server.start()
                for box, content in ((parent, "kept\n"), (child["id"], "kept\nits own\n")):
                    self.assertEqual(self.state_at_rest(box), "started")
                    self.assertEqual(self.server.execute(box, "cat ~/file")["result"], content)


if __name__ == "__main__":
    unittest.main(verbosity=2)
