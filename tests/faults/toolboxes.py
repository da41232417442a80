"""The daemons of a server's sandboxes, seen from outside: waiting ones, and those of sandboxes."""

import contextlib
import os
import pathlib
import threading
import time

from traces import ask_runner


def waiting_toolboxes(server):
    """Process ids of daemons that wait for a sandbox to be made of them."""
    taken = {box["pid"] for box in ask_runner(server, "/v1/sandboxes")["sandboxes"] if box["state"] != "stopped"}
    found = []
    for exe in pathlib.Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            if ":sebring-toolbox" not in os.readlink(exe) or f"/sebring-{server.instance()}/" not in (exe.parent / "cgroup").read_text():
                continue
            if int(exe.parent.name) not in taken:
                found.append(int(exe.parent.name))
    return found


class SlotSignaller:
    """Sends a signal to every daemon that waits, `delay` from now on; says whether there was one."""

    def __init__(self, server, delay, number):
        self.pids, self.number, self.hit = waiting_toolboxes(server), number, 0
        self.timer = threading.Timer(delay, self.send)
        if delay:
            self.timer.start()
        else:
            self.send()

    def send(self):
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self.number)
                self.hit += 1

    def finish(self):
        if self.timer.ident:
            self.timer.join()
        return self.hit > 0


def wait_for_slots(server, count, seconds=30):
    deadline = time.monotonic() + seconds
    while ask_runner(server, "/v1/info")["slots"]["ready"] < count:
        assert time.monotonic() < deadline, "no slots become ready"
        time.sleep(0.02)
