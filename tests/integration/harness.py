"""Starts a real server for a test and proves afterwards that nothing of it is left on the machine."""

import contextlib
import glob
import http.client
import json
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SEBRING_BUILD", ROOT / "build"))
CACHE = pathlib.Path(os.environ.get("SEBRING_CACHE", "/var/cache/sebring"))
POOL = pathlib.Path(os.environ.get("SEBRING_TEST_POOL", "/var/lib/sebring-test/pool"))
SEBRING = str(BUILD / "sebring")


def snapshot_directory(name="default"):
    """A prepared image; built by its recipe when it is missing."""
    recipe = subprocess.run([ROOT / "snapshots/build", "--print-hash", name], check=True, capture_output=True, text=True)
    directory = CACHE / "snapshots" / recipe.stdout.strip()
    if not (directory / "config.json").exists():
        subprocess.run([ROOT / "snapshots/build", name, directory], check=True)
    return directory


def clean_environment():
    """Without the variables that steer tests: the server takes every SEBRING_* for a setting."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SEBRING_")}


def free_port():
    """One that nobody gets by chance before we listen on it, nor while the server is dead: outgoing connections and listeners
    that leave the choice to the kernel have higher ones."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            return probe.getsockname()[1]


def host_state():
    """What must be the same before and after: mounts, links, cgroups, network namespaces, loop devices, processes."""
    def run(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout
    mountinfo = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line.split()[4] for line in mountinfo if "sebring" in line]
    links = re.findall(r"^\d+: (sb\d+)", run("ip", "-o", "link"), re.M)
    cgroups = [path for path in glob.glob("/sys/fs/cgroup/**/sebring*", recursive=True)]
    tables = re.findall(r"table inet (sebring\S*)", run("nft", "list", "tables"))
    processes = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        with contextlib.suppress(OSError):
            target = os.readlink(path)
            if "sebring" in target.rsplit("/", 1)[-1]:
                processes.append((path.split("/")[2], target))
    loops = re.findall(r"^(\S+):.*sebring", run("losetup", "-a"), re.M)
    return {"mounts": sorted(mounts), "links": sorted(links), "cgroups": sorted(cgroups), "tables": sorted(tables),
            "processes": sorted(processes), "loops": sorted(loops)}


class Leftovers:
    """with Leftovers(): ... fails when something of ours is there afterwards that was not there before."""

    def __enter__(self):
        self.before = host_state()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None or os.environ.get("TEST_SHARED_MACHINE") == "1":  # others' servers come and go here
            return False
        deadline = time.monotonic() + 60  # links and cgroups go with the last process, some milliseconds later
        while True:
            after = host_state()
            left = {name: [x for x in after[name] if x not in self.before[name]] for name in after}
            left = {name: items for name, items in left.items() if items}
            if not left:
                return False
            if time.monotonic() > deadline:
                raise AssertionError(f"left behind: {left}")
            time.sleep(0.1)


class Server:
    """`sebring up` with a data directory of its own and the shared test pool."""

    def __init__(self, settings=None, data=None, pool=POOL, images=None, within=()):
        """`within`: a command that executes the server's, which is added to it."""
        self.own_data = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="sebring-test-"))
        os.chmod(self.data, 0o755)
        self.port = free_port()
        self.settings = dict(settings or {})
        self.pool = pool
        self.images = images
        self.within = list(within)
        self.log_path = self.data / "server.log"
        self.process = None
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = None

    def start(self, timeout=180):
        command = [*self.within, SEBRING, "up", "--data-dir", str(self.data), "--listen", f"127.0.0.1:{self.port}",
                   "--images", str(self.images or snapshot_directory())]
        if self.pool:
            pathlib.Path(self.pool).mkdir(parents=True, exist_ok=True)
            command += ["--pool-dir", str(self.pool)]
        environment = clean_environment()
        for name, value in self.settings.items():
            environment["SEBRING_" + name.upper().replace("-", "_")] = str(value)
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True)
        log.close()
        self._wait_ready(timeout)
        if self.key is None:
            made = self.cli("key", "create", f"test-{os.getpid()}-{time.monotonic_ns()}", "--json")
            self.key = json.loads(made.stdout)["value"]
        return self

    def _wait_ready(self, timeout):
        deadline = time.monotonic() + timeout
        buffer = b""
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.2)
            if ready:
                piece = os.read(self.process.stdout.fileno(), 65536)
                buffer += piece
                if not piece:
                    break
                if re.search(rb"^ready \S+", buffer, re.M):
                    return
            if self.process.poll() is not None:
                break
        raise AssertionError(f"server did not get ready: {buffer.decode(errors='replace')}\n{self.log()[-4000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def cli(self, *arguments, check=True, input=None):
        return subprocess.run([SEBRING, arguments[0], *arguments[1:], "--data-dir", str(self.data)], check=check,
                              capture_output=True, text=True, input=input, env=clean_environment())

    def request(self, method, path, body=None, key=None, headers=None, timeout=60):
        """One API request; returns (status, parsed JSON or text, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = {"Authorization": f"Bearer {key or self.key}"}
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                sent["Content-Type"] = "application/json"
            sent.update(headers or {})
            connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
            answer = connection.getresponse()
            raw = answer.read()
            text = raw.decode("utf-8", "replace")
            if "json" in (answer.getheader("Content-Type") or ""):
                text = json.loads(text) if text else None
            return answer.status, text, answer.headers
        finally:
            connection.close()

    def create(self, **body):
        status, sandbox, _ = self.request("POST", "/api/sandbox", body)
        assert status == 200, (status, sandbox)
        return sandbox

    def execute(self, sandbox_id, command, **more):
        status, result, _ = self.request("POST", f"/toolbox/{sandbox_id}/process/execute", {"command": command, **more})
        assert status == 200, (status, result)
        return result

    def role_pid(self, role):
        """Process id of `control` or `runner`, a child of `up`."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            with contextlib.suppress(OSError):
                if role.encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:2]:
                    return int(pid)
        return None

    def instance(self):
        return (self.data / "instance").read_text().strip()

    def run_dir(self):
        return pathlib.Path("/run/sebring") / self.instance()

    def wait_serving(self, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, _, _ = self.request("GET", "/api/sandbox?limit=1", timeout=2)
                if status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError("server does not answer: " + self.log()[-3000:])

    def delete_all(self):
        status, listed, _ = self.request("GET", "/api/sandbox?limit=200&includeErroredDeleted=true")
        for item in listed.get("items", []) if status == 200 else []:
            self.request("DELETE", f"/api/sandbox/{item['id']}")

    def stop(self, timeout=10):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                tail = self.log()[-3000:]
                self.process.kill()
                self.process.wait()
                raise AssertionError("server did not stop within its time: " + tail)
        self.process.stdout.close()
        self.process = None

    def remove(self):
        if self.own_data:
            subprocess.run(["rm", "-rf", str(self.data)], check=False)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, *_):
        try:
            if self.process and self.process.poll() is None:
                with contextlib.suppress(Exception):
                    self.wait_serving(5)
                    self.delete_all()
            self.stop()
        finally:
            if os.environ.get("SEBRING_KEEP") != "1":
                self.remove()


class ServerTest(unittest.TestCase):
    """Tests of one server that they share, with the calls that most of them make."""

    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.leftovers = Leftovers().__enter__()
        cls.server = Server({"slots": 4, **cls.SETTINGS}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.leftovers.__exit__(None, None, None)

    def box(self, **body):
        """Id of a new sandbox, which is deleted after the test."""
        sandbox = self.server.create(**body)
        self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{sandbox['id']}")
        return sandbox["id"]

    def api(self, method, path, body=None, **more):
        return self.server.request(method, path, body, **more)[:2]

    def good(self, method, path, body=None, **more):
        status, answer = self.api(method, path, body, **more)
        self.assertIn(status, (200, 201), (method, path, answer))
        return answer

    def state(self, box):
        return self.good("GET", f"/api/sandbox/{box}")["state"]
