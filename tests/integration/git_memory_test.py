"""Git on a large repository in a sandbox of half the smallest size: the host lowers the limit of one that runs."""

import contextlib
import ctypes
import os
import pathlib
import subprocess
import threading
import time
import unittest
import urllib.parse

from git_rig import GitHttp, make_large_repository, scratch
from harness import ServerTest

MIB = 1 << 20
LIMIT = 512 * MIB
FILES = 50_000
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def in_network_of(pid):
    """This thread makes its sockets in the network namespace of another process."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path):
        with open(path) as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns " + path)
    with open("/proc/thread-self/ns/net") as back:
        enter(f"/proc/{pid}/ns/net")
        try:
            yield
        finally:
            enter(f"/proc/self/fd/{back.fileno()}")


class MemoryGroup:
    """The cgroup, of either version, that limits the memory of a process."""

    def __init__(self, pid):
        paths = dict(line.split(":", 2)[1:] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines())
        self.is_v1 = "memory" in paths
        root = pathlib.Path("/sys/fs/cgroup/memory" if self.is_v1 else "/sys/fs/cgroup")
        self.path = root / paths["memory" if self.is_v1 else ""].lstrip("/")
        while not self.has_limit():
            self.path = self.path.parent
            assert self.path != root.parent, "no limit found"

    def has_limit(self):
        text = self.read("memory.limit_in_bytes" if self.is_v1 else "memory.max")
        return text.isdigit() and int(text) < 1 << 50

    def read(self, name):
        file = self.path / name
        return file.read_text().strip() if file.exists() else ""

    def set_limit(self, size):
        if self.is_v1:
            swap = self.path / "memory.memsw.limit_in_bytes"
            (self.path / "memory.limit_in_bytes").write_text(str(size))
            if swap.exists():
                swap.write_text(str(size))
        else:
            (self.path / "memory.max").write_text(str(size))

    def killed(self):
        events = self.read("memory.oom_control" if self.is_v1 else "memory.events")
        return int(dict(line.split() for line in events.splitlines())["oom_kill"])

    def usage(self):
        return int(self.read("memory.usage_in_bytes" if self.is_v1 else "memory.current"))


class LargeRepository(ServerTest):
    SETTINGS = {"slots": 1}

    def group_of(self, box):
        """By a process of the user's, which the host finds by its arguments."""
        mark = f"{time.time_ns() % 10**9 + 10**6}"
        self.server.execute(box, f"(setsid sleep {mark} >/dev/null 2>&1 &)")
        found, deadline = [], time.monotonic() + 30
        while not found and time.monotonic() < deadline:  # the command is over before its background has begun
            found = subprocess.run(["pgrep", "-f", f"^sleep {mark}$"], capture_output=True, text=True).stdout.split()
        self.assertEqual(len(found), 1)
        return int(found[0]), MemoryGroup(int(found[0]))

    def git(self, box, operation, method="POST", **body):
        started = time.monotonic()
        path = f"/toolbox/{box}/git/{operation}"
        if method == "GET":
            status, answer = self.api(method, f"{path}?{urllib.parse.urlencode(body)}", timeout=900)
        else:
            status, answer = self.api(method, path, body, timeout=900)
        print(f"  {operation}: {time.monotonic() - started:.1f} s", flush=True)
        self.assertIn(status, (200, 201), (operation, answer))
        return answer

    def test_50000_files_in_512_megabytes(self):
        with scratch("/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as root:
            make_large_repository(root / "r.git", FILES)
            box = self.box()
            pid, group = self.group_of(box)
            group.set_limit(LIMIT)
            with in_network_of(pid):
                http = GitHttp(root)
            peak, ended = 0, threading.Event()

            def watch():
                nonlocal peak
                while not ended.wait(0.05):
                    peak = max(peak, group.usage())
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                with http:
                    self.git(box, "clone", url=f"{http.url}/r.git", path="r")
                self.assertEqual(self.server.execute(box, "find r -name .git -prune -o -type f -print | wc -l")["result"].strip(), str(FILES))
                status = self.git(box, "status", "GET", path="r")
                self.assertEqual((status["currentBranch"], status["fileStatus"]), ("main", []))
                self.server.execute(box, "cd r && for d in d*; do for f in $d/*5; do echo more >> $f; done; echo new > $d/new; done")
                self.assertEqual(len(self.git(box, "status", "GET", path="r")["fileStatus"]), FILES // 10 + FILES // 200)
                self.git(box, "add", path="r", files=["."])
                self.git(box, "commit", path="r", message="m", author="A", email="a@test")
                self.assertEqual(self.git(box, "status", "GET", path="r")["ahead"], 1)
                self.git(box, "reset", path="r", mode="hard", target="HEAD~1")
                self.assertEqual(self.git(box, "status", "GET", path="r")["fileStatus"], [])
            finally:
                ended.set()
                watcher.join()
            print(f"  highest use, cache included: {peak / MIB:.0f} MiB", flush=True)
            self.assertLessEqual(peak, LIMIT)
            self.assertEqual(group.killed(), 0)


if __name__ == "__main__":
    unittest.main()
