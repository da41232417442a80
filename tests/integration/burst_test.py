"""Many at once: a burst of creates, hundreds of listeners, sandboxes that are started by whoever comes to them."""

import concurrent.futures
import json
import subprocess
import threading
import time
import unittest

from harness import ServerTest
from ws import WebSocket


class Admission(ServerTest):
    SETTINGS = {"creates-at-once": 2, "creates-waiting-max": 10}

    def test_a_burst_that_is_too_long_is_told_so(self):
        count = 80
        start = threading.Barrier(count)

        def create(_):
            start.wait()
            return self.server.request("POST", "/api/sandbox", {"snapshot": "daytona-small"})
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            answers = list(pool.map(create, range(count)))
        made = [answer["id"] for status, answer, _ in answers if status == 200]
        refused = [(answer, headers) for status, answer, headers in answers if status != 200]
        for box in made:
            self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{box}")
        # Who was let in stays let in; the others know that it is the server, not they, and when to come again.
        self.assertGreaterEqual(len(made), 12)
        self.assertTrue(refused)
        for answer, headers in refused:
            self.assertEqual((answer["statusCode"], answer["message"]), (503, "The server is busy creating other sandboxes. Please try again later."))
            self.assertRegex(headers["Retry-After"] or "", r"^[1-9]\d*$")
        # Nothing stays of those who were refused, and the line is open again.
        listed = self.good("GET", "/api/sandbox?limit=200")["items"]
        self.assertEqual(sorted(s["id"] for s in listed), sorted(made))
        self.assertEqual(self.server.execute(self.box(), "echo on")["result"], "on\n")


class Forking(ServerTest):
    def test_many_forks_of_one_at_once(self):
        count = 150
        parent = self.box()
        self.server.execute(parent, "echo kept > /home/daytona/file")
        start = threading.Barrier(count)

        def fork(_):
            start.wait()
            status, child, _ = self.server.request("POST", f"/api/sandbox/{parent}/fork", {})
            return status, child, self.server.execute(child["id"], "cat /home/daytona/file")["result"] if status == 200 else None
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            answers = list(pool.map(fork, range(count)))
        self.assertEqual({(status, result) for status, _, result in answers}, {(200, "kept\n")}, answers)
        forks = sorted(child["id"] for _, child, _ in answers)
        self.assertEqual(sorted(child["id"] for child in self.good("GET", f"/api/sandbox/{parent}/forks")), forks)
        self.assertEqual(self.server.request("DELETE", f"/api/sandbox/{parent}")[0], 400)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual({status for status, _, _ in pool.map(lambda box: self.server.request("DELETE", f"/api/sandbox/{box}"), forks)}, {200})


class Listening(ServerTest):
    CLIENTS = 500

    def listener(self):
        client = WebSocket("127.0.0.1", self.server.port, "/api/socket.io/?EIO=4&transport=websocket", timeout=60)
        self.assertEqual(client.status, 101, client.head)
        client.receive()
        client.send("40" + json.dumps({"token": self.server.key}))
        self.assertTrue(client.receive().startswith("40{"))
        self.addCleanup(client.socket.close)
        return client

    def test_five_hundred_hear_of_every_change(self):
        clients = [self.listener() for _ in range(self.CLIENTS)]
        box = self.box()
        self.good("POST", f"/api/sandbox/{box}/pause")
        self.good("POST", f"/api/sandbox/{box}/start")

        def states(client):
            """What was heard of it, until it was started for the second time."""
            heard = []
            while heard.count("started") < 2:
                text = client.receive()
                if text == "2":
                    client.send("3")
                elif text.startswith("42"):
                    event, data = json.loads(text[2:])
                    if event == "sandbox.state.updated" and data["sandbox"]["id"] == box:
                        heard.append(data["newState"])
            return heard
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            heard = list(pool.map(states, clients))
        for one in heard:
            self.assertEqual(one, ["started", "pausing", "paused", "resuming", "started"])


class Waking(ServerTest):
    SETTINGS = {"wake-stopped": "true"}

    def stopped(self, **body):
        box = self.box(snapshot="daytona-small", **body)
        self.good("POST", f"/api/sandbox/{box}/stop?force=true")
        return box

    def test_a_call_a_visit_and_a_login(self):
        called, visited, logged_in = self.stopped(), self.stopped(), self.stopped()
        self.assertEqual(self.server.execute(called, "echo awake")["result"], "awake\n")
        # The token of before the stop; a terminal is served in every sandbox.
        token = self.good("GET", f"/api/sandbox/{visited}/ports/22222/preview-url")["token"]
        for _ in range(2):
            status, page = self.api("GET", f"/preview/{visited}/22222/", headers={"X-Daytona-Preview-Token": token, "Authorization": None})
            self.assertEqual(status, 200, page)
        ssh = self.good("POST", f"/api/sandbox/{logged_in}/ssh-access?expiresInMinutes=5")["token"]
        port = self.good("GET", "/api/config")["sshGatewayCommand"].split()[2]
        options = [f"-o{option}" for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")]
        done = subprocess.run(["ssh", "-F", "none", "-p", port, *options, ssh + "@127.0.0.1", "echo awake"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "awake\n", done.stderr)
        self.assertEqual([self.state(box) for box in (called, visited, logged_in)], ["started"] * 3)

    def test_a_visit_waits_for_what_begins_with_the_sandbox(self):
        box = self.box()
        self.server.execute(box, "echo ready > index.html")
        self.good("POST", f"/api/sandbox/{box}/stop?force=true")
        token = self.good("GET", f"/api/sandbox/{box}/ports/8126/preview-url")["token"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            visit = pool.submit(self.api, "GET", f"/preview/{box}/8126/", headers={"X-Daytona-Preview-Token": token, "Authorization": None})
            self.until_started(box)  # by the visit
            self.server.execute(box, "(nohup sh -c 'sleep 1; python3 -m http.server 8126' >/dev/null 2>&1 &)")
            self.assertEqual(visit.result(), (200, "ready\n"))

    def until_started(self, box):
        deadline = time.monotonic() + 60
        while self.state(box) != "started":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_a_hundred_at_once_make_one_start(self):
        box = self.stopped()
        log = len(self.server.log())
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: self.api("GET", f"/toolbox/{box}/version"), range(100)))
        self.assertEqual({status for status, _ in answers}, {200}, [a for a in answers if a[0] != 200][:3])
        self.assertNotIn("failed", self.server.log()[log:])
        self.assertEqual(self.state(box), "started")

    def test_who_is_not_woken(self):
        box = self.stopped(labels={"sebring.wake": "false"})
        for path in ("version", "work-dir"):
            status, answer = self.api("GET", f"/toolbox/{box}/{path}")
            self.assertIn(status, range(400, 500), answer)
        quiet = self.stopped()
        status, answer = self.api("GET", f"/toolbox/{quiet}/version", headers={"X-Daytona-Skip-Last-Activity-Update": "true"})
        self.assertIn(status, range(400, 500), answer)
        # Nobody is let in because somebody sleeps, and nobody wakes it without a credential.
        for headers in ({"Authorization": None}, {"Authorization": "Bearer wrong"}):
            self.assertIn(self.api("GET", f"/toolbox/{quiet}/version", headers=headers)[0], (401, 403))
            self.assertIn(self.api("GET", f"/preview/{quiet}/22222/", headers=headers)[0], (307, 302, 401, 403))
        self.assertEqual([self.state(one) for one in (box, quiet)], ["stopped"] * 2)
        # The label may be changed at any time.
        self.good("PUT", f"/api/sandbox/{box}/labels", {"labels": {"sebring.wake": "true"}})
        self.good("GET", f"/toolbox/{box}/version")


if __name__ == "__main__":
    unittest.main(verbosity=1)
