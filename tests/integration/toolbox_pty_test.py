"""Terminals of a stand-alone toolbox, as a client sees them. Run: python3 toolbox_pty_test.py [-k name]"""
import base64
import hashlib
import json
import os
import statistics
import time
import unittest

from toolbox_client import Toolbox, UpgradeRefused, WebSocket

CONNECTED = {"type": "control", "status": "connected"}
EXIT_CONTROL = "X-Daytona-Pty-Exit-Control"


class Terminal:
    """A client of one terminal."""

    def __init__(self, toolbox, path, **headers):
        self.socket = toolbox.websocket(path, headers)
        self.output = b""
        self.exited = None
        kind, data = self.socket.receive()
        self.first = json.loads(data)
        self.kind = kind

    def expect(self, text, timeout=60):
        """Reads until `text` was shown; returns what came before and with it."""
        text = text if isinstance(text, bytes) else text.encode()
        deadline = time.monotonic() + timeout
        while text not in self.output:
            message = self.socket.receive(max(0.1, deadline - time.monotonic()))
            if message is None:
                raise AssertionError(f"closed before {text!r}: {self.output[-2000:]!r}")
            self._take(message)
        at = self.output.index(text) + len(text)
        seen, self.output = self.output[:at], self.output[at:]
        return seen

    def _take(self, message):
        if message[0] == WebSocket.TEXT:
            self.exited = json.loads(message[1])
        else:
            self.output += message[1]

    def finish(self, timeout=60):
        while (message := self.socket.receive(timeout)) is not None:
            self._take(message)
        return self.socket.close_code, json.loads(self.socket.close_reason or "null")

    def send(self, data):
        self.socket.send(data)


class PtyCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.toolbox = Toolbox(shells=["/bin/bash"] if os.geteuid() == 0 else None, env={"PS1": "$ "})

    @classmethod
    def tearDownClass(cls):
        cls.toolbox.close()

    def setUp(self):
        self.id = "p-" + self._testMethodName
        self.addCleanup(lambda: self.toolbox.delete("/process/pty/" + self.id))

    def create(self, status=201, **more):
        answer = self.toolbox.post("/process/pty", {"id": self.id, **more})
        self.assertEqual(answer.status, status, answer.body)
        if status == 201:
            self.assertEqual(answer.json, {"sessionId": self.id})
        return answer

    def connect(self, **headers):
        terminal = Terminal(self.toolbox, f"/process/pty/{self.id}/connect", **headers)
        self.assertEqual((terminal.kind, terminal.first), (WebSocket.TEXT, CONNECTED))
        return terminal

    def expect_error(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.json["code"], code)
        self.assertEqual(answer.json["source"], "DAYTONA_DAEMON")

    def info(self):
        return self.toolbox.get("/process/pty/" + self.id)


class Life(PtyCase):
    def test_shell(self):
        self.create(cwd="/tmp", envs={"A": "b c"}, cols=100, rows=30)
        terminal = self.connect()
        terminal.send("echo $A $TERM $PWD; stty size; tty; echo $-; shopt login_shell\n")
        seen = terminal.expect("login_shell    \ton").decode()
        self.assertIn("b c xterm-256color /tmp\r\n30 100\r\n/dev/pts/", seen)
        self.assertRegex(seen, r"\n[a-zA-Z]*i[a-zA-Z]*\r\n")

    def test_info(self):
        self.create(cols=90)
        info = self.info().json
        self.assertEqual(set(info), {"id", "cwd", "envs", "cols", "rows", "createdAt", "active", "lazyStart"})
        self.assertEqual((info["id"], info["cwd"], info["envs"], info["cols"], info["rows"], info["active"], info["lazyStart"]),
                         (self.id, self.toolbox.home, {}, 90, 24, True, False))
        self.assertRegex(info["createdAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        self.assertIn(info, self.toolbox.get("/process/pty").json["sessions"])

    def test_resize(self):
        self.create()
        terminal = self.connect()
        answer = self.toolbox.post(f"/process/pty/{self.id}/resize", {"cols": 132, "rows": 50})
        self.assertEqual((answer.status, answer.json["cols"], answer.json["rows"]), (200, 132, 50))
        terminal.send("stty size\n")
        terminal.expect("50 132")
        terminal.send("trap 'echo resized' WINCH; echo s''et\n")
        terminal.expect("set\r\n")
        self.toolbox.post(f"/process/pty/{self.id}/resize", {"cols": 80, "rows": 24})
        terminal.send("\n")
        terminal.expect("resized")

    def test_lazy_start(self):
        self.create(lazyStart=True, cols=70)
        self.assertEqual((self.info().json["active"], self.info().json["lazyStart"]), (False, True))
        self.assertEqual(self.toolbox.post(f"/process/pty/{self.id}/resize", {"cols": 71, "rows": 20}).status, 200)
        terminal = self.connect()
        terminal.send("stty size\n")
        terminal.expect("20 71")
        self.assertTrue(self.info().json["active"])

    def test_delete(self):
        self.create()
        terminal = self.connect()
        terminal.send("(trap '' HUP TERM; sleep 1234) & (setsid sleep 1235 &) ; echo pid $!\n")
        terminal.expect("pid ")
        answer = self.toolbox.delete("/process/pty/" + self.id)
        self.assertEqual((answer.status, answer.json), (200, {"message": "PTY session deleted"}))
        self.assertEqual(terminal.finish(), (1011, {"exitCode": 137, "exitReason": "SIGKILL"}))
        self.expect_error(self.info(), 404, "NOT_FOUND")
        self.create()
        os.system("pkill -f '^sleep 1235$'")

    def test_exit(self):
        rows = [("exit", 1000, {"exitCode": 0}), ("exit 3", 1011, {"exitCode": 3, "exitReason": "non-zero exit"}),
                ("exit 130", 1011, {"exitCode": 130, "exitReason": "Ctrl+C"}),
                ("kill -9 $$", 1011, {"exitCode": 137, "exitReason": "SIGKILL"}),
                ("exec sh -c 'kill -TERM $$'", 1011, {"exitCode": 143, "exitReason": "SIGTERM"}),
                ("exec sh -c 'kill -USR1 $$'", 1011, {"exitCode": 138, "exitReason": "signal 10"}),
                ("exec head -c 300000 /dev/zero", 1000, {"exitCode": 0})]
        for command, code, reason in rows:
            for control in (True, False):
                with self.subTest(command=command, control=control):
                    self.create()
                    terminal = self.connect(**({"Sec-WebSocket-Protocol": EXIT_CONTROL} if control else {}))
                    self.assertEqual(terminal.socket.subprotocol, EXIT_CONTROL if control else None)
                    terminal.send(command + "\n")
                    self.assertEqual(terminal.finish(), (code, reason))
                    exited = {"type": "control", "status": "exited", **reason}
                    self.assertEqual(terminal.exited, exited if control else None)
                    if "head" in command:
                        self.assertEqual(terminal.output.count(b"\0"), 300000)
                    # Ended: known, not listed, replaceable.
                    self.assertFalse(self.info().json["active"])
                    self.assertNotIn(self.id, [s["id"] for s in self.toolbox.get("/process/pty").json["sessions"]])
                    answer = self.toolbox.post(f"/process/pty/{self.id}/resize", {"cols": 80, "rows": 24})
                    self.expect_error(answer, 410, "SESSION_ENDED")
                    late = Terminal(self.toolbox, f"/process/pty/{self.id}/connect")
                    self.assertEqual(late.first["status"], "error")

    def test_background_child_does_not_hold_the_end(self):
        self.create()
        terminal = self.connect()
        terminal.send("nohup sleep 300 & disown; exit 0\n")
        begin = time.monotonic()
        self.assertEqual(terminal.finish()[0], 1000)
        self.assertLess(time.monotonic() - begin, 20)

    def test_interrupt(self):
        self.create()
        terminal = self.connect()
        terminal.send("sh -c \"echo slee''ping; exec sleep 100\"\n")
        terminal.expect("sleeping")
        terminal.send(b"\x03")
        terminal.expect("^C")
        terminal.send("echo st$((1))ll\n")
        terminal.expect("st1ll")

    def test_full_screen_program(self):
        if not os.path.exists("/usr/bin/vim.tiny") and not os.path.exists("/usr/bin/vi"):
            self.skipTest("no vi here")
        self.create(cols=80, rows=24)
        terminal = self.connect()
        terminal.send("vi ~/file.txt\n")
        terminal.expect("\x1b[?1049h")
        time.sleep(0.3)
        terminal.send("ihello from vi\x1b")
        time.sleep(0.3)
        terminal.send(":wq\r")
        terminal.expect("\x1b[?1049l")
        terminal.send("sed s/vi/an.editor/ ~/file.txt\n")
        terminal.expect("hello from an.editor\r\n")


class CreateConnect(PtyCase):
    def test_create_connect(self):
        envs = "X-Daytona-Pty-Envs~" + base64.urlsafe_b64encode(json.dumps({"A": "b"}).encode()).decode().rstrip("=")
        for offered, selected in ((f"{EXIT_CONTROL}, {envs}", EXIT_CONTROL), (f"{envs},{EXIT_CONTROL}", EXIT_CONTROL),
                                  (envs, envs), ("X-Daytona-SDK-Version~0.226.1", "X-Daytona-SDK-Version~0.226.1"), (None, None)):
            with self.subTest(offered):
                terminal = Terminal(self.toolbox, f"/process/pty/create-connect?id={self.id}&cols=100&rows=30&cwd=%2Ftmp",
                                    **{"Sec-WebSocket-Protocol": offered})
                self.assertEqual((terminal.first, terminal.socket.subprotocol), (CONNECTED, selected))
                terminal.send(b"echo [$A] $PWD; stty size\n")
                terminal.expect(("[b]" if envs in (offered or "") else "[]") + " /tmp\r\n30 100")
                self.assertEqual(self.info().json["cols"], 100)
                terminal.send("exit 4\n")
                terminal.finish()
                self.assertEqual(bool(terminal.exited), selected == EXIT_CONTROL)

    def test_refused(self):
        self.create()
        rows = [(f"id={self.id}", {}, 409, "CONFLICT"), ("", {}, 400, "BAD_REQUEST"), ("id=", {}, 400, "BAD_REQUEST"),
                ("id=x&cols=0", {}, 400, "BAD_REQUEST"), ("id=x&rows=1001", {}, 400, "BAD_REQUEST"),
                ("id=x&cols=a", {}, 400, "BAD_REQUEST"), ("id=x&cwd=/nonexistent", {}, 400, "BAD_REQUEST"),
                ("id=x", {"Sec-WebSocket-Protocol": "X-Daytona-Pty-Envs~%%"}, 400, "BAD_REQUEST"),
                ("id=x", {"Sec-WebSocket-Version": "12"}, 400, "BAD_REQUEST")]
        for query, headers, status, code in rows:
            with self.subTest(query):
                with self.assertRaises(UpgradeRefused) as raised:
                    self.toolbox.websocket("/process/pty/create-connect?" + query, headers)
                self.expect_error(raised.exception.answer, status, code)
                self.assertNotIn("x", [s["id"] for s in self.toolbox.get("/process/pty").json["sessions"]])
        self.expect_error(self.toolbox.get("/process/pty/create-connect?id=x"), 400, "BAD_REQUEST")


class Bytes(PtyCase):
    def raw(self, **more):
        self.create(**more)
        terminal = self.connect()
        terminal.send("stty raw -echo; echo rea''dy; cat\n")
        terminal.expect("ready\n")
        return terminal

    def test_utf8_and_binary(self):
        terminal = self.raw()
        data = "ünïcödé ☃ 😀".encode() + bytes(range(256)) * 40
        terminal.send(data)
        terminal.expect(data)
        terminal.send("text frame ☃")
        terminal.expect("text frame ☃")

    def test_large_frames(self):
        terminal = self.raw()
        data = os.urandom(65536)
        terminal.send(data)
        got = terminal.expect(data[-64:])
        self.assertEqual(got, data)
        terminal.send(b"x" * 65537)
        with self.assertRaises((AssertionError, EOFError, ConnectionError)):
            terminal.expect("never", 5)
        self.assertIn(terminal.socket.close_code, (1009, None))
        self.assertTrue(self.info().json["active"])

    def test_input_that_nobody_reads(self):
        self.create()
        terminal = self.connect()
        terminal.send("stty raw -echo; echo re''ady; until [ -e ~/go ]; do sleep 0.05; done; head -c 200000 | md5sum; exit\n")
        terminal.expect("ready")
        data = os.urandom(200_000)
        for start in range(0, len(data), 50_000):
            terminal.send(data[start:start + 50_000])
        # The client is heard all the same.
        terminal.socket.send_frame(WebSocket.PING, b"there?")
        while (message := terminal.socket.receive(30))[0] != WebSocket.PONG:
            terminal.output += message[1]
        self.assertEqual(message[1], b"there?")
        open(self.toolbox.home + "/go", "w").close()
        terminal.expect(hashlib.md5(data).hexdigest())

    def test_several_clients(self):
        self.create()
        clients = [self.connect() for _ in range(5)]
        clients[2].send("echo to''all\n")
        for client in clients:
            client.expect("toall\r\n")
        clients[0].socket.close()
        clients[1].socket.drop()
        clients[3].send("echo st''ill\n")
        for client in clients[2:]:
            client.expect("still\r\n")

    def test_late_client_sees_what_was_shown(self):
        self.create()
        self.connect().send("echo ea''rly; printf '\\033[6n'\n")
        time.sleep(0.3)
        late = self.connect()
        self.assertNotIn(b"\x1b[6n", late.expect("early\r\n"))
        self.toolbox.delete("/process/pty/" + self.id)
        self.create()
        first = self.connect()
        first.send("seq 100000; echo do''ne\n")
        first.expect("done")
        late = self.connect()
        self.assertLess(len(late.expect("done")), 140_000)

    def test_slow_client(self):
        self.create()
        slow, quick = self.connect(), self.connect()
        quick.send("head -c 30000000 /dev/zero | tr '\\0' x | fold -w 99; echo do''ne\n")
        begin = time.monotonic()
        count = 0
        while b"done\r\n" not in quick.output:
            message = quick.socket.receive(60)
            count += len(message[1])
            quick.output = (quick.output + message[1])[-100:]
        seconds = time.monotonic() - begin
        self.assertGreater(count, 30_000_000)
        self.assertLess(seconds, 40)
        try:
            slow.finish()
        except ValueError:
            pass  # the reason is no JSON here
        self.assertEqual((slow.socket.close_code, slow.socket.close_reason), (1008, "slow consumer"))
        quick.send("echo st''ill\n")
        quick.expect("still\r\n")

    def test_delete_with_slow_clients(self):
        self.create()
        clients = [self.connect() for _ in range(12)]
        clients[0].send("yes 'a line that is long enough to fill what clients have not read'\n")
        time.sleep(1.5)
        begin = time.monotonic()
        self.assertEqual(self.toolbox.delete("/process/pty/" + self.id).status, 200)
        self.assertLess(time.monotonic() - begin, 5)  # not a second for each
        for client in clients:
            client.socket.drop()

    def test_slow_but_alone(self):
        self.create()
        client = self.connect()
        client.send("head -c 8000000 /dev/zero | tr '\\0' x | fold -w 99; exit 0\n")
        time.sleep(2)
        self.assertEqual(client.finish(), (1000, {"exitCode": 0}))
        self.assertEqual(client.output.count(b"x" * 99), 80808)

    def test_echo_is_quick(self):
        terminal = self.raw()
        times = []
        for i in range(500):
            begin = time.perf_counter()
            terminal.send(b"%03d." % (i % 1000))
            terminal.expect(b"%03d." % (i % 1000))
            times.append((time.perf_counter() - begin) * 1000)
        print(f"\nPTY echo: p50 {statistics.median(times):.3f} ms")


class BadInput(PtyCase):
    def test_create(self):
        rows = [b"", b"{", b"[]", {}, {"id": ""}, {"id": 1}, {"id": None}, {"id": "x", "cols": 0}, {"id": "x", "cols": 1001},
                {"id": "x", "rows": 0}, {"id": "x", "rows": 1001}, {"id": "x", "cols": -1}, {"id": "x", "cols": "80"},
                {"id": "x", "cols": 80.5}, {"id": "x", "envs": []}, {"id": "x", "envs": {"A": 1}}, {"id": "x", "cwd": 1},
                {"id": "x", "lazyStart": "yes"}]
        for body in rows:
            with self.subTest(body):
                self.expect_error(self.toolbox.post("/process/pty", body), 400, "INVALID_REQUEST_BODY")
        for body in ({"id": "a\nb"}, {"id": "a\0"}, {"id": "x" * 300}, {"id": "x", "envs": {"A B": "1"}}, 
                     {"id": "x", "cwd": "/nonexistent"}, {"id": "x", "cwd": "/etc/passwd"}):
            with self.subTest(body):
                self.expect_error(self.toolbox.post("/process/pty", body), 400, "BAD_REQUEST")
        self.expect_error(self.toolbox.post("/process/pty", {"id": "x", "cwd": "/a\0b"}), 400, "INVALID_FILE_PATH")
        self.assertEqual(self.toolbox.get("/process/pty").json, {"sessions": []})
        self.create()
        self.expect_error(self.create(409), 409, "CONFLICT")

    def test_unknown(self):
        for method, path, body in (("GET", "/process/pty/none", None), ("DELETE", "/process/pty/none", None),
                                   ("POST", "/process/pty/none/resize", {"cols": 1, "rows": 1})):
            with self.subTest(path):
                self.expect_error(self.toolbox.request(method, path, body), 404, "NOT_FOUND")
        terminal = Terminal(self.toolbox, "/process/pty/none/connect")
        self.assertEqual((terminal.kind, terminal.first["type"], terminal.first["status"]), (WebSocket.TEXT, "control", "error"))
        self.assertTrue(terminal.first["error"].startswith("Failed to connect to PTY session: "))
        self.assertIsNone(terminal.socket.receive())
        self.expect_error(self.toolbox.get("/process/pty/none/connect"), 400, "BAD_REQUEST")

    def test_resize(self):
        self.create()
        for body in (b"", {}, {"cols": 80}, {"rows": 24}, {"cols": 0, "rows": 24}, {"cols": 80, "rows": 1001},
                     {"cols": "80", "rows": 24}, {"cols": None, "rows": 24}):
            with self.subTest(body):
                self.expect_error(self.toolbox.post(f"/process/pty/{self.id}/resize", body), 400, "INVALID_REQUEST_BODY")
        for size in (1, 1000):
            self.assertEqual(self.toolbox.post(f"/process/pty/{self.id}/resize", {"cols": size, "rows": size}).status, 200)

    def test_lazy_start_that_fails(self):
        self.create(lazyStart=True, cwd="/nonexistent")
        terminal = Terminal(self.toolbox, f"/process/pty/{self.id}/connect")
        self.assertEqual(terminal.first["status"], "error")
        self.assertIn("No such file", terminal.first["error"])


if __name__ == "__main__":
    unittest.main()
