"""No free descriptors, no free processes, no room: what runs goes on, nothing is stopped or deleted by mistake, refusals
are clear, and everything works again as soon as there is room, without a restart."""

import contextlib
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Leftovers, Server, snapshot_directory  # noqa: E402
from traces import assert_nothing_left, pool_of  # noqa: E402


class StarveTest(unittest.TestCase):
    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def setUp(self):
        # What is refused under pressure must not be what waits ready.
        # One more sandbox fits into the quota: what a refused create had taken of it must be given back.
        self.server = Server({"slots": 1, "cpus-total-max": 4}).start()
        self.addCleanup(self.server.__exit__, None, None, None)
        self.boxes = [self.server.create(snapshot="daytona-small")["id"] for _ in range(3)]
        for box in self.boxes:
            self.server.execute(box, "echo kept > /home/daytona/file; sync /home/daytona/file")
        # Kept alive: a server without a free descriptor can not take a new connection.
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        self.addCleanup(self.connection.close)
        self.assertEqual(self.ask("GET", "/api/sandbox")[0], 200)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if raw else None

    def until(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                self.fail(f"{what}\n{self.server.log()[-3000:]}")
            time.sleep(0.1)
        return found

    def states(self):
        status, listed = self.ask("GET", "/api/sandbox?limit=200")
        self.assertEqual(status, 200, listed)
        return {item["id"]: item["state"] for item in listed["items"]}

    def refused(self):
        """Creates until one is refused, and gives back what was made."""
        for _ in range(20):
            status, answer = self.ask("POST", "/api/sandbox", {"snapshot": "daytona-small"})
            if status != 200:
                return status, answer
            self.assertEqual(self.ask("DELETE", f"/api/sandbox/{answer['id']}")[0], 200)
        self.fail("creates are not refused")

    def check_starved(self, words):
        status, answer = self.refused()
        self.assertIn(status, (429, 503), answer)
        self.assertRegex(answer["message"], words)
        self.assertEqual(self.states(), dict.fromkeys(self.boxes, "started"))
        self.assertEqual(self.ask("POST", f"/api/sandbox/{self.boxes[1]}/stop")[1]["state"], "stopped")
        self.assertEqual(self.ask("DELETE", f"/api/sandbox/{self.boxes[2]}")[0], 200)
        self.assertEqual(self.states(), {self.boxes[0]: "started", self.boxes[1]: "stopped"})

    def check_recovered(self, pids):
        made = self.until("creates again", lambda: (lambda status, answer: answer if status == 200 else None)(
            *self.ask("POST", "/api/sandbox", {"snapshot": "daytona-small"})))
        self.assertEqual(self.server.execute(made["id"], "echo on")["result"], "on\n")
        self.until("starts again", lambda: self.ask("POST", f"/api/sandbox/{self.boxes[1]}/start")[0] == 200)
        for box in self.boxes[:2]:
            self.assertEqual(self.server.execute(box, "cat /home/daytona/file")["result"], "kept\n")
        self.assertEqual([self.server.role_pid(role) for role in ("runner", "control")], pids, "a role was restarted")
        assert_nothing_left(self.server)

    @contextlib.contextmanager
    def without_descriptors(self, role):
        """No number of a descriptor is free any more: what has one keeps it."""
        pid = self.server.role_pid(role)
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        soft = re.search(r"^Max open files +(\d+)", limits, re.M).group(1)
        self.set_descriptors(pid, 3)
        try:
            yield
        finally:
            self.set_descriptors(pid, soft)

    def set_descriptors(self, pid, soft):
        owner = pathlib.Path(f"/proc/{pid}/status").read_text()
        user = int(re.search(r"^Uid:\s+(\d+)", owner, re.M).group(1))
        group = int(re.search(r"^Gid:\s+(\d+)", owner, re.M).group(1))
        subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={soft}:"], check=True, user=user, group=group, extra_groups=[])

    @contextlib.contextmanager
    def without_processes(self, role):
        """The role's group has as many processes as it may have."""
        root = pathlib.Path("/sys/fs/cgroup/pids" if os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup")
        group, pid = root / f"sebring-starved-{os.getpid()}", self.server.role_pid(role)
        kind = [line.split(":") for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
        home = next(path for _, names, path in kind if names == ("pids" if root.name == "pids" else "") or "pids" in names.split(","))
        group.mkdir()
        try:
            (group / "cgroup.procs").write_text(str(pid))
            time.sleep(0.5)  # slots that were being made
            (group / "pids.max").write_text("1")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                (root / home.lstrip("/") / "cgroup.procs").write_text(str(pid))
            self.until("the group is empty", lambda: not (group / "cgroup.procs").read_text())
            group.rmdir()

    def test_no_descriptors_in_the_runner(self):
        pids = [self.server.role_pid(role) for role in ("runner", "control")]
        with self.without_descriptors("runner"):
            self.check_starved("(?i)open files|descriptor|slot")
            self.assertEqual(self.server.execute(self.boxes[0], "cat /home/daytona/file")["result"], "kept\n")
        self.check_recovered(pids)

    def test_no_descriptors_in_control(self):
        pids = [self.server.role_pid(role) for role in ("runner", "control")]
        with self.without_descriptors("control"):
            self.assertEqual(self.states(), dict.fromkeys(self.boxes, "started"))
            status, answer = self.ask("POST", f"/toolbox/{self.boxes[0]}/process/execute", {"command": "true"})
            self.assertIn(status, (200, 429, 502, 503), answer)
            self.assertEqual(self.ask("POST", f"/api/sandbox/{self.boxes[1]}/stop")[1]["state"], "stopped")
            self.assertEqual(self.ask("DELETE", f"/api/sandbox/{self.boxes[2]}")[0], 200)
        self.check_recovered(pids)

    def test_no_processes(self):
        pids = [self.server.role_pid(role) for role in ("runner", "control")]
        with self.without_processes("runner"):
            self.check_starved("(?i)temporarily unavailable|process|slot")
            self.assertEqual(self.server.execute(self.boxes[0], "cat /home/daytona/file")["result"], "kept\n")
        self.check_recovered(pids)


class RoomTest(unittest.TestCase):
    """Imports and archives are bounded by what is free, and leave nothing behind."""

    def run(self, result=None):
        with Leftovers():
            super().run(result)

    @contextlib.contextmanager
    def small_disk(self, mebibytes):
        place = tempfile.mkdtemp(prefix="sebring-test-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0755", "sebring-small", place], check=True)
        try:
            yield pathlib.Path(place)
        finally:
            subprocess.run(["umount", "-l", place], check=True)
            os.rmdir(place)

    def test_an_archive_that_does_not_fit(self):
        data = self.enterContext(self.small_disk(64))
        server = Server({"slots": 1}, data=data)
        self.addCleanup(server.__exit__, None, None, None)
        server.start()
        box = server.create(snapshot="daytona-small")["id"]
        server.execute(box, "head -c 96M /dev/urandom > /home/daytona/large; sha256sum /home/daytona/large > /home/daytona/sum; sync")
        self.assertEqual(server.request("POST", f"/api/sandbox/{box}/stop")[0], 200)
        self.assertEqual(server.request("POST", f"/api/sandbox/{box}/archive")[0], 200)
        deadline = time.monotonic() + 60
        while (row := server.request("GET", f"/api/sandbox/{box}")[1])["state"] == "archiving" and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual((row["state"], row["backupState"]), ("stopped", "Error"), row)
        self.assertIn("no room is left for the archive", server.log())
        self.assertEqual(list((data / "objects").iterdir()), [])
        # The database next to it has kept its room.
        self.assertEqual(server.request("POST", f"/api/sandbox/{box}/start")[0], 200)
        self.assertEqual(server.execute(box, "sha256sum -c --quiet /home/daytona/sum && echo whole")["result"], "whole\n")
        assert_nothing_left(server)


class OwnPoolTest(unittest.TestCase):
    """A server with a pool of its own and a tiny image, of which a test may take things away."""

    def run(self, result=None):
        with Leftovers():
            super().run(result)

    def setUp(self):
        self.images = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sebring-test-")))
        for path in snapshot_directory("tiny").iterdir():
            shutil.copy(path, self.images)
        self.server = Server({"slots": 1, "pool-size-gib": 2}, pool=None, images=self.images)
        self.addCleanup(self.server.__exit__, None, None, None)
        self.server.start()

    def runner(self, method, path, body=None):
        answer = subprocess.run(["curl", "-s", "--max-time", "60", "-X", method, "--unix-socket", str(self.server.run_dir() / "runner.sock"),
                                 "-d", json.dumps(body or {}), f"http://runner{path}"], capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)

    def layers(self):
        return {path.name for path in (pool_of(self.server) / "../../layers").iterdir()}

    def test_an_import_that_does_not_fit(self):
        before = self.layers()
        tar = self.images / "large.tar"
        with tarfile.open(tar, "w") as layer:  # 48 MiB that do not compress
            member = tarfile.TarInfo("noise")
            member.size = 48 << 20
            layer.addfile(member, io.BytesIO(os.urandom(member.size)))
        digest = "sha256:" + hashlib.sha256(tar.read_bytes()).hexdigest()
        filler = pool_of(self.server) / "filler"
        reserve = self.runner("GET", "/v1/info")["pool"]["totalBytes"] // 20
        with open(filler, "wb") as file, contextlib.suppress(OSError):
            while self.runner("GET", "/v1/info")["pool"]["freeBytes"] - reserve > 24 << 20:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, 16 << 20)
        refused = self.runner("PUT", f"/v1/images/{digest}", {"file": "large.tar"})
        self.assertEqual(refused["code"], "exhausted", refused)
        self.assertIn("the pool has no room for it", refused["message"])
        self.assertEqual(self.layers(), before)
        filler.unlink()
        deadline = time.monotonic() + 60
        while self.runner("GET", "/v1/info")["pool"]["freeBytes"] < reserve + (128 << 20):
            self.assertLess(time.monotonic(), deadline, "the filler's room does not come back")
            subprocess.run(["sync", "-f", str(pool_of(self.server))], check=True)  # it does with a commit
            time.sleep(0.1)
        # What the file must hold is looked at too.
        for what, wrong in (("digest", {"blobDigest": "sha256:" + "0" * 64}), ("bytes", {"blobBytes": 4711})):
            refused = self.runner("PUT", f"/v1/images/{digest}", {"file": "large.tar", **wrong})
            self.assertEqual(refused["code"], "invalid_argument", (what, refused))
            self.assertEqual(self.layers(), before)
        self.assertIn("digest", self.runner("PUT", f"/v1/images/{digest}", {"file": "large.tar"}))
        self.assertEqual(self.layers(), before | {digest[7:]})

    def test_an_image_that_is_gone(self):
        box = self.server.create()["id"]
        self.server.execute(box, "echo kept > /kept; sync")
        self.assertEqual(self.server.request("POST", f"/api/sandbox/{box}/stop")[0], 200)
        digest = json.loads((self.images / "config.json").read_text())["layer"]["digest"][7:]
        layer = pool_of(self.server) / "../../layers" / digest
        layer.rename(layer.with_name("aside"))
        status, refused, _ = self.server.request("POST", f"/api/sandbox/{box}/start")
        self.assertEqual(status, 400, refused)
        row = self.server.request("GET", f"/api/sandbox/{box}")[1]
        self.assertEqual((row["state"], row["recoverable"]), ("error", True), row)
        self.assertIn("its image is not on this machine any more", row["errorReason"])
        self.assertIn(digest, row["errorReason"])
        layer.with_name("aside").rename(layer)
        status, row, _ = self.server.request("POST", f"/api/sandbox/{box}/recover")
        self.assertEqual((status, row["state"]), (200, "started"), row)
        self.assertEqual(self.server.execute(box, "cat /kept")["result"], "kept\n")


if __name__ == "__main__":
    unittest.main(verbosity=1)
