"""Rows of the benchmark about a sandbox's life: copies, pauses, archives, events."""

import concurrent.futures
import json
import time

from ws import WebSocket

MANY_FORKS = 100


def forks(bench, server, n):
    api = bench.Api(server)
    box = api.ask("POST", "/api/sandbox", {})["id"]
    api.execute(box, "head -c 256M /dev/urandom > /home/daytona/data; sync")
    times, children = [], []
    for i in range(n):
        took, child = api.timed("POST", f"/api/sandbox/{box}/fork", {"name": f"fork-{i}-{time.monotonic_ns()}"})
        times.append(took)
        children.append(child["id"])
    bench.row("fork of a sandbox with 256 MB written and flushed", times, "<=5")
    walls = []
    for _ in range(3):
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(MANY_FORKS) as pool:
            made = list(pool.map(lambda _: bench.Api(server).ask("POST", f"/api/sandbox/{box}/fork", {})["id"], range(MANY_FORKS)))
        walls.append((time.perf_counter() - start) * 1000)
        for child in made:
            api.ask("DELETE", f"/api/sandbox/{child}")
        time.sleep(1)
    bench.row(f"{MANY_FORKS} forks of it at once, wall", walls)
    for child in children:
        api.ask("DELETE", f"/api/sandbox/{child}")
    api.ask("DELETE", f"/api/sandbox/{box}")


def dirty_forks(bench, server, n):
    """Right after 1 GB was written that nobody synced: what of it is not on the disk yet must be, for the copy to be whole."""
    api, times = bench.Api(server), []
    for _ in range(n):
        box = api.ask("POST", "/api/sandbox", {})["id"]
        api.execute(box, "head -c 1G /dev/urandom > /home/daytona/data")
        took, child = api.timed("POST", f"/api/sandbox/{box}/fork", {})
        times.append(took)
        for one in (child["id"], box):
            api.ask("DELETE", f"/api/sandbox/{one}")
        time.sleep(1)
    bench.row("fork right after 1 GB was written, not synced", times, "<=60")


def wait_for_state(api, box, state, seconds=300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = api.ask("GET", f"/api/sandbox/{box}")["state"]
        if found == state:
            return
        if found == "error":
            raise RuntimeError(f"{box} failed on its way to {state}")
        time.sleep(0.002)
    raise RuntimeError(f"{box} does not get {state}")


def states(bench, server, n):
    api = bench.Api(server)
    box = api.ask("POST", "/api/sandbox", {"snapshot": "daytona-small"})["id"]
    api.execute(box, "head -c 64M /dev/urandom > /home/daytona/data; sync")
    pause, resume, first, resize, snapshot = [], [], [], [], []
    for i in range(n):
        pause.append(api.timed("POST", f"/api/sandbox/{box}/pause")[0])
        took = api.timed("POST", f"/api/sandbox/{box}/start")[0]
        resume.append(took)
        first.append(took + api.execute(box)[0])
        name = f"bench-{i}-{time.monotonic_ns()}"
        snapshot.append(api.timed("POST", f"/api/sandbox/{box}/snapshot", {"name": name})[0])
        api.ask("DELETE", f"/api/snapshots/{api.ask('GET', f'/api/snapshots/{name}')['id']}")
        # A larger one only: back it goes when it is stopped.
        resize.append(api.timed("POST", f"/api/sandbox/{box}/resize", {"cpu": 2, "memory": 2})[0])
        api.ask("POST", f"/api/sandbox/{box}/stop?force=true")
        api.ask("POST", f"/api/sandbox/{box}/resize", {"cpu": 1, "memory": 1})
        api.ask("POST", f"/api/sandbox/{box}/start")
    bench.row("pause", pause)
    bench.row("resume", resume, "<=20")
    bench.row("resume -> first command", first)
    bench.row("resize of a running sandbox", resize)
    bench.row("snapshot of a sandbox with 64 MB written", snapshot, "<=5")
    api.ask("DELETE", f"/api/sandbox/{box}")


def archives(bench, server, megabytes):
    api = bench.Api(server)
    box = api.ask("POST", "/api/sandbox", {})["id"]
    # Half of it packs well, half not at all.
    api.execute(box, f"head -c {megabytes // 2}M /dev/urandom > a; head -c {megabytes // 2}M /dev/zero | tr '\\0' x > b; sync")
    api.ask("POST", f"/api/sandbox/{box}/stop")
    start = time.perf_counter()
    api.ask("POST", f"/api/sandbox/{box}/archive")
    wait_for_state(api, box, "archived")
    bench.row(f"archive of {megabytes} MB", [(time.perf_counter() - start) * 1000])
    start = time.perf_counter()
    api.ask("POST", f"/api/sandbox/{box}/start")
    wait_for_state(api, box, "started")
    bench.row(f"restore and start of {megabytes} MB", [(time.perf_counter() - start) * 1000])
    api.ask("DELETE", f"/api/sandbox/{box}")


def listener(server):
    """A client of the events, logged in."""
    socket = WebSocket("127.0.0.1", server.port, "/api/socket.io/?EIO=4&transport=websocket&source=bench")
    assert socket.status == 101, socket.head
    socket.receive()
    socket.send("40" + json.dumps({"token": server.key}))
    assert socket.receive().startswith("40{")
    return socket


def next_state(socket, state):
    """When the event of a change to `state` came."""
    while True:
        text = socket.receive()
        if text == "2":
            socket.send("3")
        elif text.startswith("42"):
            event, data = json.loads(text[2:])
            if event == "sandbox.state.updated" and data["newState"] == state:
                return time.perf_counter()


def events(bench, server, clients, n):
    api, listeners, late = bench.Api(server), [listener(server) for _ in range(clients)], []
    box = api.ask("POST", "/api/sandbox", {})["id"]
    for _ in range(n):
        for call, state in (("pause", "paused"), ("start", "started")):
            api.ask("POST", f"/api/sandbox/{box}/{call}")
            answered = time.perf_counter()
            late.append(max(0, (max(next_state(socket, state) for socket in listeners) - answered) * 1000))
    bench.row(f"event at the last of {clients} clients, after the call's answer", late)
    for socket in listeners:
        socket.close()
    api.ask("DELETE", f"/api/sandbox/{box}")
