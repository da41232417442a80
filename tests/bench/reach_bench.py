"""Rows of the benchmark for the ways into a sandbox: previews beside nginx and caddy, WebSockets, SSH and SFTP beside sshd.

All proxies use one thread, and are measured in turn, several times: the row is the round with the median rate. Processor time
per request is the proxy's own, which other load on the machine changes least.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import BUILD, free_port  # noqa: E402
from reach_rig import Reach, eventually  # noqa: E402
from ws import WebSocket  # noqa: E402

UPSTREAM = pathlib.Path(os.environ.get("SEBRING_BENCH_UPSTREAM", BUILD / "sebring-bench-upstream"))
NGINX = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory}; keepalive_requests 10000000; proxy_buffering {buffering};
  upstream behind {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
    }}
    location /ws {{
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection Upgrade;
    }}
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://localhost:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{upstream} {{
    transport http {{
      keepalive_idle_conns_per_host 128
    }}
  }}
}}
"""
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile {directory}/sshd.pid
Subsystem sftp internal-sftp
"""


@contextlib.contextmanager
def running(*command, port, **more):
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        with eventually(lambda: socket.create_connection(("127.0.0.1", port), 2), 10):
            pass
        yield process
    finally:
        process.terminate()
        process.wait()


class At:
    """Where `load` of bench.py sends its requests, and whose processor time they cost."""

    def __init__(self, name, port, headers, key="none", pids=()):
        self.name, self.port, self.headers, self.key, self.pids = name, port, headers, key, pids


def family(pid):
    """A process and its children: nginx works in one."""
    found = [pid]
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
    return found


def processor_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_kib(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def measure_http(report, load, places, scale):
    """Every kind of load on every place in turn, thrice."""
    for connections, count in ((1, 3000), (64, 16000)):
        rounds = {at.name: [] for at in places}
        for _ in range(3):
            for at in places:
                before = processor_seconds(at.pids)
                result = load(at, connections, count * scale, "GET", "/100", None, at.headers)
                rounds[at.name].append((result, (processor_seconds(at.pids) - before) / (count * scale) * 1e6))
        for at in places:
            result, _ = sorted(rounds[at.name], key=lambda one: one[0]["per_second"])[1]
            spent = statistics.median(spent for _, spent in rounds[at.name])
            report.from_load(f"{at.name}, 100 bytes, {connections} connections", result, note=f"{spent:.0f} us of processor each" if at.pids else "")
    for at in places:
        result = load(at, 4, 12 * scale, "GET", "/67108864", None, at.headers)
        report.value(f"{at.name}, 64 MiB, 4 connections", f"{result['mib_per_second'] / 953.674:.2f} GB/s (failed {result['failed']})")


def measure_idle(report, at, n):
    """What a connection costs the proxy that has asked once and now waits: the slope from the first hundred, which fill what
    the process has free, to n more. Before any load, whose freed memory would hold them all. Kernel's buffers not counted."""
    if not at.pids:
        return
    host = at.headers[0].removeprefix("Host: ")
    held, memory = [], []
    try:
        for count in (100, n):
            for _ in range(count):
                one = socket.create_connection(("127.0.0.1", at.port), 20)
                held.append(one)
                one.sendall(f"GET /100 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {at.key}\r\n\r\n".encode())
                got = one.recv(4096)
                assert b" 200 " in got, got
            time.sleep(1.5)
            memory.append(memory_kib(at.pids))
    finally:
        for one in held:
            one.close()
    report.value(f"{at.name}, memory of an idle connection", f"{(memory[1] - memory[0]) / n:.1f} KiB ({n} of them)")


def measure_websocket(report, name, port, headers, n):
    client = WebSocket.__new__(WebSocket)
    client.socket = socket.create_connection(("127.0.0.1", port), 20)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = ["GET /ws HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers]
    client.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = client.socket.recv(4096)
    assert b" 101 " in head, head
    message = b"\x82\x8a\0\0\0\0" + b"0123456789"
    times = []
    for _ in range(n):
        start = time.perf_counter()
        client.socket.sendall(message)
        left = len(message)
        while left:
            left -= len(client.socket.recv(left))
        times.append((time.perf_counter() - start) * 1000)
    client.socket.close()
    report.row(f"{name}, WebSocket echo", times)


def nginx_configuration(directory, upstream, port):
    path = pathlib.Path(directory) / f"nginx-{port}.conf"
    path.write_text(NGINX.format(directory=directory, upstream=upstream, port=port, buffering="on"))
    return path


def start_nginx(directory, upstream, port):
    return running("nginx", "-p", directory, "-c", nginx_configuration(directory, upstream, port), port=port)


def start_nginx_before(server_inside, directory, upstream, port):
    """In the network of the sandbox, in front of the very server that our proxy is in front of; it accepts on a socket of this
    network, which it takes over as it does from an earlier nginx."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    return running("nsenter", "--target", server_inside, "--net", "nginx", "-p", directory, "-c", nginx_configuration(directory, upstream, port),
                   port=port, pass_fds=[listener.fileno()], env={**os.environ, "NGINX": f"{listener.fileno()};"}), listener


def start_caddy(directory, upstream, port):
    path = pathlib.Path(directory) / "Caddyfile"
    path.write_text(CADDY.format(upstream=upstream, port=port))
    return running("env", "GOMAXPROCS=1", f"HOME={directory}", f"XDG_DATA_HOME={directory}", f"XDG_CONFIG_HOME={directory}",
                   "caddy", "run", "--config", path, "--adapter", "caddyfile", port=port)


def groups_of(pid):
    return [line.split(":", 2) for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()]


def server_inside():
    """Pid of the server in a sandbox that was started last."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text() == "upstream\n" and any("/sebring-" in line[2] for line in groups_of(path.parent.name)):
                found.append(int(path.parent.name))
    return max(found)


def share_processors(pid, inside):
    """Puts a process into the processor group of the server in a sandbox, whose share of the machine it has then: all proxies
    wait for servers that are scheduled alike."""
    for number, controllers, group in groups_of(inside):
        if number == "0" and "/sebring-" in group:
            pathlib.Path("/sys/fs/cgroup" + group + "/cgroup.procs").write_text(str(pid))
        elif controllers == "cpu" or controllers.startswith("cpu,"):
            pathlib.Path(f"/sys/fs/cgroup/{controllers}{group}/cgroup.procs").write_text(str(pid))


def previews(report, load, server, scale):
    reach = Reach(server, tempfile.gettempdir())
    boxes = {public: server.create(public=public)["id"] for public in (True, False)}
    for box in boxes.values():
        reach.put(box, "/tmp/upstream", UPSTREAM.read_bytes())
        reach.run_in_background(box, "chmod 755 /tmp/upstream && exec /tmp/upstream 3000")
        assert eventually(lambda: reach.ask(box, 3000, "/1", key=server.key)[0] == 200, 30)
    directory = tempfile.mkdtemp(prefix="sebring-reach-bench-")
    os.chmod(directory, 0o777)
    try:
        with contextlib.ExitStack() as stack:
            control = [server.role_pid("control")]
            places = [At("preview, public", server.port, ["Host: " + reach.host(boxes[True])], pids=control),
                      At("preview, by API key", server.port, ["Host: " + reach.host(boxes[False])], server.key, pids=control)]
            upstream = free_port()
            inside = server_inside()
            share_processors(stack.enter_context(running(UPSTREAM, upstream, port=upstream)).pid, inside)
            if shutil.which("nginx"):
                port = free_port()
                started, listener = start_nginx_before(inside, directory, 3000, port)
                process = stack.enter_context(started)
                stack.callback(listener.close)
                assert eventually(lambda: len(family(process.pid)) > 1, 30)  # it listened before it ran
                places.append(At("nginx, in the sandbox's network, same server", port, [f"Host: localhost:{port}"], pids=family(process.pid)))
            for name, start in (("nginx", start_nginx), ("caddy", start_caddy)):
                if not shutil.which(name):
                    report.value(f"{name} in front of the same server", "not installed")
                    continue
                port = free_port()
                process = stack.enter_context(start(directory, upstream, port))
                places.append(At(f"{name}, such a server outside", port, [f"Host: localhost:{port}"], pids=family(process.pid)))
            direct = At("no proxy, such a server outside", upstream, ["Host: localhost"])
            for at in places:
                if at.key == "none":  # each process once: a second thousand would lie in the memory of the first
                    measure_idle(report, at, 1000)
            measure_http(report, load, [*places, direct], scale)
            for at in places:
                if at.key == "none":
                    measure_websocket(report, at.name, at.port, at.headers, 2000 * scale)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        for box in boxes.values():
            server.request("DELETE", f"/api/sandbox/{box}")


def measure_ssh(report, name, options, target, n, directory):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        done = subprocess.run(["ssh", *options("-p"), target, "echo first"], capture_output=True, stdin=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1000)
        assert done.stdout == b"first\n", done
    report.row(f"{name}: login to first output, ssh program included", times)
    big = pathlib.Path(directory) / "big"
    size = 256
    with open(big, "wb") as file:
        for _ in range(size):
            file.write(os.urandom(1 << 20))
    rates = {"put": [], "get": []}
    for _ in range(3):
        for verb, line in (("put", f"put {big} /tmp/sebring-bench-big"), ("get", f"get /tmp/sebring-bench-big {big}.back")):
            start = time.perf_counter()
            done = subprocess.run(["sftp", *options("-P"), "-q", "-b", "-", target], input=line.encode(), capture_output=True)
            assert done.returncode == 0, done.stderr
            rates[verb].append(size / (time.perf_counter() - start))
    for verb, found in rates.items():
        report.value(f"{name}: sftp {verb}, {size} MiB", f"{statistics.median(found):.0f} MiB/s")
    os.unlink(big)
    with contextlib.suppress(OSError):
        os.unlink(f"{big}.back")


def ssh(report, server, n):
    directory = tempfile.mkdtemp(prefix="sebring-reach-bench-")
    reach = Reach(server, directory)
    box = server.create()["id"]
    common = ["-F", "none", "-o", f"UserKnownHostsFile={directory}/known", "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR",
              "-o", "IdentitiesOnly=yes", "-o", "Ciphers=aes128-gcm@openssh.com"]
    try:
        token = reach.access(box)
        measure_ssh(report, "ssh gateway", lambda flag: [flag, str(reach.ssh_port), *common, "-o", "IdentityFile=none"],
                    token + "@127.0.0.1", n, directory)
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        if not os.path.exists(sshd):
            report.value("sshd", "not installed")
            return
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/{name}"], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        port = free_port()
        pathlib.Path(directory, "sshd.conf").write_text(SSHD.format(port=port, directory=directory))
        with running(sshd, "-D", "-f", f"{directory}/sshd.conf", port=port):
            measure_ssh(report, "sshd", lambda flag: [flag, str(port), *common, "-i", f"{directory}/user"], "root@127.0.0.1", n, directory)
    finally:
        with contextlib.suppress(OSError):
            os.unlink("/tmp/sebring-bench-big")
        shutil.rmtree(directory, ignore_errors=True)
        server.request("DELETE", f"/api/sandbox/{box}")
