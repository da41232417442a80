"""Processes that hang (SIGSTOP) while sandboxes are on their way from one state to another, and a control that dies
while it stops one: everything comes to rest within a minute, nobody is told what is not so."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402
from importers import ImporterKiller, importers  # noqa: E402
from traces import assert_nothing_left  # noqa: E402
from transitions import CONVERGE_SECONDS, DEAF, Transitions  # noqa: E402


class HangTest(Transitions, unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def hang_during_everything(self, role):
        server = self.with_server()
        boxes = self.make_ready(server)
        bystander = self.toolbox_pid(server, boxes["bystander"])
        calls = self.transitions(boxes)
        victim = server.role_pid(role)
        answers = {}
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            begun = time.monotonic()
            pending = {what: pool.submit(self.call, server, *call) for what, call in calls.items()}
            time.sleep(0.01)  # in the middle of some, before the beginning of others
            os.kill(victim, signal.SIGSTOP)
            self.addCleanup(self.kill_if_there, server, role, victim)
            self.until(f"{role} is killed and started again", lambda: server.role_pid(role) not in (None, victim))
            server.wait_serving(CONVERGE_SECONDS)
            self.until_at_rest(server, CONVERGE_SECONDS - (time.monotonic() - begun))
            answers = {what: asked.result() for what, asked in pending.items()}
        self.check(server, role, boxes, answers, bystander)

    def kill_if_there(self, server, role, pid):
        if server.process and server.role_pid(role) == pid:
            os.kill(pid, signal.SIGKILL)

    def hang_importer(self, verb, rest):
        """One of the two processes of an archive, backup or restore stands still: the job ends, and is done when tried again."""
        server = self.with_server()
        box = server.create(snapshot="daytona-small")["id"]
        server.execute(box, "echo kept > /home/daytona/file; head -c 200M /dev/urandom > /home/daytona/large; sync")
        if verb != "backup":
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/stop")[0], 200)

        def state():
            row = self.call(server, "GET", f"/api/sandbox/{box}")[1]
            return row["backupState"] if verb == "backup" else row["state"]
        if verb == "start":
            self.call(server, "POST", f"/api/sandbox/{box}/archive")
            self.until("archived", lambda: state() == "archived")
        stopper = ImporterKiller(server.role_pid("runner"), 1, 0, signal.SIGSTOP)
        asked = threading.Thread(target=self.call, args=(server, "POST", f"/api/sandbox/{box}/{verb}"))
        asked.start()
        self.assertTrue(stopper.finish(), "no importer was seen")
        begun = time.monotonic()
        asked.join()
        self.until(f"{verb} is given up", lambda: state() == rest, CONVERGE_SECONDS - (time.monotonic() - begun))
        if verb != "start":
            self.call(server, "POST", f"/api/sandbox/{box}/{verb}")
            self.until(f"{verb} in the end", lambda: state() in ("archived", "Completed"))
        self.until("it starts", lambda: self.call(server, "POST", f"/api/sandbox/{box}/start")[0] == 200)
        self.assertEqual(server.execute(box, "cat /home/daytona/file")["result"], "kept\n")
        self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{box}")[0], 200)
        assert_nothing_left(server)

    def test_a_hung_runner_or_control_or_importer(self):
        # Side by side: most of the time is waiting for the silence to be long enough.
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            roles = [pool.submit(self.hang_during_everything, role) for role in ("runner", "control")]
            jobs = [pool.submit(self.hang_importer, *how) for how in (("archive", "stopped"), ("start", "archived"), ("backup", "Error"))]
            for done in roles + jobs:
                done.result()

    def test_nobody_waits_for_a_copy(self):
        """While gigabytes are being packed or unpacked (here: by a process that stands still) the sandbox can be used, and
        a delete does not wait."""
        server = self.with_server()
        for verb in ("backup", "archive", "start"):
            box = server.create(snapshot="daytona-small")["id"]
            server.execute(box, "head -c 400M /dev/urandom > /home/daytona/large; sync")
            if verb != "backup":
                self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/stop")[0], 200)
            if verb == "start":
                self.call(server, "POST", f"/api/sandbox/{box}/archive")
                self.until("archived", lambda: self.call(server, "GET", f"/api/sandbox/{box}")[1]["state"] == "archived")
            stopper = ImporterKiller(server.role_pid("runner"), 1, 0.05, signal.SIGSTOP)
            asked = threading.Thread(target=self.call, args=(server, "POST", f"/api/sandbox/{box}/{verb}"))
            asked.start()
            self.assertTrue(stopper.finish(), "no importer was seen")
            begun = time.monotonic()
            calls = [("POST", f"/api/sandbox/{box}/{what}") for what in (("stop", "start", "pause") if verb == "backup" else ())]
            for call in [*calls, ("DELETE", f"/api/sandbox/{box}")]:
                status, answer = self.call(server, *call)
                self.assertEqual(status, 200, (call, answer))
            self.assertLess(time.monotonic() - begun, 20, verb)  # a copy that stands still is given up after 30 s
            self.assertEqual(self.call(server, "GET", f"/api/sandbox/{box}")[0], 404)
            asked.join(10)
            self.assertFalse(asked.is_alive(), verb)
            self.until("the work ends", lambda: not importers(server.role_pid("runner")), 20)
        assert_nothing_left(server)

    def test_a_hung_toolbox(self):
        server = self.with_server()
        boxes = {what: server.create(snapshot="daytona-small")["id"] for what in ("stop", "delete", "pause", "fork", "copy")}
        for box in boxes.values():
            server.execute(box, "echo kept > /home/daytona/file; sync /home/daytona/file")
            os.kill(self.toolbox_pid(server, box), signal.SIGSTOP)
        begun = time.monotonic()
        for what, state in (("stop", "stopped"), ("pause", "paused")):
            status, sandbox = self.call(server, "POST", f"/api/sandbox/{boxes[what]}/{what}")
            self.assertEqual((status, sandbox["state"]), (200, state), sandbox)
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes['stop']}/start")[0], 200)
        self.assertEqual(server.execute(boxes["stop"], "cat /home/daytona/file")["result"], "kept\n")
        status, child = self.call(server, "POST", f"/api/sandbox/{boxes['fork']}/fork", {})
        self.assertEqual(status, 200, child)
        self.assertEqual(server.execute(child["id"], "cat /home/daytona/file")["result"], "kept\n")
        for verb, body in (("snapshot", {"name": "of-a-hung-one"}), ("resize", {"cpu": 2}), ("backup", None)):
            self.assertIn(self.call(server, "POST", f"/api/sandbox/{boxes['copy']}/{verb}", body)[0], (200, 201), verb)
        self.until("it is backed up", lambda: self.call(server, "GET", f"/api/sandbox/{boxes['copy']}")[1]["backupState"] == "Completed")
        made = server.create(snapshot="of-a-hung-one")["id"]
        self.assertEqual(server.execute(made, "cat /home/daytona/file")["result"], "kept\n")
        for box in [child["id"], made, *boxes.values()]:
            self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{box}")[0], 200)
        self.assertLess(time.monotonic() - begun, CONVERGE_SECONDS)

    def test_a_stop_in_flight_when_control_dies(self):
        server = self.with_server()
        for pause in (None, 0.0, 0.003, 0.01):
            box = server.create(snapshot="daytona-small")["id"]
            server.execute(box, DEAF)
            asked = threading.Thread(target=self.call, args=(server, "POST", f"/api/sandbox/{box}/stop"))
            asked.start()
            if pause is None:
                self.until("it is being stopped", lambda: self.call(server, "GET", f"/api/sandbox/{box}")[1]["state"] == "stopping")
            else:
                time.sleep(pause)
            os.kill(server.role_pid("control"), signal.SIGKILL)
            asked.join()
            seen = []

            def at_rest():
                status, sandbox = self.call(server, "GET", f"/api/sandbox/{box}", timeout=5)
                if status == 200 and seen[-1:] != [sandbox["state"]]:
                    seen.append(sandbox["state"])
                # One that was never told to stop goes on for ever.
                return status == 200 and (sandbox["state"] == "stopped" or seen == ["started"] and len(polls) > 100)
            polls = []
            self.until("at rest", lambda: polls.append(1) or at_rest())
            # Once it has been told to stop nobody hears that it is started.
            self.assertIn(seen, (["stopping", "stopped"], ["stopped"], ["started"]), pause)
            if pause is None:
                self.assertNotEqual(seen, ["started"])
            self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{box}")[0], 200)

    def test_a_full_disk_of_the_database(self):
        data = pathlib.Path(self.enterContext(self.small_disk()))
        server = Server({"slots": 2}, data=data)
        self.addCleanup(server.__exit__, None, None, None)
        server.start()
        boxes = [server.create(snapshot="daytona-small")["id"] for _ in range(3)]
        server.execute(boxes[0], "echo kept > /home/daytona/file; sync /home/daytona/file")
        filler = open(data / "filler", "wb", buffering=0)
        with contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        refused = self.until("creates are refused", lambda: (lambda answer: answer[1] if answer[0] == 503 else None)(
            self.call(server, "POST", "/api/sandbox", {"snapshot": "daytona-small"})), 30)
        self.assertIn("disk", refused["message"])
        self.assertEqual(self.call(server, "GET", "/api/sandbox")[0], 200)
        self.assertEqual(self.call(server, "GET", f"/api/sandbox/{boxes[0]}")[1]["state"], "started")
        self.assertEqual(server.execute(boxes[0], "cat /home/daytona/file")["result"], "kept\n")
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes[1]}/stop")[0], 200)
        self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{boxes[2]}")[0], 200)
        self.assertEqual(self.call(server, "GET", f"/api/sandbox/{boxes[2]}")[0], 404)
        filler.close()
        (data / "filler").unlink()
        made = self.until("creates again", lambda: (lambda answer: answer[1] if answer[0] == 200 else None)(
            self.call(server, "POST", "/api/sandbox", {"snapshot": "daytona-small"})), 30)
        self.assertEqual(server.execute(made["id"], "echo on")["result"], "on\n")

    @contextlib.contextmanager
    def small_disk(self):
        place = tempfile.mkdtemp(prefix="sebring-test-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0755", "sebring-small", place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
            os.rmdir(place)


if __name__ == "__main__":
    unittest.main(verbosity=1)
