"""A pool that sandboxes have filled: new work is done or refused with words that say what to do, what runs can be used,
stopped and deleted, nothing is lost, and there is room again without a restart."""

import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server  # noqa: E402
from traces import ask_runner, assert_nothing_left, pool_of  # noqa: E402
from transitions import Transitions  # noqa: E402

FULL = "the pool is full: delete sandboxes or snapshots, or raise pool-size-gib"


class FullPoolTest(Transitions, unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def free(self):
        return ask_runner(self.server, "/v1/info")["pool"]["freeBytes"]

    def fill(self, boxes):
        """To the last page: what one is refused another may still find room for."""
        for _ in range(3):
            for box in boxes:
                status, answer = self.call(self.server, "POST", f"/toolbox/{box}/process/execute",
                                           {"command": "head -c 3G /dev/urandom >> /home/daytona/fill; sync", "timeout": 180}, timeout=200)
                self.assertEqual(status, 200, answer)
            if self.free() < 1 << 20:
                return
        self.fail(f"{self.free()} bytes are free")

    def done_or_refused(self, method, path, body=None):
        """Refused clearly, or done; a sandbox that it has made goes again."""
        status, answer = self.call(self.server, method, path, body)
        self.assertIn(status, (200, 201, 503), (path, answer))
        if status == 503:
            self.refused += 1
            self.assertIn(FULL, answer["message"], path)
        return status, answer

    def good(self, method, path, body=None):
        status, answer = self.call(self.server, method, path, body)
        self.assertIn(status, (200, 201), (path, answer))
        return answer

    def test_life_goes_on(self):
        self.server, self.refused = Server({"slots": 1, "pool-size-gib": 4}, pool=None).start(), 0
        self.addCleanup(self.server.__exit__, None, None, None)
        boxes = {what: self.server.create(snapshot="daytona-small")["id"]
                 for what in ("runs", "stopped", "archived", "stops", "goes", "fill", "fills")}
        for what in ("runs", "stopped", "archived"):
            self.server.execute(boxes[what], "echo kept > /home/daytona/file; sync")
        for what in ("stopped", "archived"):
            self.good("POST", f"/api/sandbox/{boxes[what]}/stop")
        self.good("POST", f"/api/sandbox/{boxes['archived']}/archive")
        self.until("archived", lambda: self.good("GET", f"/api/sandbox/{boxes['archived']}")["state"] == "archived")
        fillers = [boxes["fill"], boxes["fills"]]
        roles = [self.server.role_pid(role) for role in ("runner", "control")]
        runs, made = f"/api/sandbox/{boxes['runs']}", []
        for number, (path, body) in enumerate((("/api/sandbox", {"snapshot": "daytona-small"}), (runs + "/fork", {}), (runs + "/snapshot", {"name": "in-full"}),
                                               (runs + "/backup", None), (f"/api/sandbox/{boxes['stopped']}/start", None))):
            self.fill(fillers)
            status, answer = self.done_or_refused("POST", path, body)
            if status == 200 and number < 2:
                made.append(answer["id"])
            # What is there can be used meanwhile.
            self.assertEqual(self.server.execute(boxes["runs"], "cat /home/daytona/file")["result"], "kept\n")
            self.good("GET", "/api/sandbox")
            self.good("GET", runs)
        self.good("POST", f"/api/sandbox/{boxes['stops']}/stop")
        self.good("DELETE", f"/api/sandbox/{boxes['goes']}")
        self.good("POST", runs + "/pause")
        self.good("POST", runs + "/start")
        for box in [*made, *fillers]:
            self.good("DELETE", f"/api/sandbox/{box}")

        def room():
            subprocess.run(["sync", "-f", str(pool_of(self.server))], check=True)  # it comes back with a commit
            return self.free() > 1 << 30
        self.until("there is room again", room)
        self.until("creates again", lambda: self.call(self.server, "POST", "/api/sandbox", {"snapshot": "daytona-small"})[0] == 200)
        for what in ("stopped", "archived"):
            self.until(f"{what} starts", lambda: self.call(self.server, "POST", f"/api/sandbox/{boxes[what]}/start")[0] == 200)
            self.assertEqual(self.server.execute(boxes[what], "cat /home/daytona/file")["result"], "kept\n")
        self.assertEqual([self.server.role_pid(role) for role in ("runner", "control")], roles, "a role was restarted")
        self.assertGreater(self.refused, 0, "nothing was refused: the pool was not full")
        for _ in range(2):
            for item in self.good("GET", "/api/sandbox")["items"]:
                self.call(self.server, "DELETE", f"/api/sandbox/{item['id']}")
        time.sleep(0.1)
        assert_nothing_left(self.server)


if __name__ == "__main__":
    unittest.main(verbosity=1)
