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
from importers import ImporterKiller  # noqa: E402
from traces import assert_nothing_left  # noqa: E402

CONVERGE_SECONDS = 60
# Ignores TERM, so that a stop takes its whole grace.
DEAF = "(nohup sh -c 'trap \"\" TERM; : > /tmp/deaf; while :; do sleep 0.1; done' >/dev/null 2>&1 &); until [ -e /tmp/deaf ]; do sleep 0.02; done"
RESTS = ("started", "stopped", "paused", "archived", "error")


class HangTest(unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def with_server(self, **settings):
        server = Server({"slots": 4, **settings}).start()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def call(self, server, method, path, body=None, timeout=90):
        try:
            return server.request(method, path, body, timeout=timeout)[:2]
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)

    def until(self, what, condition, seconds=CONVERGE_SECONDS):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        self.fail(what)

    def toolbox_pid(self, server, box):
        answer = subprocess.run(["curl", "-s", "--unix-socket", str(server.run_dir() / "runner.sock"),
                                 f"http://runner/v1/sandboxes/{box}"], capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)["pid"]

    def make_ready(self, server):
        """One sandbox for each transition, in the state from which it begins; and one that is to notice nothing."""
        boxes = {}
        for what in ("stop", "pause", "resume", "start", "fork", "snapshot", "archive", "restore", "resize", "delete", "bystander"):
            boxes[what] = server.create(snapshot="daytona-small")["id"]
            server.execute(boxes[what], "echo kept > /home/daytona/file; sync /home/daytona/file")
        server.execute(boxes["stop"], DEAF)
        for what in ("start", "archive", "restore"):
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes[what]}/stop")[0], 200)
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes['resume']}/pause")[0], 200)
        self.call(server, "POST", f"/api/sandbox/{boxes['restore']}/archive")
        self.until("archived", lambda: self.call(server, "GET", f"/api/sandbox/{boxes['restore']}")[1]["state"] == "archived")
        return boxes

    def transitions(self, boxes):
        return {"create": ("POST", "/api/sandbox", {"name": "created-meanwhile", "snapshot": "daytona-small"}),
                "resume": ("POST", f"/api/sandbox/{boxes['resume']}/start", None), "restore": ("POST", f"/api/sandbox/{boxes['restore']}/start", None),
                "fork": ("POST", f"/api/sandbox/{boxes['fork']}/fork", {"name": "forked-meanwhile"}),
                "snapshot": ("POST", f"/api/sandbox/{boxes['snapshot']}/snapshot", {"name": "made-meanwhile"}),
                "resize": ("POST", f"/api/sandbox/{boxes['resize']}/resize", {"cpu": 2}), "delete": ("DELETE", f"/api/sandbox/{boxes['delete']}", None),
                **{what: ("POST", f"/api/sandbox/{boxes[what]}/{what}", None) for what in ("start", "stop", "pause", "archive")}}

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
            self.until("all at rest", lambda: self.states(server) is not None and set(self.states(server).values()) <= set(RESTS),
                       CONVERGE_SECONDS - (time.monotonic() - begun))
            answers = {what: asked.result() for what, asked in pending.items()}
        self.check(server, role, boxes, answers, bystander)

    def kill_if_there(self, server, role, pid):
        if server.process and server.role_pid(role) == pid:
            os.kill(pid, signal.SIGKILL)

    def states(self, server):
        status, listed = self.call(server, "GET", "/api/sandbox?limit=200", timeout=5)
        return {item["id"]: item["state"] for item in listed["items"]} if status == 200 else None

    def check(self, server, role, boxes, answers, bystander):
        """What was answered with success is so; nothing was lost; everything can be used or deleted."""
        states, where = self.states(server), f"{role}: {answers}"
        wanted = {"stop": "stopped", "pause": "paused", "resume": "started", "start": "started", "restore": "started"}
        for what, state in wanted.items():
            if answers[what][0] == 200 and answers[what][1]["state"] == state:
                self.assertEqual(states[boxes[what]], state, where)
        if answers["delete"][0] == 200:
            self.assertNotIn(boxes["delete"], states, where)
        if answers["resize"][0] == 200:
            self.assertEqual(self.call(server, "GET", f"/api/sandbox/{boxes['resize']}")[1]["cpu"], 2, where)
        self.assertEqual(states[boxes["bystander"]], "started")
        self.assertEqual(self.toolbox_pid(server, boxes["bystander"]), bystander)
        for what, box in boxes.items():
            if box not in states:
                continue
            self.assertNotEqual(states[box], "error", (what, where))
            if states[box] != "started":
                self.until(f"{what} starts", lambda: self.call(server, "POST", f"/api/sandbox/{box}/start")[0] == 200)
            self.assertEqual(server.execute(box, "cat /home/daytona/file")["result"], "kept\n", what)
        for name in ("created-meanwhile", "forked-meanwhile"):
            status, found = self.call(server, "GET", f"/api/sandbox/{name}")
            self.assertIn(status, (200, 404))
            if status == 200:
                self.assertEqual(server.execute(found["id"], "echo on")["result"], "on\n")
        # Parents once their forks are gone.
        self.until("nothing left", lambda: not [self.call(server, "DELETE", f"/api/sandbox/{box}") for box in self.states(server)], 30)

    def hang_importer(self, verb, rest):
        """One of the two processes of an archive (or of a restore) stands still: the job ends, and is done when tried again."""
        server = self.with_server()
        box = server.create(snapshot="daytona-small")["id"]
        server.execute(box, "echo kept > /home/daytona/file; head -c 200M /dev/urandom > /home/daytona/large; sync")
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{box}/stop")[0], 200)

        def state():
            return self.call(server, "GET", f"/api/sandbox/{box}")[1]["state"]
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
        if verb == "archive":
            self.call(server, "POST", f"/api/sandbox/{box}/archive")
            self.until("archived in the end", lambda: state() == "archived")
        self.until("it starts", lambda: self.call(server, "POST", f"/api/sandbox/{box}/start")[0] == 200)
        self.assertEqual(server.execute(box, "cat /home/daytona/file")["result"], "kept\n")
        self.assertEqual(self.call(server, "DELETE", f"/api/sandbox/{box}")[0], 200)
        assert_nothing_left(server)

    def test_a_hung_runner_or_control_or_importer(self):
        # Side by side: most of the time is waiting for the silence to be long enough.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            roles = [pool.submit(self.hang_during_everything, role) for role in ("runner", "control")]
            jobs = [pool.submit(self.hang_importer, *how) for how in (("archive", "stopped"), ("start", "archived"))]
            for done in roles + jobs:
                done.result()

    def test_a_hung_toolbox(self):
        server = self.with_server()
        boxes = {what: server.create(snapshot="daytona-small")["id"] for what in ("stop", "delete", "pause", "fork")}
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
        for box in [child["id"], *boxes.values()]:
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
        self.until("creates are refused", lambda: self.call(server, "POST", "/api/sandbox", {"snapshot": "daytona-small"})[0] == 503, 30)
        status, refused = self.call(server, "POST", "/api/sandbox", {"snapshot": "daytona-small"})
        self.assertEqual(status, 503, refused)
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
