"""Prints the benchmark table: this server beside crun, runc and bubblewrap, all in one run on one machine.

    ./dev bench [--quick] [--json FILE]
"""

import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import BUILD, POOL, Server, snapshot_directory  # noqa: E402
from ws import WebSocket  # noqa: E402

import life_bench  # noqa: E402
import reach_bench  # noqa: E402
from client import Client  # noqa: E402

ROWS = []
QUICK_BASH = "/usr/libexec/sebring/bash"  # what the toolbox starts in the default snapshot


def percentiles(milliseconds):
    times = sorted(milliseconds)
    at = lambda part: times[min(len(times) - 1, int(len(times) * part))]  # noqa: E731
    return at(0.50), at(0.95), at(0.99), len(times)


def row(name, times, target="", note=""):
    p50, p95, p99, n = percentiles(times)
    ROWS.append(dict(name=name, p50=p50, p95=p95, p99=p99, n=n, target=target, note=note))
    print(f"  {name:<58} p50 {p50:9.2f}  p95 {p95:9.2f}  p99 {p99:9.2f}  n {n:<6} {target:<22} {note}", flush=True)


def value(name, text, target="", note=""):
    ROWS.append(dict(name=name, value=text, target=target, note=note))
    print(f"  {name:<58} {text:<47} {target:<22} {note}", flush=True)


class Api(Client):
    """Wants success, and parses what is JSON."""

    def __init__(self, server):
        super().__init__(server)
        self.server = server

    def ask(self, method, path, body=None):
        status, raw = super().ask(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {raw[:300]}")
        return json.loads(raw) if raw[:1] in (b"{", b"[") else raw

    def timed(self, method, path, body=None):
        start = time.perf_counter()
        answer = self.ask(method, path, body)
        return (time.perf_counter() - start) * 1000, answer

    def execute(self, box, command="true"):
        return self.timed("POST", f"/toolbox/{box}/process/execute", {"command": command})


def repeat(count, work):
    return [work() for _ in range(count)]


def life(server, n):
    api = Api(server)
    create, first, execute, stop, start, delete = [], [], [], [], [], []
    for i in range(n):
        took, box = api.timed("POST", "/api/sandbox", {})
        create.append(took)
        assert box["state"] == "started", box
        took_first, _ = api.execute(box["id"])
        first.append(took + took_first)
        execute.append(api.execute(box["id"])[0])
        if i % 4 == 0:
            stop.append(api.timed("POST", f"/api/sandbox/{box['id']}/stop")[0])
            start.append(api.timed("POST", f"/api/sandbox/{box['id']}/start")[0])
        delete.append(api.timed("DELETE", f"/api/sandbox/{box['id']}")[0])
        time.sleep(0.005)
    row("POST /api/sandbox -> started, HTTP, durable", create, "p50<=3 p99<=15")
    row("create -> first command, HTTP", first, "p50<=5 p99<=25")
    row("delete (answer)", delete, "<=5")
    row("stop", stop, "<=10")
    row("start again", start, "<=10")


def sustained(server, seconds):
    def worker(until):
        api, done, times = Api(server), 0, []
        while time.monotonic() < until:
            took, box = api.timed("POST", "/api/sandbox", {})
            times.append(took)
            api.ask("DELETE", f"/api/sandbox/{box['id']}")
            done += 1
        return done, times
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(worker, [start + seconds] * 8))
    total = sum(done for done, _ in results)
    value("creates per second, 8 workers, sustained (with delete)", f"{total / (time.monotonic() - start):.0f}/s", ">=150")
    row("  create in that mode", [t for _, times in results for t in times])


def burst(server, repetitions):
    walls = []
    for _ in range(repetitions):
        apis = [Api(server) for _ in range(16)]

        def part(index):
            api, ids = apis[index], []
            for _ in range(index, 100, len(apis)):
                box = api.ask("POST", "/api/sandbox", {})["id"]
                api.execute(box)
                ids.append(box)
            return ids
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(len(apis)) as pool:
            ids = [box for found in pool.map(part, range(len(apis))) for box in found]
        walls.append((time.perf_counter() - start) * 1000)
        for box in ids:
            apis[0].ask("DELETE", f"/api/sandbox/{box}")
        time.sleep(2)
    row("burst of 100 creates + first command, wall", walls, "<=500")


def flood(server, count):
    """All creates at once, as many connections: who waits how long, and who is sent away."""
    apis = [Api(server) for _ in range(count)]
    start, times, refused = threading.Barrier(count + 1), [], []

    def create(api):
        start.wait()
        try:
            took, box = api.timed("POST", "/api/sandbox", {})
            times.append(took)
            return box["id"]
        except RuntimeError as error:
            refused.append(str(error))
        except OSError as error:
            refused.append(f"connection: {error!r}")
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(create, api) for api in apis]
        start.wait()
        begun = time.perf_counter()
        made = [box for box in (one.result() for one in waiting) if box]
        wall = (time.perf_counter() - begun) * 1000
    busy = sum(" 503 " in text or " 429 " in text for text in refused)
    value(f"burst of {count} creates at once, wall", f"{wall:.0f} ms, {len(made)} made, {busy} sent away, {len(refused) - busy} failed", "0 failed",
          "" if len(refused) == busy else str(next(t for t in refused if " 503 " not in t))[:120])
    row("  one create of it", times)
    # It was no collapse: what is there works, and the next create is as fast as ever.
    row("  first command in 50 of them", [apis[0].execute(box)[0] for box in made[:50]])
    row("  create afterwards, with all of them there", [timed_create(apis[0]) for _ in range(20)], "<=10")
    for box in made:
        apis[0].ask("DELETE", f"/api/sandbox/{box}")
    time.sleep(2)


def load(server, connections, count, method, target, body=None, extra=()):
    command = [str(BUILD / "sebring-load"), "127.0.0.1", str(server.port), str(connections), str(count), method, target,
               f"Authorization: Bearer {server.key}"]
    if body is not None:
        command += ["Content-Type: application/json", "--body", body]
    done = subprocess.run(command + list(extra), capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def from_load(name, result, target="", note=""):
    ROWS.append(dict(name=name, target=target, **result))
    print(f"  {name:<58} p50 {result['p50']:9.3f}  p95 {result['p95']:9.3f}  p99 {result['p99']:9.3f}  n {result['n']:<6} "
          f"{target:<22} {result['per_second']:.0f}/s failed {result['failed']} {note}", flush=True)


def inside(server, scale):
    api = Api(server)
    box = api.ask("POST", "/api/sandbox", {})["id"]
    execute = f"/toolbox/{box}/process/execute"
    body = json.dumps({"command": "true"})
    from_load("process/execute true, 1 connection", load(server, 1, 500 * scale, "POST", execute, body), "p50<=1.5")
    from_load("process/execute true, 8 connections", load(server, 8, 2000 * scale, "POST", execute, body), ">=1500/s")
    bare_shells(500 * scale, ["taskset", "-c", "0"], "one processor")
    wide = api.ask("POST", "/api/sandbox", {})["id"]
    api.ask("POST", f"/api/sandbox/{wide}/resize", {"cpu": 2})
    from_load("  8 connections, a sandbox of two processors",
              load(server, 8, 2000 * scale, "POST", f"/toolbox/{wide}/process/execute", body))
    bare_shells(500 * scale, [], "two processors")
    from_load("GET /api/sandbox/{id}, 1 connection", load(server, 1, 4000 * scale, "GET", f"/api/sandbox/{box}"), "<=0.3")
    from_load("GET /api/sandbox/{id}, 8 connections", load(server, 8, 10000 * scale, "GET", f"/api/sandbox/{box}"), ">=8000/s")
    code_run(api, box, 30 * scale, "python", ["python3", "-c", "print(1)"], "print(1)")
    code_run(api, box, 10 * scale, "javascript", ["node", "-e", "console.log(1)"], "console.log(1)")
    sessions(api, box, 50 * scale)
    log_throughput(server, api, box)
    interpreter(server, box, 50 * scale)
    terminal(server, box, 200 * scale)
    files(server, api, box, scale)
    api.execute(wide, "mkdir -p /tmp/many && cd /tmp/many && seq 10000 | xargs touch")
    from_load("  list 10,000 entries, a sandbox of two processors",
              load(server, 1, 10 * scale, "GET", f"/toolbox/{wide}/files?path=/tmp/many"))
    for made in (box, wide):
        api.ask("DELETE", f"/api/sandbox/{made}")


def bare_shells(n, prefix, processors):
    """What is left when nothing of ours runs: the same shell from the same root, started and reaped."""
    done = subprocess.run([*prefix, str(BUILD / "sebring-bench-spawn"), layer_directory(), "8", str(n), QUICK_BASH],
                          capture_output=True, text=True, check=True)
    from_load(f"    bare bash of the same root, 8 at once, {processors}", json.loads(done.stdout))


def code_run(api, box, n, language, command, code):
    ran, bare = [], []
    on_host = ["chroot", layer_directory(), "/usr/bin/env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", *command]
    for _ in range(n):
        ran.append(api.timed("POST", f"/toolbox/{box}/process/code-run", {"code": code, "language": language})[0])
        start = time.perf_counter()
        subprocess.run(on_host, capture_output=True, check=True)
        bare.append((time.perf_counter() - start) * 1000)
    row(f"code-run {code} {language}", ran, "<=1.25 x bare", f"ratio {percentiles(ran)[0] / percentiles(bare)[0]:.2f}")
    row(f"  bare {' '.join(command[:2])} of the same root on the host", bare)


def log_throughput(server, api, box):
    """100 MB of a session's command into its log, and the log to a follower."""
    base = f"/toolbox/{box}/process/session"
    api.ask("POST", base, {"sessionId": "log"})
    start = time.perf_counter()
    command = api.ask("POST", f"{base}/log/exec", {"command": "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 999", "runAsync": True})["cmdId"]
    api.ask("POST", f"{base}/log/exec", {"command": "true"})  # its turn comes when the other has ended
    value("session output of 100 MB into the log", f"{100 / (time.perf_counter() - start):.0f} MB/s")
    start, got = time.perf_counter(), 0
    ws = WebSocket("127.0.0.1", server.port, f"{base}/log/command/{command}/logs?follow=true",
                   {"Authorization": f"Bearer {server.key}", "X-Daytona-SDK-Version": "0.190.0"})
    while (message := ws.receive()) is not None:
        got += len(message)
    value("  its log to a follower", f"{got / 1e6 / (time.perf_counter() - start):.0f} MB/s")
    api.ask("DELETE", f"{base}/log")


def sessions(api, box, n):
    base = f"/toolbox/{box}/process/session"
    made, executed, removed = [], [], []
    for i in range(n):
        made.append(api.timed("POST", base, {"sessionId": f"b{i}"})[0])
        executed.append(api.timed("POST", f"{base}/b{i}/exec", {"command": "true"})[0])
        executed.append(api.timed("POST", f"{base}/b{i}/exec", {"command": "true"})[0])
        removed.append(api.timed("DELETE", f"{base}/b{i}")[0])
    row("session create", made, "<=2")
    row("session exec, sync", executed, "<=1.5")
    row("session delete", removed, "<=5")


def interpreter(server, box, n):
    times = []
    for i in range(n + 1):
        start = time.perf_counter()
        ws = WebSocket("127.0.0.1", server.port, f"/toolbox/{box}/process/interpreter/execute",
                       {"Authorization": f"Bearer {server.key}"})
        ws.send(json.dumps({"code": "x = 1"}))
        while True:
            message = ws.receive()
            if message is None or json.loads(message)["type"] == "control":
                break
        if i > 0:  # the first one starts the interpreter
            times.append((time.perf_counter() - start) * 1000)
        ws.socket.close()
    row("interpreter run, warm, new WebSocket", times, "<=3")


def as_bytes(message):
    return message.encode() if isinstance(message, str) else message or b""


def terminal(server, box, n):
    ws = WebSocket("127.0.0.1", server.port, f"/toolbox/{box}/process/pty/create-connect?id=bench&cols=80&rows=24",
                   {"Authorization": f"Bearer {server.key}"}, ["X-Daytona-Pty-Exit-Control"])
    time.sleep(0.5)
    ws.send(b"stty -echo; cat\n")
    time.sleep(0.5)
    ws.send(b"stty\n")
    time.sleep(0.3)
    ws.socket.settimeout(5)
    ws.send(b"mark-start\n")
    seen = b""
    while b"mark-start" not in seen:
        seen += as_bytes(ws.receive())
    times = []
    for i in range(n):
        start = time.perf_counter()
        ws.send(b"echo-%d\n" % i)
        seen = b""
        while b"echo-%d" % i not in seen:
            seen += as_bytes(ws.receive())
        times.append((time.perf_counter() - start) * 1000)
    ws.close()
    row("PTY: line through cat and back, over the proxy", times, "<=0.25 (echo)")


def files(server, api, box, scale):
    api.execute(box, "mkdir -p /tmp/many && cd /tmp/many && seq 10000 | xargs touch")
    from_load("list 10,000 entries", load(server, 1, 10 * scale, "GET", f"/toolbox/{box}/files?path=/tmp/many"), "p50<=10")
    look = "TIMEFORMAT=%R; time find /tmp/many -size +1k >/dev/null"  # reads the directory and asks for each entry's status
    row("  bare find in the same sandbox, which looks at each", [
        float(api.timed("POST", f"/toolbox/{box}/process/execute", {"command": look})[1]["result"]) * 1000 for _ in range(10)])
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        for i in range(10_000):
            pathlib.Path(directory, str(i)).touch()
        row("  bare find on the host, over files in memory", [
            float(subprocess.run(["bash", "-c", look.replace("/tmp/many", directory)], capture_output=True, text=True).stderr) * 1000
            for _ in range(10)])
    size = 100 << 20
    up = load(server, 1, 5, "POST", f"/toolbox/{box}/files/upload-v2?path=/tmp/big", None,
              ["Content-Type: application/octet-stream", "--body-bytes", str(size)])
    value("upload 100 MiB through the proxy", f"{up['mib_per_second']:.0f} MiB/s (failed {up['failed']})", ">=900 MiB/s")
    times = [api.execute(box, "dd if=/dev/zero of=/tmp/zeros bs=1M count=100 2>/dev/null")[0] for _ in range(5)]
    value("  dd of 100 MiB of zeros in the same sandbox", f"{100_000 / percentiles(times)[0]:.0f} MiB/s")
    down = load(server, 1, 10, "GET", f"/toolbox/{box}/files/download?path=/tmp/big")
    value("download 100 MiB through the proxy", f"{down['mib_per_second']:.0f} MiB/s (failed {down['failed']})", ">=1800 MiB/s")


def many_rows(server, count):
    """List and get with many sandboxes in the database: copies of an archived one's row, which no runner holds."""
    api = Api(server)
    box = api.ask("POST", "/api/sandbox", {"snapshot": "daytona-small"})["id"]
    api.ask("POST", f"/api/sandbox/{box}/stop")
    api.ask("POST", f"/api/sandbox/{box}/archive")
    life_bench.wait_for_state(api, box, "archived")
    server.stop()
    database = sqlite3.connect(server.data / "control" / "sebring.db")
    database.row_factory = sqlite3.Row
    kept = dict(database.execute("SELECT * FROM sandboxes WHERE id=?", (box,)).fetchone())
    sql = f"INSERT INTO sandboxes ({','.join(kept)}) VALUES ({','.join('?' * len(kept))})"
    made = [str(uuid.uuid4()) for _ in range(count)]
    for i, one in enumerate(made):
        kept.update(id=one, name=f"row-{i}", created_at=kept["created_at"] + 1, last_activity_at=kept["last_activity_at"] + 1)
        database.execute(sql, tuple(kept.values()))
    database.commit()
    database.close()
    server.start()
    api = Api(server)
    row(f"GET /api/sandbox/{{id}} with {count} in the database", [api.timed("GET", f"/api/sandbox/{one}")[0] for one in made[:1000]], "<=0.3")
    row(f"list of 100 with {count} in the database", [api.timed("GET", "/api/sandbox?limit=100")[0] for _ in range(50)], "<=10")
    page, times, cursor = 0, [], ""
    while page < 100:
        took, listed = api.timed("GET", "/api/sandbox?limit=100" + cursor)
        times.append(took)
        page += 1
        if not listed["nextCursor"]:
            break
        cursor = "&cursor=" + urllib.parse.quote(listed["nextCursor"])
    row("  page by page to the end", times, "<=10")
    row(f"create with {count} in the database", [timed_create(api) for _ in range(50)], "p50<=3 p99<=15")
    server.stop()
    database = sqlite3.connect(server.data / "control" / "sebring.db")
    database.execute("DELETE FROM sandboxes WHERE name LIKE 'row-%'")
    database.commit()
    database.close()
    server.start()


def smaps(pid, field="Pss:"):
    with contextlib.suppress(OSError):
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def descendants(pid):
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError):
            for child in open(path).read().split():
                found += descendants(int(child))
    return found


def available():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1])


def memory(server, count):
    processes = descendants(server.process.pid)
    toolboxes = [p for p in processes if b"toolbox" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")[0]]
    roles = [p for p in processes if p not in toolboxes]
    value("whole idle server, PSS", f"{sum(map(smaps, roles)) / 1024:.1f} MiB in {len(roles)} processes", "<=60 MiB",
          f"+ {len(toolboxes)} waiting slots {sum(map(smaps, toolboxes)) / 1024:.1f} MiB")
    api = Api(server)
    before = available()
    boxes = [api.ask("POST", "/api/sandbox", {})["id"] for _ in range(count)]
    time.sleep(2)
    after = available()
    value(f"idle sandbox, all memory, kernel included ({count} of them)", f"{(before - after) / count / 1024:.2f} MiB", "<=1 MiB")
    daemons = [p for p in descendants(server.process.pid) if p not in processes]
    if daemons:
        value("idle sandbox, PSS of its toolbox", f"{sum(map(smaps, daemons)) / len(daemons) / 1024:.2f} MiB", "<=0.3 MiB")
    row(f"create with {count} idle sandboxes", [timed_create(api) for _ in range(50)], "<=10")
    row("  first command then", [api.execute(box)[0] for box in boxes[:: max(1, count // 50)]])
    row("  list of 100 then", [api.timed("GET", "/api/sandbox?limit=100")[0] for _ in range(20)], "<=10")
    for box in boxes:
        api.ask("DELETE", f"/api/sandbox/{box}")
    time.sleep(1)


def timed_create(api):
    took, box = api.timed("POST", "/api/sandbox", {})
    api.ask("DELETE", f"/api/sandbox/{box['id']}")
    return took


def layer_directory():
    """The default image unpacked once beside its archive: the same root for everybody who is measured."""
    image = snapshot_directory()
    root = image.parent / (image.name + ".root")
    if not root.exists():
        part = image.parent / (image.name + ".root.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        subprocess.run(["tar", "--zstd", "-xpf", str(image / "layer.tar.zst"), "-C", str(part)], check=True)
        part.rename(root)
    return str(root)


def peers(server, n):
    root = layer_directory()
    bundle = pathlib.Path(tempfile.mkdtemp(prefix="sebring-bench-"))
    try:
        subprocess.run(["crun", "spec"], cwd=bundle, check=True)
        spec = json.loads((bundle / "config.json").read_text())
        spec["root"] = {"path": root, "readonly": True}
        spec["process"].update(terminal=False, args=["/bin/sh", "-c", "true"])
        (bundle / "config.json").write_text(json.dumps(spec))
        programs = {"crun": ["crun", "run", "-b", str(bundle)], "runc": ["runc", "run", "-b", str(bundle)],
                    "bubblewrap": ["bwrap", "--unshare-all", "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "/bin/sh", "-c", "true"]}
        for name, command in programs.items():
            if not shutil.which(command[0]):
                value(f"{name}: create, run sh -c true, delete", "not installed")
                continue
            times, failed = [], 0
            for i in range(n):
                full = command + ([f"bench-{os.getpid()}-{i}"] if name != "bubblewrap" else [])
                start = time.perf_counter()
                done = subprocess.run(full, capture_output=True)
                times.append((time.perf_counter() - start) * 1000)
                failed += done.returncode != 0
            if failed:
                value(f"{name}: create, run sh -c true, delete", f"does not run here: {done.stderr[:120]!r}")
            else:
                row(f"{name}: create, run sh -c true, delete, same root", times)
    finally:
        shutil.rmtree(bundle)


def sdks(server, n):
    cache = pathlib.Path(os.environ.get("SEBRING_CACHE", "/var/cache/sebring"))
    environment = dict(os.environ, SEBRING_URL=server.url, SEBRING_KEY=server.key, COUNT=str(n))
    here = pathlib.Path(__file__).resolve().parent
    envs = here.parent / "integration" / "env"
    for name, script, program in (("python-newest", "sdk_python.py", ["{env}/bin/python"]), ("typescript-newest", "sdk_typescript.mjs", ["{env}/bin/node"])):
        made = subprocess.run([str(envs / "create"), name], capture_output=True, text=True)
        if made.returncode != 0:
            value(f"create -> first command, {name} SDK", "SDK environment can not be made")
            continue
        env = made.stdout.strip().splitlines()[-1]
        done = subprocess.run([part.format(env=env) for part in program] + [str(here / script)], cwd=env,
                              env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            value(f"create -> first command, {name} SDK", "failed: " + done.stderr[-200:])
            continue
        row(f"create -> first command, {name} SDK", json.loads(done.stdout.splitlines()[-1]), "p50<=9 p99<=40")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--only", default="")
    parser.add_argument("--idle", type=int, help="idle sandboxes in part `memory`: 1000, with --quick 50; 5000 take 4 GiB")
    arguments = parser.parse_args()
    scale, me = 1 if arguments.quick else 4, sys.modules[__name__]
    parts = {"memory": lambda s: memory(s, arguments.idle or (50 if arguments.quick else 1000)), "life": lambda s: life(s, 100 * scale),
             "sustained": lambda s: sustained(s, 2 * scale), "burst": lambda s: burst(s, 1 + scale), "flood": lambda s: flood(s, 500), "inside": lambda s: inside(s, scale),
             "forks": lambda s: life_bench.forks(me, s, 5 * scale), "dirty": lambda s: life_bench.dirty_forks(me, s, 1 + scale), "states": lambda s: life_bench.states(me, s, 10 * scale),
             "archives": lambda s: life_bench.archives(me, s, 256 * scale),
             "events": lambda s: life_bench.events(me, s, 125 * scale, 5 * scale), "rows": lambda s: many_rows(s, 2500 * scale), "sdks": lambda s: sdks(s, 25 * scale),
             "previews": lambda s: reach_bench.previews(me, load, s, scale),
             "ssh": lambda s: reach_bench.ssh(me, s, 10 * scale), "peers": lambda s: peers(s, 12 * scale)}
    wanted = [p for p in arguments.only.split(",") if p] or list(parts)
    print(f"load {os.getloadavg()}, {os.cpu_count()} cpus, kernel {os.uname().release}; milliseconds unless said")
    # A pool of its own: quota groups and directories of other servers' disks would be measured with it.
    POOL.parent.mkdir(parents=True, exist_ok=True)
    pool = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=POOL.parent))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, pool, True)
        server = stack.enter_context(Server({"slots": 64}, pool=pool))
        time.sleep(3)
        for name in wanted:
            try:
                parts[name](server)
            except Exception as error:  # noqa: BLE001  one row that fails must not hide the others
                value(name, f"failed: {error!r}"[:900])
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(ROWS, indent=1))


if __name__ == "__main__":
    main()
