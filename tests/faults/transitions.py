"""A sandbox in each state from which a transition begins, all transitions at once, and what must hold after a fault in
the middle of them."""

import http.client
import json
import os
import signal
import subprocess
import time

from harness import Server

CONVERGE_SECONDS = 60
# Ignores TERM, so that a stop takes its whole grace.
DEAF = "(nohup sh -c 'trap \"\" TERM; : > /tmp/deaf; while :; do sleep 0.1; done' >/dev/null 2>&1 &); until [ -e /tmp/deaf ]; do sleep 0.02; done"
RESTS = ("started", "stopped", "paused", "archived", "error")


class Transitions:
    """For a TestCase."""

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
        for what in ("stop", "pause", "resume", "start", "fork", "snapshot", "archive", "restore", "resize", "delete", "backup", "recover", "bystander"):
            boxes[what] = server.create(snapshot="daytona-small")["id"]
            server.execute(boxes[what], "echo kept > /home/daytona/file; sync /home/daytona/file")
        server.execute(boxes["stop"], DEAF)
        for what in ("start", "archive", "restore"):
            self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes[what]}/stop")[0], 200)
        self.assertEqual(self.call(server, "POST", f"/api/sandbox/{boxes['resume']}/pause")[0], 200)
        os.kill(self.toolbox_pid(server, boxes["recover"]), signal.SIGKILL)
        self.until("failed", lambda: self.call(server, "GET", f"/api/sandbox/{boxes['recover']}")[1]["state"] == "error")
        self.call(server, "POST", f"/api/sandbox/{boxes['restore']}/archive")
        self.until("archived", lambda: self.call(server, "GET", f"/api/sandbox/{boxes['restore']}")[1]["state"] == "archived")
        return boxes

    def transitions(self, boxes):
        return {"create": ("POST", "/api/sandbox", {"name": "created-meanwhile", "snapshot": "daytona-small"}),
                "resume": ("POST", f"/api/sandbox/{boxes['resume']}/start", None), "restore": ("POST", f"/api/sandbox/{boxes['restore']}/start", None),
                "fork": ("POST", f"/api/sandbox/{boxes['fork']}/fork", {"name": "forked-meanwhile"}),
                "snapshot": ("POST", f"/api/sandbox/{boxes['snapshot']}/snapshot", {"name": "made-meanwhile"}),
                "resize": ("POST", f"/api/sandbox/{boxes['resize']}/resize", {"cpu": 2}), "delete": ("DELETE", f"/api/sandbox/{boxes['delete']}", None),
                **{what: ("POST", f"/api/sandbox/{boxes[what]}/{what}", None) for what in ("start", "stop", "pause", "archive", "backup", "recover")}}

    def states(self, server):
        status, listed = self.call(server, "GET", "/api/sandbox?limit=200", timeout=5)
        return {item["id"]: item["state"] for item in listed["items"]} if status == 200 else None

    def until_at_rest(self, server, seconds=CONVERGE_SECONDS):
        self.until("all at rest", lambda: (lambda states: states is not None and set(states.values()) <= set(RESTS))(self.states(server)), seconds)

    def check(self, server, role, boxes, answers, bystander, rebooted=False):
        """What was answered with success is so; nothing was lost; everything can be used or deleted."""
        states, where = self.until("the list", lambda: self.states(server)), f"{role}: {answers}"
        # A reboot stops what runs; nothing else.
        running, paused = ("stopped", "stopped") if rebooted else ("started", "paused")
        wanted = {"stop": "stopped", "pause": paused, "resume": running, "start": running, "restore": running, "recover": running, "backup": running}
        for what, state in wanted.items():
            if answers[what][0] == 200 and answers[what][1]["state"] in RESTS:
                self.assertEqual(states[boxes[what]], state, where)
        if answers["delete"][0] == 200:
            self.assertNotIn(boxes["delete"], states, where)
        if answers["resize"][0] == 200:
            self.assertEqual(self.call(server, "GET", f"/api/sandbox/{boxes['resize']}")[1]["cpu"], 2, where)
        self.assertEqual(states[boxes["bystander"]], running, where)
        if not rebooted:
            self.assertEqual(self.toolbox_pid(server, boxes["bystander"]), bystander)
        for what, box in boxes.items():
            if box not in states:
                continue
            if what != "recover":
                self.assertNotEqual(states[box], "error", (what, where))
            verb = "recover" if states[box] == "error" else "start"
            if states[box] != "started":
                self.until(f"{what} starts", lambda: self.call(server, "POST", f"/api/sandbox/{box}/{verb}")[0] == 200)
            self.assertEqual(server.execute(box, "cat /home/daytona/file")["result"], "kept\n", what)
        for name in ("created-meanwhile", "forked-meanwhile"):
            status, found = self.call(server, "GET", f"/api/sandbox/{name}")
            self.assertIn(status, (200, 404))
            if status == 200:
                if found["state"] != "started":
                    self.until(f"{name} starts", lambda: self.call(server, "POST", f"/api/sandbox/{found['id']}/start")[0] == 200)
                wanted = "kept\n" if name == "forked-meanwhile" else ""
                self.assertEqual(server.execute(found["id"], "cat /home/daytona/file 2>/dev/null || true")["result"], wanted, name)
        # Parents once their forks are gone.
        def all_gone():
            states = self.states(server)
            for box in states or ():
                self.call(server, "DELETE", f"/api/sandbox/{box}")
            return states == {}
        self.until("nothing left", all_gone)
