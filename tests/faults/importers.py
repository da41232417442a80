"""The processes that unpack and pack, and how to kill or stop one at work."""

import contextlib
import os
import pathlib
import signal
import threading
import time


def importers(runner):
    """The importer processes of a runner: expand and unpack, or pack and compress."""
    found = []
    for task in pathlib.Path(f"/proc/{runner}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in task.read_text().split():
                if b"\0importer\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return sorted(found)


class ImporterKiller:
    """Kills (or stops) one of the two importers as soon as there are two, `delay` later."""

    def __init__(self, runner, which, delay, number=signal.SIGKILL):
        self.killed = None
        self.thread = threading.Thread(target=self.hunt, args=(runner, which, delay, number))
        self.thread.start()

    def hunt(self, runner, which, delay, number):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pids = importers(runner)
            if len(pids) == 2:
                time.sleep(delay)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids[which], number)
                    self.killed = pids[which]
                    return
            time.sleep(0.0005)

    def finish(self):
        self.thread.join()
        return self.killed is not None
