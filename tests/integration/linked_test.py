"""Linked sandboxes: one private network per group, names inside it, nobody else; what ends with what."""

import concurrent.futures
import os
import signal
import subprocess
import time
import unittest
import uuid

from harness import ServerTest

# Tells who asks, as it sees them: nothing may be masqueraded within a group.
SERVE = ("import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(self):\n    self.send_response(200); self.end_headers()\n"
         "    self.wfile.write(self.client_address[0].encode())\n  def log_message(self, *_): pass\n"
         "http.server.ThreadingHTTPServer(('0.0.0.0', 3000), H).serve_forever()\n")


class LinkedTest(ServerTest):
    SETTINGS = {"slots": 6}

    def linked(self, head, **body):
        return self.box(linkedSandbox=head, autoDeleteInterval=0, **body)

    def run_in(self, box, command):
        return self.server.execute(box, command)["result"].strip()

    def serve(self, *boxes):
        for box in boxes:
            self.good("POST", f"/toolbox/{box}/files/upload-v2?path=/tmp/serve.py", SERVE, headers={"Content-Type": "application/octet-stream"})
            self.run_in(box, "(nohup python3 /tmp/serve.py >/dev/null 2>&1 &); for i in $(seq 200); do curl -s -o /dev/null http://127.0.0.1:3000/ && break; sleep 0.1; done")

    def address(self, box):
        return self.run_in(box, "hostname -I").split()[0]

    def reach(self, box, host, seconds=20):
        """What the other end says of who asks; "" when nothing came."""
        return self.run_in(box, f"curl -s --connect-timeout {seconds} --max-time {seconds} http://{host}:3000/ || true")

    def unreachable(self, pairs):
        """Looked at long enough for a second SYN, all at once."""
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda pair: self.reach(*pair, seconds=2), pairs))
        self.assertEqual(found, [""] * len(found), pairs)

    def until(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.1)
        self.fail(what)

    def resolves(self, box, name):
        return self.run_in(box, f"getent ahostsv4 {name} | cut -d' ' -f1 | head -n 1")

    def test_group(self):
        suffix = uuid.uuid4().hex[:6]
        head = self.box(name=f"head-{suffix}")
        self.run_in(head, "echo '10.9.8.7 mine' | sudo tee -a /etc/hosts")
        one = self.linked(head, name=f"one-{suffix}")
        two = self.linked(f"head-{suffix}", name=f"Two_{suffix}")  # by name
        # What may not reach the world reaches those it was linked to.
        blocked = self.linked(head, networkBlockAll=True)
        stranger, other_head = self.box(), self.box()
        other = self.linked(other_head)
        members = {head: f"head-{suffix}", one: f"one-{suffix}", two: f"Two_{suffix}", blocked: blocked}
        self.assertEqual(self.good("GET", f"/api/sandbox/{one}")["linkedSandboxId"], head)
        self.assertNotIn("linkedSandboxId", self.good("GET", f"/api/sandbox/{head}"))
        self.serve(*members, stranger, other)
        addresses = {box: self.address(box) for box in [*members, stranger, other]}
        for box in members:
            for peer, name in members.items():
                if peer != box:
                    self.assertEqual([self.reach(box, peer), self.reach(box, name)], [addresses[box]] * 2, (members[box], name))
        self.assertEqual(self.resolves(head, "mine"), "10.9.8.7")
        # Neither those of no group nor those of another; by address, since no name leads there.
        outsiders = (stranger, other)
        self.unreachable([(a, addresses[b]) for m in members for o in outsiders for a, b in ((m, o), (o, m))])
        self.unreachable([(stranger, addresses[other]), (other, addresses[stranger])])
        for outsider in outsiders:
            self.assertEqual([self.resolves(outsider, one), self.resolves(outsider, f"one-{suffix}")], ["", ""])
        self.assertEqual(self.run_in(stranger, "grep -c linked /etc/hosts"), "0")
        # A fork of a member is none.
        fork = self.good("POST", f"/api/sandbox/{one}/fork", {})["id"]
        self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{fork}")
        self.assertEqual(self.run_in(fork, "grep -c linked /etc/hosts"), "0")
        self.unreachable([(fork, addresses[head]), (fork, addresses[two])])
        self.good("DELETE", f"/api/sandbox/{fork}")

        # One that stops is gone, with its name; another that gets its address perhaps is nobody's neighbour.
        self.good("POST", f"/api/sandbox/{two}/stop?force=true")
        self.until("deleted", lambda: self.api("GET", f"/api/sandbox/{two}")[0] == 404)
        self.until("its name is gone", lambda: self.resolves(head, two) == "" and self.resolves(one, f"Two_{suffix}") == "")
        late = [self.box() for _ in range(8)]
        self.unreachable([(box, addresses[one]) for box in late] + [(one, self.address(box)) for box in late[:2]])

        # The head stops and starts: the others run on, and find it where it is now.
        self.good("POST", f"/api/sandbox/{head}/stop?force=true")
        self.until("its name is gone", lambda: self.resolves(one, head) == "")
        self.assertEqual(self.reach(one, blocked), addresses[one])
        joined = self.linked(head)  # while it is stopped
        self.good("POST", f"/api/sandbox/{head}/start")
        self.assertEqual(self.resolves(head, "mine"), "10.9.8.7")
        self.serve(head)
        self.assertEqual({self.reach(box, f"head-{suffix}") for box in (one, joined)}, {addresses[one], self.address(joined)})
        self.assertEqual(self.reach(head, one), self.address(head))

        # Paused while somebody comes: it learns of them when it goes on.
        self.good("POST", f"/api/sandbox/{one}/pause")
        newest = self.linked(head)
        self.good("POST", f"/api/sandbox/{one}/start")
        self.assertEqual(self.resolves(one, newest), self.address(newest))

        # The head goes, and all go.
        self.good("DELETE", f"/api/sandbox/{head}")
        self.until("all are gone", lambda: {self.api("GET", f"/api/sandbox/{box}")[0] for box in (one, blocked, joined, newest)} == {404})
        self.assertEqual(self.good("GET", f"/api/sandbox/{stranger}")["state"], "started")

    def test_nobody_notices_when_the_server_dies(self):
        head = self.box()
        one = self.linked(head)
        stranger = self.box()
        self.serve(head, one)
        for role in ("runner", "control"):
            pid = self.server.role_pid(role)
            os.kill(pid, signal.SIGKILL)
            self.until("another life", lambda: self.server.role_pid(role) not in (None, pid))
            self.server.wait_serving(60)
            self.until("in step", lambda: self.api("POST", f"/toolbox/{one}/process/execute", {"command": "true"})[0] == 200)
            self.assertEqual(self.reach(one, head), self.address(one), role)
            joined = self.linked(head)
            self.serve(joined)
            self.assertEqual(self.reach(joined, one), self.address(joined), role)
            self.assertEqual(self.reach(head, joined), self.address(head), role)
            self.unreachable([(stranger, self.address(head)), (stranger, self.address(joined))])
            # What the first life made ends in the second.
            gone = self.address(joined)
            self.good("DELETE", f"/api/sandbox/{joined}")
            self.until("no rule is left", lambda: self.links_of(gone) == 0)
        self.assertGreater(self.links_of(self.address(head)), 0)

    def links_of(self, address):
        """Elements of the firewall that let others reach the sandbox at this address."""
        table = "sebring_" + self.server.instance().replace("-", "_")
        source = subprocess.run(["nft", "list", "set", "inet", table, "source"], capture_output=True, text=True, check=True).stdout
        link = next((part.split('"')[1] for part in source.split(",") if part.split()[-1] == address or f" {address} " in part + " "), None)
        self.assertIsNotNone(link, address)
        linked = subprocess.run(["nft", "list", "set", "inet", table, "linked"], capture_output=True, text=True, check=True).stdout
        return linked.count(f'"{link}"')

    def test_what_cannot_be_linked(self):
        head = self.box(name="head-" + uuid.uuid4().hex[:6])
        member = self.linked(head)
        deleted, archived = self.box(), self.box(snapshot="daytona-small")
        self.good("DELETE", f"/api/sandbox/{deleted}")
        self.good("POST", f"/api/sandbox/{archived}/stop?force=true")
        self.good("POST", f"/api/sandbox/{archived}/archive")
        self.until("archived", lambda: self.good("GET", f"/api/sandbox/{archived}")["state"] == "archived")
        made = str(uuid.uuid4())
        rows = [(dict(linkedSandbox=made), 404, f"Sandbox with ID or name {made} not found"),
                (dict(linkedSandbox=deleted), 404, None),
                (dict(linkedSandbox="me", name="me"), 404, "Sandbox with ID or name me not found"),
                (dict(linkedSandbox=member), 400, "Cannot link to a sandbox that is itself linked"),
                (dict(linkedSandbox=archived), 400, "Cannot link to an archived sandbox: start it first"),
                (dict(linkedSandbox=head, autoDeleteInterval=1), 400, "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0"),
                (dict(linkedSandbox=head, autoDeleteInterval=-1), 400, "Linked sandboxes must be ephemeral - set autoDeleteInterval to 0"),
                (dict(linkedSandbox=7), 400, None), (dict(linkedSandbox={"id": head}), 400, None)]
        for body, status, message in rows:
            with self.subTest(body=body):
                answered, answer = self.api("POST", "/api/sandbox", {"autoDeleteInterval": 0, **body})
                self.assertEqual(answered, status, answer)
                if message:
                    self.assertEqual(answer["message"], message)
        self.assertEqual(self.api("POST", "/api/sandbox", {"linkedSandbox": head})[0], 400)
        self.assertEqual(self.api("POST", f"/api/sandbox/{member}/autodelete/30")[0], 400)
        # The way by which control tells the names is no way for others.
        for path in ("hosts", "%68osts", "./hosts"):
            status, _ = self.api("PUT", f"/toolbox/{member}/{path}", {"hosts": [{"address": "1.2.3.4", "names": ["example.org"]}]}, headers={"X-Sebring-Internal": "1"})
            self.assertIn(status, (400, 404, 405), path)
        self.assertNotIn("example.org", self.run_in(member, "cat /etc/hosts"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
