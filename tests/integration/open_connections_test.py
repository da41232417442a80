"""What connections that are open see when the life of their sandbox changes: they end soon and say why, or live on."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from harness import ServerTest, free_port
from reach_rig import Reach, eventually
from traces import ask_runner
from transitions import DEAF
from ws import WebSocket

MIB = 1 << 20
END_MAX = 90  # seconds; most take milliseconds, the machine may be busy with others


class Ending:
    """Reads in a thread until the other side ends it, and keeps how."""

    def __init__(self, name, wait):
        self.name, self.how, self.after = name, None, None
        self.begun = time.monotonic()
        self.thread = threading.Thread(target=self.run, args=(wait,), daemon=True)
        self.thread.start()

    def run(self, wait):
        try:
            how = wait()
        except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
            how = ("cut", type(error).__name__)
        self.after, self.how = time.monotonic() - self.begun, how


def drain(ws):
    while ws.receive() is not None:
        pass
    return "close", ws.close_code, ws.close_reason.decode()


class Everything:
    """One connection of every kind into a sandbox."""

    def __init__(self, test, box, key=None):
        self.test, self.server, self.box, self.reach = test, test.server, box, test.reach
        self.key = key or self.server.key
        self.ends = {}
        self.sockets = {}
        self.processes = []

    def open(self):
        base = f"/toolbox/{self.box}"
        self.ask("POST", base + "/process/session", {"sessionId": "follow"})
        command = self.ask("POST", base + "/process/session/follow/exec", {"command": "echo begun; sleep 1000", "runAsync": True})["cmdId"]
        self.websocket("pty", base + "/process/pty/create-connect?id=held")
        self.websocket("log", f"{base}/process/session/follow/command/{command}/logs?follow=true")
        self.websocket("interpreter", base + "/process/interpreter/execute").send(json.dumps({"code": "import time\nprint('in')\ntime.sleep(1000)"}))
        self.http("execute", "POST", base + "/process/execute", json.dumps({"command": "sleep 1000", "timeout": 1000}))
        self.raw("upload", f"POST {base}/files/upload-v2?path=/tmp/half HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
                           f"Content-Type: application/octet-stream\r\nContent-Length: {8 * MIB}\r\n\r\n", b"x" * MIB)
        self.ask("POST", base + "/process/execute", {"command": "head -c 64M /dev/zero > /tmp/large"})
        self.raw("download", f"GET {base}/files/download?path=/tmp/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n\r\n", b"")
        self.websocket("preview socket", "/ws", Host=self.reach.host(self.box)).send("x")
        self.raw("preview stream", f"GET /stream?n={1 << 40} HTTP/1.1\r\nHost: {self.reach.host(self.box)}\r\nAuthorization: Bearer {self.key}\r\n\r\n", b"")
        token = self.reach.access(self.box)
        self.ssh("ssh shell", ["-tt", token + "@127.0.0.1", "echo up; exec sleep 1000"])
        port = free_port()
        self.ssh("ssh forward", ["-N", "-o", "LogLevel=INFO", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo up", "-L",
                                 f"{port}:localhost:3000", token + "@127.0.0.1"])
        self.forwarded = eventually(lambda: socket.create_connection(("127.0.0.1", port), 20))
        self.forwarded.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert self.forwarded.recv(100).startswith(b"HTTP/1.1 200"), "the forwarded port does not answer"
        self.wait_begun()
        return self

    def ask(self, method, path, body):
        status, answer, _ = self.server.request(method, path, body, key=self.key)
        assert status < 300, (path, status, answer)
        return answer

    def websocket(self, name, path, **headers):
        ws = WebSocket("127.0.0.1", self.server.port, path, {"Authorization": "Bearer " + self.key, **headers}, timeout=600)
        assert ws.status == 101, (name, ws.head, ws.buffer)
        self.sockets[name] = ws
        self.ends[name] = Ending(name, lambda: drain(ws))
        return ws

    def http(self, name, method, path, body):
        def wait():
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=600)
            with contextlib.closing(connection):
                connection.request(method, path, body, {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"})
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
        self.ends[name] = Ending(name, wait)

    def raw(self, name, head, body):
        connection = socket.create_connection(("127.0.0.1", self.server.port), 600)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.sockets[name] = connection
        connection.sendall(head.encode() + body)
        if "load" in name and not body or "stream" in name:  # half read; the rest when it has ended
            connection.recv(1024)
            return

        def wait():
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, json.loads(answer.read())
        self.ends[name] = Ending(name, wait)

    def ssh(self, name, arguments):
        client = subprocess.Popen(["ssh", *self.reach.options(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.processes.append(client)
        assert client.stdout.readline().strip() == b"up", (name, client.stderr.read())

        def wait():
            _, said = client.communicate()
            return client.returncode, said.decode()
        self.ends[name] = Ending(name, wait)

    def wait_begun(self):
        count = "ps -eo args | grep -c -e '^sleep 1000$' || true"
        assert eventually(lambda: int(self.server.execute(self.box, count)["result"]) >= 3, 60), "not all has begun"

    def half_read(self, name):
        """Bytes that were still to be read; waits for the end."""
        connection, got = self.sockets[name], 0
        connection.settimeout(END_MAX)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(MIB):
                got += len(piece)
        return got

    def outcomes(self, live_on=()):
        deadline = time.monotonic() + END_MAX
        for end in self.ends.values():
            if end.name in live_on:
                continue
            end.thread.join(max(0.0, deadline - time.monotonic()))
        return {name: (end.how, end.after) for name, end in self.ends.items()}

    def close(self):
        for one in self.sockets.values():
            raw = getattr(one, "socket", one)
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            raw.close()
        self.forwarded.close()
        for client in self.processes:
            if client.poll() is None:
                client.kill()
            client.wait()


class OpenConnections(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.TemporaryDirectory()
        cls.reach = Reach(cls.server, cls.directory.name)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()
        super().tearDownClass()

    def everything(self, key=None):
        box = self.box()
        self.reach.app(box)
        held = Everything(self, box, key)
        self.addCleanup(held.close)
        self.before = self.descriptors()
        return held.open()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.role_pid('control')}/fd"))

    def check_ends(self, held, code, why, requests, ssh=True, unsaid=()):
        """All has ended; the client heard it by a close frame with this code, by a typed error, or by a cut where the answer had begun."""
        ends = held.outcomes(() if ssh else ("ssh shell", "ssh forward"))
        for name in ("pty", "log", "interpreter", "preview socket"):
            self.assertIn(ends[name][0], (("close", code, why), *unsaid), name)
        for name in ("execute", "upload"):
            status, body = ends[name][0]
            self.assertIn(status, requests, (name, body))
            self.assertEqual(body["statusCode"], status)
        for name in ("download", "preview stream"):
            self.assertGreater(held.half_read(name), 0)
        for name in ("ssh shell", "ssh forward"):
            self.assertEqual(ends[name][0][0] if ssh else ends[name][0], 255 if ssh else None, (name, ends[name]))
        held.close()
        self.assertTrue(eventually(lambda: self.descriptors() <= self.before), "descriptors are left")

    def change(self, held, method, path, body=None, limit=END_MAX):
        begun = time.monotonic()
        status, answer = self.api(method, f"/api/sandbox/{held.box}{path}", body)
        self.assertEqual(status, 200, answer)
        self.assertLess(time.monotonic() - begun, limit)

    def test_stop(self):
        held = self.everything()
        # The log's command and what the interpreter ran end by the signal, as they do without a stop.
        self.change(held, "POST", "/stop")
        ends = held.outcomes()
        for name in ("log", "interpreter"):
            self.assertEqual(ends[name][0][0], "close", ends[name])
        self.assertEqual(ends["pty"][0][0], "close", ends["pty"])
        self.assertEqual(ends["preview socket"][0], ("close", 1001, "the sandbox has stopped"))
        self.assertIn(ends["execute"][0][0], (200, 400))
        self.assertEqual(ends["upload"][0][0], 400)
        for name in ("ssh shell", "ssh forward"):
            self.assertEqual(ends[name][0][0], 255)
        held.half_read("download"), held.half_read("preview stream")
        held.close()
        self.assertTrue(eventually(lambda: self.descriptors() <= self.before), "descriptors are left")

    def test_a_terminal_does_not_hold_up_a_stop(self):
        box = self.box()
        terminal = WebSocket("127.0.0.1", self.server.port, f"/toolbox/{box}/process/pty/create-connect?id=held",
                             {"Authorization": "Bearer " + self.server.key})
        terminal.send("trap 'echo up > ~/hung; exit' HUP; sleep 999 & echo be''gun\n")
        seen = ""
        while "begun" not in seen:
            message = terminal.receive()
            seen += message if isinstance(message, str) else message.decode()
        self.good("POST", f"/api/sandbox/{box}/stop")
        self.assertEqual(drain(terminal)[0], "close")
        self.good("POST", f"/api/sandbox/{box}/start")
        self.assertEqual(self.server.execute(box, "cat ~/hung")["result"], "up\n")

    def test_stop_by_force(self):
        held = self.everything()
        self.change(held, "POST", "/stop?force=true")
        self.check_ends(held, 1001, "the sandbox has stopped", (400,))

    def test_delete(self):
        held = self.everything()
        self.change(held, "DELETE", "")
        self.check_ends(held, 1001, "the sandbox was deleted", (400,))

    def test_daemon_killed(self):
        held = self.everything()
        boxes = ask_runner(self.server, "/v1/sandboxes")["sandboxes"]
        os.kill(next(box["pid"] for box in boxes if box["id"] == held.box), signal.SIGKILL)
        # The runner tells why, mostly before anybody has to be told; it is not waited for for long.
        self.check_ends(held, 1001, "the sandbox has stopped (state: error)", (400, 502), unsaid=[("cut", "ConnectionError")])

    def test_key_revoked(self):
        made = self.good("POST", "/api/api-keys", {"name": "held", "permissions": ["write:sandboxes", "delete:sandboxes"]})
        held = self.everything(made["value"])
        self.assertEqual(self.api("DELETE", "/api/api-keys/held")[0], 204)
        # SSH comes in by a token of its own.
        self.check_ends(held, 1008, "the credential was revoked meanwhile", (401,), ssh=False)
        self.assertEqual(self.state(held.box), "started")
        self.assertEqual(self.server.execute(held.box, "pgrep -x -c 'sleep' || true")["result"].strip(), "1", "the command lives on")

    def test_link_expires(self):
        """What was asked in time is answered; what lasts ends."""
        box = self.server.create()["id"]
        self.reach.app(box)
        slow = ("import http.server, time\nclass Slow(http.server.BaseHTTPRequestHandler):\n  def do_GET(self):\n    open('/tmp/asked', 'w')\n"
                "    time.sleep(14)\n    self.send_response(200)\n    self.end_headers()\nhttp.server.HTTPServer(('', 3001), Slow).serve_forever()")
        self.server.execute(box, f"cat > /tmp/slow.py <<'X'\n{slow}\nX\nnohup python3 /tmp/slow.py > /dev/null 2>&1 & for i in $(seq 300); do "
                                 "nc -z localhost 3001 && break; sleep 0.1; done")
        tokens = {port: self.good("GET", f"/api/sandbox/{box}/ports/{port}/signed-preview-url?expiresInSeconds=6")["token"] for port in (3000, 3001)}
        ws = WebSocket("127.0.0.1", self.server.port, "/ws", {"Host": self.reach.host(tokens[3000])}, timeout=60)
        self.assertEqual(ws.status, 101)
        ended = Ending("preview socket", lambda: drain(ws))
        self.assertEqual(self.reach.ask(tokens[3001], 3001)[0], 200)
        ended.thread.join(END_MAX)
        self.assertEqual(ended.how, ("close", 1008, "the credential has expired meanwhile"))
        self.assertIn(self.reach.ask(tokens[3001], 3001)[0], (401, 403))

    def check_lives(self, held):
        for name, end in held.ends.items():
            self.assertTrue(end.thread.is_alive(), (name, end.how))
        held.sockets["preview socket"].send("again")
        held.sockets["pty"].send("echo ali''ve > /tmp/alive\n")
        self.assertTrue(eventually(lambda: self.server.execute(held.box, "cat /tmp/alive || true")["result"] == "alive\n"))
        held.forwarded.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(held.forwarded.recv(1))
        connection = held.sockets["upload"]
        connection.sendall(b"x" * (7 * MIB))
        self.assertEqual(held.ends["upload"].thread.join(END_MAX) or held.ends["upload"].how[0], 200)
        self.assertEqual(self.server.execute(held.box, "stat -c %s /tmp/half")["result"], f"{8 * MIB}\n")

    def test_what_lives_on(self):
        held = self.everything()
        self.change(held, "POST", "/resize", {"cpu": 2})
        self.change(held, "POST", "/fork", {})
        child = self.good("GET", f"/api/sandbox/{held.box}/forks")
        for one in child if isinstance(child, list) else child["items"]:
            self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{one['id']}")
        self.change(held, "POST", "/snapshot", {"name": "of-held"})
        self.assertTrue(eventually(lambda: self.state(held.box) == "started"))
        os.kill(self.server.role_pid("runner"), signal.SIGKILL)
        # Refused, with a status that says so, until there is a runner again.
        self.assertTrue(eventually(lambda: self.api("POST", f"/api/sandbox/{held.box}/pause")[0] == 200, 60))
        self.assertTrue(eventually(lambda: self.state(held.box) == "paused"))
        for name, end in held.ends.items():
            self.assertTrue(end.thread.is_alive(), (name, end.how))
        self.change(held, "POST", "/start")
        self.check_lives(held)

    def test_server_stops(self):
        held = self.everything()
        slow = self.box()
        self.server.execute(slow, DEAF)
        held.http("stop", "POST", f"/api/sandbox/{slow}/stop", "")
        self.assertTrue(eventually(lambda: self.state(slow) == "stopping"))
        os.kill(self.server.role_pid("control"), signal.SIGTERM)
        ends = held.outcomes()
        for name in ("execute", "upload", "stop"):
            self.assertEqual(ends[name][0][0], 503, (name, ends[name]))
            self.assertEqual(ends[name][0][1]["statusCode"], 503)
        for name in ("pty", "log", "interpreter", "preview socket"):
            self.assertEqual(ends[name][0], ("close", 1012, "the server is about to start anew"), name)
        self.server.wait_serving(60)
        self.assertEqual(self.state(held.box), "started")
        self.assertTrue(eventually(lambda: self.state(slow) == "stopped", 60), "what was asked for is brought to its end")


if __name__ == "__main__":
    unittest.main()
