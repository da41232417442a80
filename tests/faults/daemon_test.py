"""The daemon inside a sandbox dies or stands still at each step of its life: it is noticed, told in words that somebody can
act on, and the sandbox comes back with its disk within a minute. One that is only slow is left alone."""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers  # noqa: E402
from toolboxes import SlotSignaller, wait_for_slots  # noqa: E402
from traces import assert_nothing_left  # noqa: E402
from transitions import CONVERGE_SECONDS, RESTS, Transitions  # noqa: E402

HUNG = "The sandbox's daemon did not answer any more"


class DaemonTest(Transitions, unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def row(self, server, box):
        return self.call(server, "GET", f"/api/sandbox/{box}")[1]

    def make(self, server):
        box = server.create(snapshot="daytona-small")["id"]
        server.execute(box, "echo kept > /home/daytona/file; sync /home/daytona/file")
        return box

    def check_kept(self, server, box):
        self.assertEqual(server.execute(box, "cat /home/daytona/file")["result"], "kept\n")

    def stop_daemon(self, server, box):
        os.kill(self.toolbox_pid(server, box), signal.SIGSTOP)

    def check_noticed(self, server, box):
        row = self.until("it is noticed", lambda: (lambda row: row if row["state"] == "error" else None)(self.row(server, box)))
        self.assertTrue(row["errorReason"].startswith(HUNG), row["errorReason"])
        self.assertTrue(row["recoverable"])
        status, row = self.call(server, "POST", f"/api/sandbox/{box}/recover")
        self.assertEqual((status, row["state"]), (200, "started"), row)
        self.check_kept(server, box)

    def test_one_that_stands_still_is_noticed(self):
        server = self.with_server()
        hung, in_use, resumed, paused = (self.make(server) for _ in range(4))
        for box in (resumed, paused):
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/pause")[0], 200)
        for box in (hung, in_use, resumed, paused):
            self.stop_daemon(server, box)
        # It was frozen when it was told to stop, so it stops as it wakes.
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{resumed}/start")[0], 200)
        waiting = {}
        asked = threading.Thread(target=lambda: waiting.update(answer=self.call(server, "POST", f"/toolbox/{in_use}/process/execute", {"command": "true"})))
        asked.start()
        for box in (hung, in_use, resumed):
            self.check_noticed(server, box)
        asked.join(10)
        self.assertFalse(asked.is_alive(), "a request to a daemon that was ended hangs")
        self.assertIn(waiting["answer"][0], (502, 503), waiting)
        # A paused one owes nobody an answer.
        self.assertEqual(self.row(server, paused)["state"], "paused")
        for box in (hung, in_use, resumed, paused):
            self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{box}")[0], 200)
        assert_nothing_left(server)

    def test_one_that_is_slow_is_left_alone(self):
        server = self.with_server()
        busy, halting, frozen_runner = (self.make(server) for _ in range(3))
        pids = {box: self.toolbox_pid(server, box) for box in (busy, halting, frozen_runner)}
        server.execute(busy, "for i in $(seq 20); do (nohup sh -c 'while :; do :; done' >/dev/null 2>&1 &); done")
        until = time.monotonic() + 45
        while time.monotonic() < until:  # it stands still for seconds, again and again
            os.kill(pids[halting], signal.SIGSTOP)
            time.sleep(6)
            os.kill(pids[halting], signal.SIGCONT)
            time.sleep(1)
        for box in pids:
            self.assertEqual(self.row(server, box)["state"], "started")
            self.assertEqual(self.toolbox_pid(server, box), pids[box])
            self.check_kept(server, box)

    def test_waiting_ones_die_or_stand_still(self):
        """Whoever is made of them: the sandbox of a create, of one from another's snapshot, a start, a recovery, a fork, a restore."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(self.signal_waiting_ones, *how) for how in ((signal.SIGKILL, (0, 0.002, 0.005)), (signal.SIGSTOP, (0,)))]:
                done.result()

    def signal_waiting_ones(self, number, delays):
        server = self.with_server(slots=2)
        for kind in ("create", "copy", "start", "recover", "fork", "restore"):
            for delay in delays:
                with self.subTest(kind=kind, signal=number, delay=delay):
                    self.signal_in(server, kind, number, delay)
        assert_nothing_left(server)

    def signal_in(self, server, kind, number, delay):
        box = None if kind == "create" else self.make(server)
        if kind in ("start", "restore"):
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/stop")[0], 200)
        if kind == "restore":
            self.call(server, "POST", f"/api/sandbox/{box}/archive")
            self.until("archived", lambda: self.row(server, box)["state"] == "archived")
        if kind == "recover":
            os.kill(self.toolbox_pid(server, box), signal.SIGKILL)
            self.until("its end is noticed", lambda: self.row(server, box)["state"] == "error")
        if kind == "copy":
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/snapshot", {"name": f"of-{box}"})[0], 200)
        wait_for_slots(server, 2)
        name = f"{kind}-{int(number)}-{int(delay * 1000)}"
        path, body = {"create": ("/api/sandbox", {"name": name, "snapshot": "daytona-small"}), "copy": ("/api/sandbox", {"name": name, "snapshot": f"of-{box}"}), "fork": (f"/api/sandbox/{box}/fork", {"name": name}),
                      "recover": (f"/api/sandbox/{box}/recover", None)}.get(kind, (f"/api/sandbox/{box}/start", None))
        signaller = SlotSignaller(server, delay, number)
        begun = time.monotonic()
        status, answer = self.call(server, "POST", path, body)
        self.assertTrue(signaller.finish(), "nothing was waiting")
        if delay == 0:
            self.assertEqual(status, 200, answer)  # the dead and the stopped are passed over
            self.assertLess(time.monotonic() - begun, 15)  # and not waited for
        if status != 200:
            self.assertIn(status, (400, 503), answer)
            self.assertTrue(answer["message"], answer)
        made = box if kind in ("start", "recover", "restore") else name

        def at_rest():
            status, row = self.call(server, "GET", f"/api/sandbox/{made}")
            return status == 404 or status == 200 and row["state"] in RESTS
        self.until("at rest", at_rest, CONVERGE_SECONDS - (time.monotonic() - begun))
        self.check_usable(server, kind, made, status == 200)
        for pid in signaller.pids if number == signal.SIGSTOP else ():  # the next sandbox must not be made of one
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for one in [made] if box in (None, made) else [made, box]:
            self.until("it is deleted", lambda: self.call(server, "DELETE", f"/api/sandbox/{one}")[0] in (200, 404))

    def check_usable(self, server, kind, made, answered):
        """A death right after the answer may be noticed only now."""
        deadline = time.monotonic() + CONVERGE_SECONDS
        while True:
            status, row = self.call(server, "GET", f"/api/sandbox/{made}")
            if status == 404:
                self.assertIn(kind, ("create", "copy", "fork"))
                return self.assertFalse(answered)
            if row["state"] == "error":
                self.assertTrue(row["errorReason"] and row["recoverable"], row)
            if row["state"] != "started":
                self.call(server, "POST", f"/api/sandbox/{made}/{'recover' if row['state'] == 'error' else 'start'}")
            status, answer = self.call(server, "POST", f"/toolbox/{row['id']}/process/execute", {"command": "cat /home/daytona/file 2>/dev/null; echo works"})
            if status == 200:
                return self.assertEqual(answer["result"], "works\n" if kind == "create" else "kept\nworks\n")
            self.assertLess(time.monotonic(), deadline, (row, answer))
            time.sleep(0.2)


if __name__ == "__main__":
    unittest.main(verbosity=1)
