"""The toolbox as clients of a real server meet it: large things with little memory, limits, odd files, what only the whole shows."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse

from harness import Leftovers, Server
from ws import WebSocket

MIB = 1 << 20


def resident_kib(pid):
    """Memory of its own and shared: what would grow if a body were held."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class Peak:
    """Highest resident memory of processes while the block runs; `grown` in MiB, per process."""

    def __init__(self, *pids):
        self.pids = pids

    def __enter__(self):
        self.before = [resident_kib(pid) for pid in self.pids]
        self.most = list(self.before)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.ended.wait(0.01):
            self.most = [max(most, resident_kib(pid)) for most, pid in zip(self.most, self.pids)]

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.grown = [(most - before) / 1024 for most, before in zip(self.most, self.before)]


class WholeToolbox(unittest.TestCase):
    settings = {"slots": 2, "pids-per-sandbox-max": 64}

    @classmethod
    def setUpClass(cls):
        cls.leftovers = Leftovers().__enter__()
        cls.server = Server(cls.settings).start()
        cls.shared = cls.server.create()["id"]

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.leftovers.__exit__(None, None, None)

    def setUp(self):
        self.box = self.shared

    def own_box(self, **body):
        sandbox = self.server.create(**body)
        self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{sandbox['id']}")
        self.box = sandbox["id"]

    def ask(self, method, path, body=None, **more):
        return self.server.request(method, f"/toolbox/{self.box}{path}", body, **more)[:2]

    def run_in(self, command, **more):
        return self.server.execute(self.box, command, **more)

    def output(self, command):
        result = self.run_in(command)
        self.assertEqual(result["exitCode"], 0, result)
        return result["result"]

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)

    def bytes_of(self, path, headers=None):
        """The raw answer of a GET: status, body."""
        connection = self.connect()
        connection.request("GET", f"/toolbox/{self.box}{path}", headers={"Authorization": f"Bearer {self.server.key}", **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def toolbox_pid(self):
        """Its process id as the host sees it: the one whose uts namespace has the sandbox's name."""
        name = self.output("hostname").strip()
        for pid in subprocess.run(["pgrep", "-f", "sebring-toolbox"], capture_output=True, text=True).stdout.split():
            seen = subprocess.run(["nsenter", "-u", "-t", pid, "hostname"], capture_output=True, text=True).stdout.strip()
            with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
                is_first = any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in file)
                if seen == name and is_first:
                    return int(pid)
        raise AssertionError("no toolbox of " + name)

    def control_pid(self):
        return self.server.role_pid("control")


class Large(WholeToolbox):
    def test_a_gigabyte_up_and_down_with_little_memory(self):
        size, block = 1 << 30, bytes(range(256)) * 4096
        pids = self.control_pid(), self.toolbox_pid()
        with Peak(*pids) as peak:
            connection = self.connect()
            connection.putrequest("POST", f"/toolbox/{self.box}/files/upload-v2?path=/tmp/big")
            for name, value in (("Authorization", f"Bearer {self.server.key}"), ("Content-Type", "application/octet-stream"),
                                ("Content-Length", str(size))):
                connection.putheader(name, value)
            connection.endheaders()
            for _ in range(size // len(block)):
                connection.sock.sendall(block)
            answer = connection.getresponse()
            self.assertEqual((answer.status, json.loads(answer.read())["name"]), (200, "big"))
            connection.request("GET", f"/toolbox/{self.box}/files/download?path=/tmp/big", headers={"Authorization": f"Bearer {self.server.key}"})
            answer = connection.getresponse()
            got, wrong = 0, 0
            while piece := answer.read(len(block)):
                got, wrong = got + len(piece), wrong + (piece != block[:len(piece)])
            connection.close()
        self.output("rm /tmp/big")
        self.assertEqual((got, wrong), (size, 0))
        for name, grown in zip(("control", "toolbox"), peak.grown):
            self.assertLess(grown, 12, f"{name} grew by {grown:.1f} MiB")

    def test_a_directory_of_100000_entries_stalls_nobody(self):
        self.output("mkdir /tmp/many && cd /tmp/many && seq 100000 | xargs touch")
        # Nobody reads the answer: whatever is in the way of others now would be for good.
        connection = socket.create_connection(("127.0.0.1", self.server.port), 60)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.sendall(f"GET /toolbox/{self.box}/files?path=/tmp/many HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                           f"Authorization: Bearer {self.server.key}\r\n\r\n".encode())
        first = connection.recv(1)
        self.assertEqual(self.ask("GET", "/version")[0], 200)
        self.assertEqual(self.output("echo quick"), "quick\n")
        self.assertEqual(self.ask("GET", "/files/info?path=/tmp/many")[0], 200)
        answer = http.client.HTTPResponse(Replayed(first, connection))
        answer.begin()
        names = {entry["name"] for entry in json.loads(answer.read())}
        connection.close()
        self.assertEqual((len(names), {"1", "100000"} <= names), (100000, True))
        self.assertEqual(self.ask("DELETE", "/files?path=/tmp/many&recursive=true")[0], 204)

    def test_100_megabytes_of_session_output(self):
        session = "/process/session"
        self.assertEqual(self.ask("POST", session, {"sessionId": "loud"})[0], 201)
        pids = self.control_pid(), self.toolbox_pid()
        with Peak(*pids) as peak:
            status, command = self.ask("POST", f"{session}/loud/exec", {"command": "head -c 100000000 /dev/zero | tr '\\0' x | fold -w 999", "runAsync": True})
            self.assertEqual(status, 202)
            logs = f"{session}/loud/command/{command['cmdId']}"
            stuck, slow, quick, other = (self.follow(logs) for _ in range(4))  # two take nothing; nobody may wait for them
            counts = {}

            def read(follower):
                counts[follower] = 0
                while (message := follower.receive()) is not None:
                    counts[follower] += len(message)
            second = threading.Thread(target=read, args=(other,))
            second.start()
            read(quick)
            second.join()
            self.assertEqual(self.ask("GET", logs)[1]["exitCode"], 0)  # before the slow one has taken anything
            read(slow)
        stuck.socket.close()
        lines = -(-100_000_000 // 999)
        expected = 100_000_000 + lines * 4  # three bytes of mark and a line end each
        self.assertEqual([(counts[one], one.close_code) for one in (quick, other, slow)], [(expected, 1000)] * 3)
        for name, grown in zip(("control", "toolbox"), peak.grown):
            self.assertLess(grown, 16, f"{name} grew by {grown:.1f} MiB")
        self.assertEqual(self.ask("DELETE", f"{session}/loud")[0], 204)

    def follow(self, logs):
        return WebSocket("127.0.0.1", self.server.port, f"/toolbox/{self.box}{logs}/logs?follow=true",
                         {"Authorization": f"Bearer {self.server.key}", "X-Daytona-SDK-Version": "0.190.0"})


class Replayed:
    """A connection of which some has been read already."""

    def __init__(self, first, connection):
        self.first, self.connection = first, connection

    def makefile(self, mode):
        reader = self.connection.makefile(mode)
        first = self.first

        class Joined:
            def readline(self, limit=-1):
                nonlocal first
                line, first = first + reader.readline(limit), b""
                return line

            def __getattr__(self, name):
                return getattr(reader, name)
        return Joined()


class OddFiles(WholeToolbox):
    def test_names_that_are_not_utf8(self):
        self.output("mkdir /tmp/odd && cd /tmp/odd && printf one > $'caf\\xe9' && printf two > $'\\xff\\xfe\\nx' && mkdir $'d\\x80' && printf in > $'d\\x80/f'")
        status, entries = self.ask("GET", "/files?path=/tmp/odd")
        self.assertEqual((status, len(entries)), (200, 3))
        self.assertIn("caf\ufffd", [entry["name"] for entry in entries])
        self.assertEqual(self.bytes_of("/files/download?path=/tmp/odd/caf%E9"), (200, b"one"))
        self.assertEqual(self.bytes_of("/files/download?path=/tmp/odd/%FF%FE%0Ax"), (200, b"two"))
        self.assertEqual(self.ask("GET", "/files/info?path=/tmp/odd/d%80")[1]["isDir"], True)
        self.assertEqual(self.ask("GET", "/files?path=/tmp/odd/d%80")[1][0]["name"], "f")
        self.assertEqual(self.ask("GET", "/files/download?path=/tmp/odd/caf%EF%BF%BD")[0], 404)  # what was shown is no name
        self.assertEqual(len(self.ask("GET", "/files/find?path=/tmp/odd&pattern=one")[1]), 1)
        self.assertEqual(self.ask("POST", "/files/move?source=/tmp/odd/caf%E9&destination=/tmp/odd/%E9")[0], 200)
        self.assertEqual(self.ask("POST", "/files/upload-v2?path=/tmp/odd/up%C3", b"up", headers={"Content-Type": "application/octet-stream"})[0], 200)
        self.assertEqual(self.output("cd /tmp/odd && cat $'\\xe9' $'up\\xc3'"), "oneup")
        self.assertEqual(self.ask("DELETE", "/files?path=/tmp/odd&recursive=true")[0], 204)

    def test_sparse_files(self):
        self.output("cd /tmp && truncate -s 20G hole && printf end >> hole")  # larger than the whole disk
        size = (20 << 30) + 3
        self.assertEqual(self.ask("GET", "/files/info?path=/tmp/hole")[1]["size"], size)
        self.assertEqual(self.bytes_of("/files/download?path=/tmp/hole", {"Range": "bytes=-5"}), (206, b"\0\0end"))
        self.assertEqual(self.bytes_of("/files/download?path=/tmp/hole", {"Range": f"bytes={10 << 30}-{(10 << 30) + 9}"}), (206, b"\0" * 10))
        self.assertEqual(self.bytes_of("/files/download?path=/tmp/hole", {"Range": f"bytes={size}-"})[0], 416)
        self.assertEqual(self.ask("POST", "/files/move?source=/tmp/hole&destination=/tmp/moved")[0], 200)
        self.assertEqual(self.ask("DELETE", "/files?path=/tmp/moved")[0], 204)

    def test_large_files_wherever_they_lie(self):
        self.output("head -c 3000001 /dev/urandom > /dev/shm/big && cp /dev/shm/big /tmp/big && truncate -s 700000 /tmp/hole")
        for path in ("/dev/shm/big", "/tmp/big", "/tmp/hole", "/usr/local/bin/node"):  # memory, the disk, nothing, the image
            wanted = self.output(f"sha256sum < {path}").split()[0]
            status, body = self.bytes_of("/files/download?path=" + path)
            self.assertEqual((status, hashlib.sha256(body).hexdigest()), (200, wanted), path)
        self.output("rm /dev/shm/big /tmp/big /tmp/hole")

    def test_symlink_loops(self):
        self.output("mkdir -p /tmp/loops/a/b && cd /tmp/loops && ln -s y x && ln -s x y && ln -s ../.. a/b/up && ln -s . self && echo needle > a/b/file")
        self.assertEqual(len(self.ask("GET", "/files?path=/tmp/loops")[1]), 4)
        for method, path in (("GET", "/files/download?path=/tmp/loops/x"), ("GET", "/files?path=/tmp/loops/x"),
                             ("POST", "/files/upload-v2?path=/tmp/loops/x")):
            status, error = self.ask(method, path, b"" if method == "POST" else None)
            self.assertIn(status, (400, 403, 404), path)
            self.assertEqual(error["source"], "DAYTONA_DAEMON")
        found = self.ask("GET", "/files/find?path=/tmp/loops&pattern=needle")[1]
        self.assertEqual([entry["file"] for entry in found], ["/tmp/loops/a/b/file"])  # once, not by every way round
        self.assertEqual(self.ask("GET", "/files/search?path=/tmp/loops&pattern=file")[1]["files"], ["/tmp/loops/a/b/file"])
        self.assertEqual(len(self.ask("GET", "/files?path=/tmp/loops&depth=50")[1]), 7)
        self.assertEqual(self.ask("DELETE", "/files?path=/tmp/loops&recursive=true")[0], 204)
        self.assertEqual(self.output("test -d /tmp && echo there"), "there\n")

    def test_files_that_change_while_they_are_read(self):
        size = 24 * MIB
        for change, whole in (("head -c 1000000 /dev/zero >> /tmp/changing", True), ("rm /tmp/changing", True),
                              ("mv /tmp/other /tmp/changing", True), (": > /tmp/changing", False)):
            with self.subTest(change=change):
                self.output(f"head -c {size} /dev/zero > /tmp/changing; head -c 10 /dev/zero > /tmp/other")
                connection = socket.create_connection(("127.0.0.1", self.server.port), 60)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
                connection.sendall(f"GET /toolbox/{self.box}/files/download?path=/tmp/changing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                   f"Authorization: Bearer {self.server.key}\r\n\r\n".encode())
                answer = http.client.HTTPResponse(Replayed(connection.recv(1), connection))
                answer.begin()
                self.assertEqual((answer.status, answer.length), (200, size))
                self.output(change)  # most of it has not been read: nobody takes it from the sockets
                try:
                    got = len(answer.read())
                except http.client.IncompleteRead as cut:
                    got = len(cut.partial)
                connection.close()
                # What was promised comes, or the answer is visibly cut; never filled up, never followed by something else.
                self.assertTrue(got == size if whole else got < size, got)
                self.assertEqual(self.ask("GET", "/version")[0], 200)


class Limits(WholeToolbox):
    def test_process_limit(self):
        self.own_box()
        session = "/process/session"
        self.assertEqual(self.ask("POST", session, {"sessionId": "many"})[0], 201)
        fill = ("import os, signal, sys, time\nchildren = []\ntry:\n    while True:\n        child = os.fork()\n"
                "        if child == 0:\n            time.sleep(1000)\n        children.append(child)\n"
                "except OSError as full:\n    print('full', full.errno, flush=True)\n"
                "sys.stdin.readline()\nfor child in children:\n    os.kill(child, signal.SIGKILL)\n    os.waitpid(child, 0)\nprint('gone', flush=True)\n")
        self.assertEqual(self.ask("POST", "/files/upload-v2?path=/tmp/fill.py", fill, headers={"Content-Type": "text/plain"})[0], 200)
        command = self.ask("POST", f"{session}/many/exec", {"command": "python3 /tmp/fill.py", "runAsync": True})[1]["cmdId"]
        logs = f"{session}/many/command/{command}/logs"
        self.wait_for(logs, "full 11")
        # At the limit: typed answers, and what needs no process goes on.
        result = self.run_in("echo no")
        self.assertEqual(result["exitCode"], -1, result)
        self.assertIn("Resource temporarily unavailable", result["result"])
        self.assertEqual(self.ask("GET", "/version")[0], 200)
        self.assertIn(self.ask("POST", session, {"sessionId": "more"})[0], (500, 503))
        self.assertIn(self.ask("POST", "/process/pty", {"id": "more"})[0], (500, 503))
        self.assertIn(self.ask("GET", "/files?path=/tmp")[0], (200, 503))  # a waiting worker may serve it
        self.assertEqual(self.ask("POST", f"{session}/many/command/{command}/input", {"data": "go"})[0], 204)
        self.wait_for(logs, "gone")
        self.assertEqual(self.output("echo yes"), "yes\n")

    def wait_for(self, logs, text):
        deadline = time.monotonic() + 60
        while text not in str(self.ask("GET", logs)[1]):
            self.assertLess(time.monotonic(), deadline, f"never said {text}")
            time.sleep(0.05)

    def test_full_disk(self):
        self.own_box()
        self.assertEqual(self.ask("POST", "/process/session", {"sessionId": "s"})[0], 201)
        self.assertIn("No space left", self.run_in("fallocate -l 2900M /tmp/fill; cat /dev/zero > /tmp/rest")["result"].replace("Disk quota exceeded", "No space left"))
        body = bytes(4 * MIB)
        status, error = self.ask("POST", "/files/upload-v2?path=/tmp/more", body, headers={"Content-Type": "application/octet-stream"})
        self.assertGreaterEqual(status, 400)
        self.assertRegex(error["message"], "No space left|quota exceeded")
        self.assertEqual(self.run_in("ls /tmp")["result"], "fill\nrest\n")  # nothing half-written
        # A session's command is not held up by a log that can not be kept.
        status, ran = self.ask("POST", "/process/session/s/exec", {"command": "head -c 3000000 /dev/zero | tr '\\0' x | fold; echo done >&2"}, headers={"X-Daytona-SDK-Version": "0.190.0"})
        self.assertEqual((status, ran["exitCode"]), (200, 0))
        status, metrics = self.ask("GET", "/system/metrics")
        self.assertGreater(metrics["diskUsed"], metrics["diskTotal"] * 0.9)
        self.output("rm /tmp/fill /tmp/rest; sync")
        self.assertEqual(self.ask("POST", "/files/upload-v2?path=/tmp/more", body, headers={"Content-Type": "application/octet-stream"})[0], 200)

    def test_out_of_memory_is_told(self):
        result = self.run_in("python3 -c 'x = bytearray(3 << 30)'; echo then $?")
        self.assertEqual(result["exitCode"], 0)
        self.assertIn("then 137", result["result"])
        result = self.run_in("python3 -c 'x = bytearray(3 << 30)'")
        self.assertEqual(result["exitCode"], 137)
        self.assertEqual(result["outOfMemory"]["limitBytes"], 1 << 30)
        self.assertGreater(result["outOfMemory"]["peakBytes"], 900 << 20)
        self.assertIn("memory limit of 1024.0 MiB", result["result"])
        self.assertEqual(result["outOfMemory"].get("victim"), "python3")
        self.assertIn("out of memory: python3 was killed at the sandbox's memory limit", result["result"])
        self.assertEqual(self.output("echo on"), "on\n")

    def test_metrics_are_of_this_sandbox(self):
        self.own_box(snapshot="daytona-medium")
        status, metrics = self.ask("GET", "/system/metrics")
        self.assertEqual((status, metrics["cpuCount"], metrics["memTotal"], metrics["diskTotal"]), (200, 2, 4 << 30, 8 << 30))
        self.assertLess(metrics["diskUsed"], 64 * MIB)
        self.output("head -c 300M /dev/urandom > /tmp/x; sync -f /tmp/x")
        after = self.ask("GET", "/system/metrics")[1]
        self.assertGreater(after["diskUsed"] - metrics["diskUsed"], 290 * MIB)
        self.assertLessEqual(after["diskFree"], after["diskTotal"] - after["diskUsed"])
        # Nobody outside may say it in the platform's place.
        lie = self.ask("GET", "/system/metrics", headers={"X-Sebring-Resources": "cpus=64;disk=1;disk-used=1"})[1]
        self.assertEqual((lie["cpuCount"], lie["diskTotal"]), (2, 8 << 30))


class Bomb(WholeToolbox):
    settings = {"slots": 2}

    def test_a_fork_bomb_is_ended_with_its_session(self):
        self.own_box()
        session = "/process/session"
        self.assertEqual(self.ask("POST", session, {"sessionId": "bomb"})[0], 201)
        bomb = ("import os\nopen('/tmp/burning', 'a').close()\nwhile True:\n    try:\n        os.fork()\n"
                "    except OSError:\n        pass\n")
        self.assertEqual(self.ask("POST", "/files/upload-v2?path=/tmp/bomb.py", bomb, headers={"Content-Type": "text/plain"})[0], 200)
        self.assertEqual(self.ask("POST", f"{session}/bomb/exec", {"command": "exec python3 /tmp/bomb.py", "runAsync": True})[0], 202)
        deadline = time.monotonic() + 60
        while self.ask("GET", "/files/info?path=/tmp/burning")[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        time.sleep(2)
        # A thousand processes want the one processor, and the daemon is heard all the same.
        times = []
        for _ in range(10):
            start = time.monotonic()
            self.assertEqual(self.ask("GET", "/version")[0], 200)
            times.append(time.monotonic() - start)
        self.assertLess(sorted(times)[5], 1, times)
        start = time.monotonic()
        self.assertEqual(self.ask("DELETE", f"{session}/bomb")[0], 204)
        self.assertLess(time.monotonic() - start, 30)
        self.assertEqual(self.output("nice; pgrep -cf bomb.py || true"), "0\n0\n")


class Cut(WholeToolbox):
    """The toolbox ends in the middle of every kind of request: each ends, with a typed error or visibly cut."""

    def http(self, method, path, body=None, **more):
        return lambda: self.answer_of(*self.ask(method, path, body, **more))

    def answer_of(self, status, body):
        self.assertGreaterEqual(status, 400, body)
        self.assertEqual((body["statusCode"], bool(body["message"])), (status, True), body)
        return status

    def raw(self, head, body=b""):
        """A request of which the rest never comes, or whose answer is taken only after the end."""
        connection = socket.create_connection(("127.0.0.1", self.server.port), 60)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        head = head.replace("BOX", self.box) + f" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.server.key}\r\n"
        connection.sendall((head + (f"Content-Length: {1 << 30}\r\n" if body else "") + "\r\n").encode() + body)

        def wait():
            self.ended.wait(60)
            got = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(1 << 20):
                    got += piece
            connection.close()
            return got
        return wait

    def websocket(self, path, first=None):
        ws = WebSocket("127.0.0.1", self.server.port, f"/toolbox/{self.box}{path}", {"Authorization": f"Bearer {self.server.key}"}, timeout=60)
        self.assertEqual(ws.status, 101)
        if first is not None:
            ws.send(first)

        def wait():
            with contextlib.suppress(ConnectionError):
                while ws.receive() is not None:
                    pass
            self.assertNotEqual(ws.close_code, 1000)
        return wait

    def test_it_ends_in_the_middle_of_everything(self):
        self.ended = threading.Event()
        self.own_box()
        pid = self.toolbox_pid()
        silent = "import socket, time; s = socket.create_server(('127.0.0.1', 4000)); print(flush=True); time.sleep(1000)"
        self.output(f"head -c 64M /dev/zero > large; (setsid python3 -c \"{silent}\" > up 2>&1 &); until [ -s up ]; do sleep 0.05; done")
        for name in ("sync", "follow"):
            self.assertEqual(self.ask("POST", "/process/session", {"sessionId": name})[0], 201)
        command = self.ask("POST", "/process/session/follow/exec", {"command": "echo begun; sleep 1000", "runAsync": True})[1]["cmdId"]
        forever = "import time; time.sleep(1000)"
        download = self.raw("GET /toolbox/BOX/files/download?path=large")
        waits = [self.http("POST", "/process/execute", {"command": "sleep 1000"}),
                 self.http("POST", "/process/code-run", {"code": forever, "language": "python"}),
                 self.http("POST", "/process/session/sync/exec", {"command": "sleep 1000"}),
                 self.http("POST", "/git/clone", {"url": "http://127.0.0.1:4000/r.git", "path": "r"}),
                 self.http("GET", "/proxy/4000/"),
                 self.raw("POST /toolbox/BOX/files/upload-v2?path=half", b"x" * MIB),
                 self.websocket(f"/process/session/follow/command/{command}/logs?follow=true"),
                 self.websocket("/process/pty/create-connect?id=t", b"sleep 1000\n"),
                 self.websocket("/process/interpreter/execute", json.dumps({"code": forever}))]
        outcomes = {}
        threads = [threading.Thread(target=lambda i=i, wait=wait: outcomes.update({i: wait()})) for i, wait in enumerate(waits)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60  # all that has a process has begun
        while int(self.output("ps -eo args | grep -c -e '^sleep 1000$' -e 'time.sleep(1000)$' || true")) < 4:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        self.ended.set()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(outcomes), list(range(len(waits))), "some still wait, or ended in another way")
        self.assertLess(len(download()), 64 * MIB)
        self.assertEqual(self.server.execute(self.shared, "echo on")["result"], "on\n")
        self.assertEqual(self.server.request("POST", f"/api/sandbox/{self.box}/recover")[0], 200)
        self.assertEqual(self.output("ls -a | grep -c -e '^half$' -e sebring-upload || true"), "0\n")
        self.assertEqual(self.output("stat -c %s large"), f"{64 * MIB}\n")


class Sessions(WholeToolbox):
    def test_a_shell_that_runs_nothing_any_more(self):
        """The daemon sees this of a process that is not its own user's."""
        base = "/process/session"
        self.assertEqual(self.ask("POST", base, {"sessionId": "noexec"})[0], 201)
        status, error = self.ask("POST", base + "/noexec/exec", {"command": "set -n"}, timeout=30)
        self.assertEqual((status, error["code"]), (410, "SESSION_ENDED"), error)
        self.assertEqual(self.ask("DELETE", base + "/noexec")[0], 204)


class Doors(WholeToolbox):
    def test_deprecated_passthrough(self):
        def old(method, path, body=None, **more):
            return self.server.request(method, f"/api/toolbox/{self.box}/toolbox{path}", body, **more)[:2]
        self.assertEqual(old("GET", "/project-dir"), (200, {"dir": "/home/daytona"}))
        self.assertEqual(old("POST", "/process/execute", {"command": "echo old"})[1], {"exitCode": 0, "result": "old\n"})
        self.assertEqual(old("POST", "/files/folder?path=/tmp/old&mode=755")[0], 201)
        self.assertIn("old", [entry["name"] for entry in old("GET", "/files?path=/tmp")[1]])
        self.assertEqual(old("POST", "/process/session", {"sessionId": "old"})[0], 201)
        status, ran = old("POST", "/process/session/old/exec", {"command": "echo in"}, headers={"X-Daytona-SDK-Version": "0.20.0"})
        self.assertEqual((status, ran["output"]), (200, "in\n"))
        status, error = old("GET", "/lsp/workspace-symbols?query=x&languageId=python&pathToProject=/tmp")
        self.assertEqual((status, error["statusCode"]), (400, 400))  # known by its old name: no server was started
        self.assertEqual(old("GET", "/nosuch")[0], 404)
        self.assertEqual(old("GET", "/project-dir", key="dtn_" + "0" * 64)[0], 401)
        self.assertEqual(self.server.request("GET", f"/api/toolbox/{self.box}/other/project-dir")[0], 404)

    def sign(self, key, method, path, expires):
        text = f"v1:files:{method}:{path}:{expires}"
        return "v1_" + base64.urlsafe_b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode().rstrip("=")

    def signed(self, key, method, endpoint, path, expires=0, body=None, as_if=None):
        query = urllib.parse.urlencode({"path": path, "expires": expires, "signature": self.sign(key, as_if or method, path, expires)})
        connection = self.connect()
        connection.request(method, f"/toolbox/{self.box}{endpoint}?{query}", body, {"Content-Type": "application/octet-stream"} if body else {})
        answer = connection.getresponse()
        out = answer.status, answer.read()
        connection.close()
        return out

    def test_signed_file_addresses(self):
        status, key, _ = self.server.request("GET", f"/api/sandbox/{self.box}/signing-key")
        self.assertEqual(status, 200)
        late, path = int(time.time()) + 3600, "/tmp/signed file"
        self.assertEqual(self.signed(key, "POST", "/files/upload-v2", path, late, b"by address")[0], 200)
        self.assertEqual(self.signed(key, "GET", "/files/download", path, late), (200, b"by address"))
        self.assertEqual(self.signed(key, "GET", "/files/download", path), (200, b"by address"))
        self.assertEqual(self.signed(key, "GET", "/files/download", path, int(time.time()) - 5)[0], 401)
        self.assertEqual(self.signed(key, "GET", "/files/download", path, late, as_if="POST")[0], 401)
        self.assertEqual(self.signed(key, "GET", "/files/info", path, late)[0], 401)
        self.assertEqual(self.signed(key, "GET", "/files", path, late)[0], 401)
        self.assertEqual(self.server.request("POST", f"/api/sandbox/{self.box}/signing-key/rotate")[0], 200)
        self.assertEqual(self.signed(key, "GET", "/files/download", path, late)[0], 401)
        _, new, _ = self.server.request("GET", f"/api/sandbox/{self.box}/signing-key")
        self.assertNotEqual(new, key)
        self.assertEqual(self.signed(new, "GET", "/files/download", path, late), (200, b"by address"))

    def test_environment(self):
        self.own_box(env={"KEPT": "1", "TOKEN_A": "vault:a", "TOKEN_B": "vault:b"})
        self.assertEqual(self.ask("POST", "/env", {"set": {"NEW": "a b\nc", "KEPT": "2"}, "unset": ["NOSUCH"]})[0], 200)
        self.assertEqual(self.output('printf %s "$NEW$KEPT"'), "a b\nc2")
        status, now = self.ask("POST", "/env", {"unset": ["NEW"], "unsetValuePrefix": "vault:"})
        self.assertEqual((status, now["KEPT"], "NEW" in now, "TOKEN_A" in now), (200, "2", False, False))
        self.assertEqual(self.output("echo [$NEW$TOKEN_A$TOKEN_B] $HOME"), "[] /home/daytona\n")
        self.assertEqual(self.ask("POST", "/process/session", {"sessionId": "e"})[0], 201)
        self.assertEqual(self.ask("POST", "/process/session/e/exec", {"command": "echo [$TOKEN_A] $KEPT"}, headers={"X-Daytona-SDK-Version": "0.190.0"})[1]["stdout"], "[] 2\n")
        for bad in ({"set": {"A-B": "1"}}, {"set": {"": "1"}}, {"unset": ["1A"]}, {"set": {"A": 1}}, {"unset": "A"}, {"unsetValuePrefix": 1},
                    {"set": {"A": "x\0"}}, []):
            self.assertEqual(self.ask("POST", "/env", json.dumps(bad), headers={"Content-Type": "application/json"})[0], 400, bad)
        self.assertEqual(self.output("echo $KEPT"), "2\n")


if __name__ == "__main__":
    unittest.main()
