"""The wall clock jumps by a day, a year, back: nothing is stopped or deleted for it, what ends by the wall clock ends and comes
back with it, and everything goes on working, after a restart too."""

import http.client
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import BUILD, Leftovers, Server  # noqa: E402

DAY = 86_400
# As an administrator or a time service would find it: settings of the loader are the only way into processes that take no
# environment from anybody.
IN_A_WORLD_OF_ITS_OWN = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1/etc" /etc && shift && exec "$@"', "-"]


class ClockTest(unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-clock-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        shutil.copy(BUILD / "sebring-clock-shift.so", self.directory / "shift.so")
        (self.directory / "offset").write_bytes(bytes(4096))
        subprocess.run(["cp", "-a", "/etc", str(self.directory / "etc")], check=True)
        (self.directory / "etc/ld.so.preload").write_text(f"{self.directory}/shift.so\n")
        self.server = Server({"slots": 4}, within=[*IN_A_WORLD_OF_ITS_OWN, str(self.directory)]).start()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.addCleanup(self.jump, 0)

    def jump(self, seconds):
        with open(self.directory / "offset", "r+b") as file:
            file.write(struct.pack("q", seconds))

    def good(self, method, path, body=None, **more):
        status, answer, _ = self.server.request(method, path, body, **more)
        self.assertIn(status, (200, 201, 204), answer)
        return answer

    def states(self):
        return {box["name"]: box["state"] for box in self.good("GET", "/api/sandbox?limit=100")["items"]}

    def visit(self, url):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", "/", headers={"Host": parts.netloc})
        status = connection.getresponse().status
        connection.close()
        return status

    def link(self, box, seconds):
        return self.good("GET", f"/api/sandbox/{box}/ports/3000/signed-preview-url?expiresInSeconds={seconds}")["url"]

    def is_valid(self, token):
        return self.good("GET", f"/api/sandbox/ssh-access/validate?token={token}")["valid"]

    def test_jumps(self):
        server = self.server
        for name, settings in (("idle", {"autoStopInterval": 15}), ("ttl", {"ttlMinutes": 60}), ("archived", {"autoArchiveInterval": 60}),
                               ("deleted", {"autoDeleteInterval": 30}), ("ephemeral", {"autoDeleteInterval": 0, "autoStopInterval": 15})):
            server.create(name=name, snapshot="daytona-small", **settings)
        for name in ("archived", "deleted"):
            self.good("POST", f"/api/sandbox/{name}/stop")
        idle = self.good("GET", "/api/sandbox/idle")["id"]
        server.execute(idle, "(python3 -m http.server 3000 >/dev/null 2>&1 &); until (: < /dev/tcp/127.0.0.1/3000) 2>/dev/null; do sleep 0.05; done")
        link, token = self.link(idle, 3600), self.good("POST", f"/api/sandbox/{idle}/ssh-access?expiresInMinutes=60")["token"]
        self.assertEqual((self.visit(link), self.is_valid(token)), (200, True))
        repeated = {"Idempotency-Key": "once"}
        once = self.good("POST", "/api/sandbox", {"name": "once", "snapshot": "daytona-small"}, headers=repeated)["id"]
        before = self.states()
        for jump in (DAY, -DAY, 400 * DAY, 0):
            with self.subTest(days=jump // DAY):
                self.jump(jump)
                box = server.create(snapshot="daytona-small", autoStopInterval=15)
                created = time.strptime(box["createdAt"][:19], "%Y-%m-%dT%H:%M:%S")
                self.assertLess(abs(time.mktime(created) - time.mktime(time.gmtime(time.time() + jump))), 600)  # so it did jump
                time.sleep(3)  # some looks of those that stop and delete
                ends = jump > 3600
                self.assertEqual((self.visit(link), self.is_valid(token)), (403, False) if ends else (200, True))
                self.assertEqual(self.visit(self.link(idle, 600)), 200)
                self.assertEqual(server.execute(box["id"], "echo works")["result"], "works\n")
                self.assertEqual(self.good("POST", "/api/sandbox", {"name": "once", "snapshot": "daytona-small"}, headers=repeated)["id"], once)
                self.good("DELETE", f"/api/sandbox/{box['id']}")
                self.assertEqual(self.states(), before)
                os.kill(server.role_pid("control"), signal.SIGKILL)
                server.wait_serving()
                time.sleep(3)
                self.assertEqual(self.states(), before)


if __name__ == "__main__":
    unittest.main()
