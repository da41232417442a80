"""Pausing, archiving, forking, resizing, recovering, idling: what a real server does with a real sandbox in each state."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest
import uuid

from harness import ServerTest
from ws import WebSocket


class Listener:
    """Hears all events and answers pings, until it is left."""

    def __init__(self, server):
        self.heard = []
        self.socket = WebSocket("127.0.0.1", server.port, "/api/socket.io/?EIO=4&transport=websocket", timeout=60)
        assert self.socket.status == 101, self.socket.head
        self.socket.receive()
        self.socket.send("40" + json.dumps({"token": server.key}))
        assert self.socket.receive().startswith("40{")
        self.reading = threading.Thread(target=self.read)

    def read(self):
        with contextlib.suppress(OSError, ValueError):
            while (text := self.socket.receive()) is not None:
                if text == "2":
                    self.socket.send("3")
                elif text.startswith("42"):
                    self.heard.append(json.loads(text[2:]))

    def __enter__(self):
        self.reading.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.reading.join()
        self.socket.socket.close()


class LifecycleTest(ServerTest):
    def run_in(self, box, command, **more):
        return self.server.execute(box, command, **more)["result"]

    def until(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        self.fail(what)

    def runner(self, path):
        answer = subprocess.run(["curl", "-s", "--unix-socket", str(self.server.run_dir() / "runner.sock"), f"http://runner{path}"],
                                capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)

    def memory_of(self, box):
        return self.runner(f"/v1/sandboxes/{box}/usage")["memoryBytes"]

    def terminal(self, box):
        return WebSocket("127.0.0.1", self.server.port, f"/toolbox/{box}/process/pty/create-connect?id=t&cols=80&rows=24",
                         {"Authorization": f"Bearer {self.server.key}"}, timeout=60)

    def read_until(self, terminal, mark):
        text = ""
        while mark not in text:
            piece = terminal.receive()
            self.assertIsNotNone(piece, text)
            text += piece if isinstance(piece, str) else piece.decode(errors="replace")
        return text


class Pausing(LifecycleTest):
    def test_memory_is_given_back_and_everything_lives_on(self):
        box = self.box()
        terminal = self.terminal(box)
        self.assertEqual(terminal.status, 101)
        terminal.send("echo shell-$$-$((1+1))\n".encode())
        shell = self.read_until(terminal, "-2\r\n")
        # Two ends of a connection that count each other's messages.
        script = ("import socket, threading, time, pathlib\nserver = socket.create_server(('127.0.0.1', 0))\n"
                  "one = socket.create_connection(server.getsockname())\ntwo, _ = server.accept()\ncount = 0\nwhile True:\n"
                  "  one.sendall(b'x'); assert two.recv(1) == b'x'; count += 1\n  pathlib.Path('/tmp/new').write_text(str(count)); pathlib.Path('/tmp/new').rename('/tmp/count'); time.sleep(0.02)\n")
        self.good("POST", f"/toolbox/{box}/files/upload-v2?path=/tmp/count.py", script, headers={"Content-Type": "application/octet-stream"})
        self.run_in(box, "nohup python3 /tmp/count.py > /tmp/out 2>&1 & head -c 200M /dev/urandom > /home/daytona/cached; sync; cat /home/daytona/cached > /dev/null")
        before = self.memory_of(box)
        self.assertGreater(before, 150 << 20)
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/pause")["state"], "paused")
        self.until("memory is given back", lambda: self.memory_of(box) < before - (120 << 20))
        status, answer = self.api("POST", f"/toolbox/{box}/process/execute", {"command": "true"})
        self.assertIn(status, range(400, 500), answer)
        self.assertIn("paused", answer["message"])
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/start")["state"], "started")
        first = int(self.run_in(box, "cat /tmp/count"))
        self.until("the connection inside goes on", lambda: int(self.run_in(box, "cat /tmp/count") or 0) > first)
        self.assertEqual(self.run_in(box, "cat /tmp/out"), "")
        terminal.send("echo shell-$$-$((1+1))\n".encode())
        self.assertIn([line for line in shell.split() if line.endswith("-2")][-1], self.read_until(terminal, "-2\r\n"))
        terminal.close()

    def test_who_is_paused_for_idleness_wakes_when_used(self):
        box = self.box()
        self.run_in(box, "cd /tmp && echo hello > index.html && (nohup python3 -m http.server 8123 >/dev/null 2>&1 &); for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8123/ && break; sleep 0.1; done")
        self.good("POST", f"/api/sandbox/{box}/autopause/30")
        link = self.good("GET", f"/api/sandbox/{box}/ports/8123/preview-url")
        for use in ("exec", "preview"):
            self.good("POST", f"/api/sandbox/{box}/pause")
            self.assertEqual(self.state(box), "paused")
            if use == "exec":
                self.assertEqual(self.run_in(box, "echo awake"), "awake\n")
            else:
                host = link["url"].split("//")[1].rstrip("/")
                status, body = self.api("GET", "/", headers={"Host": host, "X-Daytona-Preview-Token": link["token"]})
                self.assertEqual((status, body), (200, "hello\n"))
            self.assertEqual(self.state(box), "started")


class Archiving(LifecycleTest):
    def archived(self, content):
        box = self.box(snapshot="daytona-small")
        self.run_in(box, content)
        self.good("POST", f"/api/sandbox/{box}/stop")
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/archive")["state"], "archiving")
        self.until("archived", lambda: self.state(box) == "archived")
        self.until("its disk is gone", lambda: box not in [s["id"] for s in self.runner("/v1/sandboxes")["sandboxes"]])
        return box

    def test_there_and_back(self):
        box = self.archived("sudo mkdir /srv/deep; head -c 20M /dev/urandom | sudo tee /srv/deep/file >/dev/null; sudo chown 123:456 /srv/deep/file; ln -s file /home/daytona/link; "
                            "sha256sum /srv/deep/file | cut -c1-64 > /home/daytona/sum; rm -rf /home/daytona/.profile; sync")
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/start")["state"], "started")
        self.assertEqual(self.run_in(box, "[ $(sha256sum /srv/deep/file | cut -c1-64) = $(cat sum) ] && stat -c %u:%g /srv/deep/file && readlink link; test -e .profile || echo gone"),
                         "123:456\nfile\ngone\n")

    def test_what_comes_meanwhile_waits(self):
        box = self.box(snapshot="daytona-small")
        self.run_in(box, "head -c 200M /dev/urandom > file; sync")
        self.good("POST", f"/api/sandbox/{box}/stop")
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/archive")["state"], "archiving")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for status, answer in pool.map(lambda _: self.api("POST", f"/api/sandbox/{box}/start"), range(3)):
                self.assertEqual((status, answer["state"]), (200, "started"), answer)
        self.assertEqual(self.run_in(box, "wc -c < file"), f"{200 << 20}\n")

    def test_damaged(self):
        for damage in ("flipped", "cut", "missing"):
            with self.subTest(damage=damage):
                box = self.archived("head -c 2M /dev/urandom > /home/daytona/file; sync")
                path = next((self.server.data / "objects").glob(box + "*"))
                content = bytearray(path.read_bytes())
                if damage == "flipped":
                    content[len(content) // 2] ^= 0xFF
                    path.write_bytes(content)
                elif damage == "cut":
                    path.write_bytes(content[:len(content) // 2])
                else:
                    path.unlink()
                status, answer = self.api("POST", f"/api/sandbox/{box}/start")
                self.assertEqual(status, 400, answer)
                self.assertRegex(answer["message"], "^Sandbox failed to start: Sandbox failed to restore: ")
                sandbox = self.good("GET", f"/api/sandbox/{box}")
                self.assertEqual((sandbox["state"], sandbox["recoverable"]), ("error", False))
                self.assertIn("failed to restore", sandbox["errorReason"])
                self.assertEqual(self.api("POST", f"/api/sandbox/{box}/recover")[0], 400)
                self.assertNotIn(box, [s["id"] for s in self.runner("/v1/sandboxes")["sandboxes"]])
                self.good("DELETE", f"/api/sandbox/{box}")
                self.assertEqual(self.api("GET", f"/api/sandbox/{box}")[0], 404)

    def test_backup_while_it_runs(self):
        box = self.box(snapshot="daytona-small")
        self.run_in(box, "echo x > file; sync")
        self.good("POST", f"/api/sandbox/{box}/backup")
        self.until("backed up", lambda: self.good("GET", f"/api/sandbox/{box}")["backupState"] == "Completed")
        self.assertTrue(list((self.server.data / "objects").glob(box + "*")))
        self.assertEqual(self.run_in(box, "echo on"), "on\n")


class Copying(LifecycleTest):
    IDENTITY = "hostname; cat /etc/hostname; cat /etc/machine-id; echo $DAYTONA_SANDBOX_ID; hostname -I || ip -o -4 address show eth0 | awk '{print $4}'; echo $DECLARED"

    def test_forks_are_others(self):
        parent = self.box(name="parent-" + uuid.uuid4().hex[:6], env={"DECLARED": "yes"})
        self.run_in(parent, "echo 0123456789abcdef0123456789abcdef | sudo tee /etc/machine-id; echo data > file; sync")
        self.run_in(parent, "nohup sleep 1000 >/dev/null 2>&1 &")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda i: self.api("POST", f"/api/sandbox/{parent}/fork", {}), range(6)))
        self.assertEqual([status for status, _ in answers], [200] * 6, answers)
        forks = [child["id"] for _, child in answers]
        seen = [self.run_in(box, self.IDENTITY).split("\n") for box in [parent, *forks]]
        for what in range(5):
            self.assertEqual(len({identity[what] for identity in seen}), 7, (what, seen))
        self.assertEqual({identity[5] for identity in seen}, {"yes"})
        self.assertEqual({self.run_in(box, "cat file; pgrep -c sleep; true") for box in forks}, {"data\n0\n"})
        tokens = {self.good("GET", f"/api/sandbox/{box}/ports/80/preview-url")["token"] for box in [parent, *forks]}
        keys = {self.good("GET", f"/api/sandbox/{box}/signing-key") for box in [parent, *forks]}
        self.assertEqual((len(tokens), len(keys)), (7, 7))
        grandchild = self.good("POST", f"/api/sandbox/{forks[0]}/fork", {"name": "grandchild-" + uuid.uuid4().hex[:6]})["id"]
        self.assertEqual(sorted(s["id"] for s in self.good("GET", f"/api/sandbox/{parent}/forks")), sorted(forks))
        self.assertEqual([s["id"] for s in self.good("GET", f"/api/sandbox/{grandchild}/ancestors")], [forks[0], parent])
        self.assertEqual(self.good("GET", f"/api/sandbox/{grandchild}/parent")["id"], forks[0])
        self.assertEqual(self.api("GET", f"/api/sandbox/{parent}/parent")[0], 404)
        for box in (parent, forks[0]):
            status, answer = self.api("DELETE", f"/api/sandbox/{box}")
            self.assertEqual((status, answer["message"]), (400, "Cannot delete sandbox which has active fork children. The forks must be deleted first."))
        for box in [grandchild, *forks]:
            self.good("DELETE", f"/api/sandbox/{box}")
        self.assertEqual(len(self.good("GET", f"/api/sandbox/{parent}/forks?includeDestroyed=true")), 6)
        self.assertEqual(self.api("POST", f"/api/sandbox/{forks[0]}/fork", {})[0], 404)
        self.good("DELETE", f"/api/sandbox/{parent}")

    def test_snapshot_can_be_used_at_once(self):
        box, name = self.box(), "made-" + uuid.uuid4().hex[:6]
        self.run_in(box, "echo one > file; sync")
        self.good("POST", f"/api/sandbox/{box}/snapshot", {"name": name})
        self.run_in(box, "echo two > file; sync")
        copy = self.box(snapshot=name)
        self.assertEqual(self.run_in(copy, "cat file"), "one\n")
        self.assertNotEqual(self.run_in(copy, "cat /etc/machine-id"), self.run_in(box, "cat /etc/machine-id"))
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/snapshot", {"name": name})[0], 409)
        self.good("DELETE", f"/api/snapshots/{self.good('GET', f'/api/snapshots/{name}')['id']}")


class Failing(LifecycleTest):
    def test_recover(self):
        box = self.box()
        self.run_in(box, "echo kept > file; sync file")
        os.kill(self.runner(f"/v1/sandboxes/{box}")["pid"], signal.SIGKILL)
        self.until("noticed", lambda: self.state(box) == "error")
        sandbox = self.good("GET", f"/api/sandbox/{box}")
        self.assertTrue(sandbox["recoverable"] and sandbox["errorReason"], sandbox)
        status, answer = self.api("POST", f"/api/sandbox/{box}/start")
        self.assertEqual((status, answer["message"]), (400, "Sandbox is in an errored state"))
        self.assertEqual(self.good("POST", f"/api/sandbox/{box}/recover")["state"], "started")
        self.assertEqual(self.run_in(box, "cat file"), "kept\n")

    def test_what_waits_in_line(self):
        box = self.box()
        self.run_in(box, "(nohup sh -c 'trap \"\" TERM; : > /tmp/deaf; while :; do sleep 0.1; done' >/dev/null 2>&1 &); until [ -e /tmp/deaf ]; do sleep 0.02; done")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            stop = pool.submit(self.api, "POST", f"/api/sandbox/{box}/stop")
            self.until("it stops", lambda: self.state(box) == "stopping", 20)
            start = pool.submit(self.api, "POST", f"/api/sandbox/{box}/start")
            again = pool.submit(self.api, "POST", f"/api/sandbox/{box}/start")
            for asked, state in ((stop, "stopped"), (start, "started"), (again, "started")):
                status, answer = asked.result()
                self.assertEqual((status, answer["state"]), (200, state))

    def test_one_name_of_fifty(self):
        name = "race-" + uuid.uuid4().hex[:6]
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: self.api("POST", "/api/sandbox", {"name": name}), range(50)))
        self.assertEqual(sorted(status for status, _ in answers), [200] + [409] * 49)
        self.good("DELETE", f"/api/sandbox/{name}")

    def test_repeated_after_a_cut_connection(self):
        key = uuid.uuid4().hex
        headers = {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json", "Idempotency-Key": key}
        body = {"labels": {"attempt": key}}
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", self.server.port)) as stream:
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                text = json.dumps(body)
                stream.sendall(f"POST /api/sandbox HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(text)}\r\n\r\n{text}".encode())
        box = self.good("POST", "/api/sandbox", body, headers=headers)["id"]
        self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{box}")
        found = self.good("GET", "/api/sandbox?labels=" + json.dumps(body["labels"]).replace(" ", "").replace('"', "%22").replace("{", "%7B").replace("}", "%7D"))
        self.assertEqual([s["id"] for s in found["items"]], [box])


class Idling(LifecycleTest):
    """All at once, since a minute is the shortest interval: who is used stays, who is not is stopped."""

    def test_idle_means_idle(self):
        with contextlib.ExitStack() as held:
            self.hold_all(held)

    def hold_all(self, held):
        used, stop = {}, threading.Event()
        held.callback(stop.set)
        box = lambda: self.box(autoStopInterval=1)  # noqa: E731
        touched, asked = box(), []
        used["exec"] = box()
        held.enter_context(self.request_that_lasts(used["exec"], "POST", "process/execute", {"command": "sleep 300"}))
        used["session command"] = box()
        self.good("POST", f"/toolbox/{used['session command']}/process/session", {"sessionId": "s"})
        self.api("POST", f"/toolbox/{used['session command']}/process/session/s/exec", {"command": "sleep 300", "runAsync": True})
        used["terminal"] = box()
        held.callback(self.terminal(used["terminal"]).close)
        used["processor"] = box()
        # A fifth of a processor; the floor is a twentieth.
        busy = "import time\nwhile True:\n  end = time.process_time() + 0.02\n  while time.process_time() < end: pass\n  time.sleep(0.08)\n"
        self.good("POST", f"/toolbox/{used['processor']}/files/upload-v2?path=/tmp/busy.py", busy, headers={"Content-Type": "application/octet-stream"})
        self.run_in(used["processor"], "nohup python3 /tmp/busy.py >/dev/null 2>&1 &")
        used["preview"] = box()
        self.run_in(used["preview"], "(nohup python3 -m http.server 8124 >/dev/null 2>&1 &); for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8124/ && break; sleep 0.1; done")
        link = self.good("GET", f"/api/sandbox/{used['preview']}/ports/8124/preview-url")
        use_preview = {"Host": link["url"].split("//")[1].rstrip("/"), "X-Daytona-Preview-Token": link["token"]}

        def keep_asking():
            while not stop.wait(2):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.server.request("GET", "/", headers=use_preview)
                    self.server.request("POST", f"/api/sandbox/{touched}/last-activity")
                    # Looking at it is no use of it, and some say so of their requests.
                    for one in asked:
                        self.server.request("GET", f"/api/sandbox/{one}")
                        self.server.request("GET", f"/toolbox/{one}/version", headers={"X-Daytona-Skip-Last-Activity-Update": "true"})
        asking = threading.Thread(target=keep_asking)
        asking.start()
        held.callback(asking.join)
        held.callback(stop.set)
        used["told so"] = touched
        used["login"] = box()
        held.enter_context(self.login(used["login"]))
        used["WebSocket of a preview"] = box()
        held.enter_context(self.preview_socket(used["WebSocket of a preview"]))
        told = held.enter_context(Listener(self.server))
        # Last: what is idle began to be so when all the others were in use.
        idle_at = [box(), box()]
        idle, skipping = idle_at
        asked.append(skipping)
        self.until("the idle ones are stopped", lambda: {self.state(idle), self.state(skipping)} == {"stopped"}, 150)
        time.sleep(5)  # the others were used when they were, or later
        self.assertEqual({what: self.state(box_id) for what, box_id in used.items()}, {what: "started" for what in used})
        # Each was told of before, with what comes and when; so nobody is surprised.
        for one in idle_at:
            data = self.told_before(told, one)
            self.assertEqual(data["action"], "stop")
            self.assertIn(data["inMs"], range(1, 60_001))

    def told_before(self, listener, box):
        """The data of sandbox.idle-soon, which must come before any word of a stop."""
        for event, data in listener.heard:
            if (data.get("sandbox") or data).get("id") != box:
                continue
            if event == "sandbox.idle-soon":
                return data
            self.assertFalse(event == "sandbox.state.updated" and data["newState"] in ("stopping", "stopped"), "stopped without a word before")
        self.fail("not told")

    @contextlib.contextmanager
    def login(self, box):
        """An SSH session in which nothing happens."""
        token = self.good("POST", f"/api/sandbox/{box}/ssh-access?expiresInMinutes=60")["token"]
        port = self.good("GET", "/api/config")["sshGatewayCommand"].split()[2]
        options = [f"-o{option}" for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")]
        session = subprocess.Popen(["ssh", "-tt", "-F", "none", "-p", port, *options, token + "@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            session.stdin.write(b"echo there-$((1+1))\n")
            session.stdin.flush()
            seen = b""
            while b"there-2" not in seen:
                piece = os.read(session.stdout.fileno(), 4096)
                self.assertTrue(piece, seen)
                seen += piece
            yield
        finally:
            session.kill()
            session.wait()
            session.stdin.close()
            session.stdout.close()

    @contextlib.contextmanager
    def preview_socket(self, box):
        """A WebSocket to a server inside, on which nothing is said."""
        script = ("import base64, hashlib, socket, threading\nserver = socket.create_server(('127.0.0.1', 8125))\nkept = []\nwhile True:\n"
                  "  connection, _ = server.accept()\n  head = b''\n  while b'\\r\\n\\r\\n' not in head:\n    head += connection.recv(4096) or b'\\r\\n\\r\\n'\n"
                  "  key = [l.split(b':', 1)[1].strip() for l in head.split(b'\\r\\n') if l.lower().startswith(b'sec-websocket-key')]\n  if not key: continue\n"
                  "  accept = base64.b64encode(hashlib.sha1(key[0] + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())\n"
                  "  connection.sendall(b'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + b'\\r\\n\\r\\n')\n"
                  "  kept.append(connection)\n")
        self.good("POST", f"/toolbox/{box}/files/upload-v2?path=/tmp/quiet_server.py", script, headers={"Content-Type": "application/octet-stream"})
        self.run_in(box, "(nohup python3 /tmp/quiet_server.py >/dev/null 2>&1 &)")
        token = self.good("GET", f"/api/sandbox/{box}/ports/8125/preview-url")["token"]
        connect = lambda: WebSocket("127.0.0.1", self.server.port, f"/preview/{box}/8125/", {"X-Daytona-Preview-Token": token}, timeout=60)  # noqa: E731
        held = self.until("the server inside serves", lambda: next((s for s in [connect()] if s.status == 101), None))
        try:
            yield
        finally:
            held.socket.close()

    @contextlib.contextmanager
    def request_that_lasts(self, box, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.request(method, f"/toolbox/{box}/{path}", json.dumps(body),
                           {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json"})
        try:
            yield
        finally:
            connection.close()


if __name__ == "__main__":
    unittest.main(verbosity=1)
