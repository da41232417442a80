"""What a server keeps on its disk, seen from outside: disks, snapshots, archives; and whether somebody owns them."""

import json
import pathlib
import subprocess
import time


def ask_runner(server, path):
    answer = subprocess.run(["curl", "-s", "--max-time", "30", "--unix-socket", str(server.run_dir() / "runner.sock"), f"http://runner{path}"],
                            capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def pool_of(server):
    """The instance's directory of the pool, through the mount namespace of the runner, which alone sees it."""
    pid = server.role_pid("runner")
    for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        place = pathlib.Path(f"/proc/{pid}/root{fields[4]}/i/{server.instance()}")
        if kind == "btrfs" and place.exists():
            return place
    raise AssertionError("the runner has no pool")


def disks(server):
    return {path.name for path in pool_of(server).glob("sb/*/*")}


def left_behind(server):
    """Empty when everything on disk has an owner: a sandbox, a slot that waits, a snapshot, an archived sandbox."""
    info = ask_runner(server, "/v1/info")
    boxes = ask_runner(server, "/v1/sandboxes")["sandboxes"]
    rows = server.request("GET", "/api/sandbox?limit=200")[1]["items"]
    ids = {row["id"] for row in rows}
    left = {}
    if info["cleaning"]:
        left["cleaning"] = info["cleaning"]
    if strangers := [box["id"] for box in boxes if box["id"] not in ids]:
        left["containers"] = strangers
    owned = info["slots"]["disks"] + len(boxes)
    if len(found := disks(server)) != owned:
        left["disks"] = f"{len(found)} instead of {owned}"
    snapshots = {item["id"] for item in server.request("GET", "/api/snapshots?limit=100")[1]["items"]}
    if strangers := [path.name for path in pool_of(server).glob("snap/*") if path.name not in snapshots]:
        left["snapshots"] = strangers
    if strangers := [path.name for path in (server.data / "objects").glob("*") if path.name[:36] not in ids]:
        left["archives"] = strangers
    return left


def assert_nothing_left(server, seconds=60):
    """Whatever a death has left must be gone within a minute."""
    deadline = time.monotonic() + seconds
    while left := left_behind(server):
        if time.monotonic() > deadline:
            raise AssertionError(f"left behind: {left}\n{server.log()[-3000:]}")
        time.sleep(0.3)
