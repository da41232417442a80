"""The web terminal on preview port 22222: page, files, socket; in a real browser where one is installed."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from proxy_rig import BUILD, KEY, TOKEN, DialServer, Proxy
from ws import WebSocket


def setUpModule():
    global directory, dial, proxy, toolbox, box
    directory = tempfile.mkdtemp()
    dial = DialServer(os.path.join(directory, "dial.sock"))
    proxy = Proxy(os.path.join(directory, "dial.sock"))
    configuration = os.path.join(directory, "toolbox.json")
    with open(configuration, "w") as file:
        json.dump({"sandboxId": "test", "version": "test", "user": "", "workDir": "", "env": {"PS1": "$ "}}, file)
    listening = os.path.join(directory, "toolbox.sock")
    toolbox = subprocess.Popen([os.path.join(BUILD, "sebring-toolbox"), "serve", "--listen", listening,
                                "--configuration", configuration])
    while not os.path.exists(listening):
        time.sleep(0.02)
    box = proxy.sandbox(listening, public=True)


def tearDownModule():
    toolbox.terminate()
    toolbox.wait()
    proxy.stop()
    dial.close()
    shutil.rmtree(directory)


def host():
    return "22222-%s.preview.test" % box


def get(path, **more):
    return proxy.ask(more.pop("method", "GET"), path, host=host(), **more)


def connect(path="/ws", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebSocket("127.0.0.1", proxy.port, path, headers={"Host": host(), "Authorization": "Bearer " + KEY, **headers})


def read_until(socket, text, timeout=60):
    seen = ""
    deadline = time.monotonic() + timeout
    while text not in seen:
        assert time.monotonic() < deadline, seen
        data = socket.receive()
        assert isinstance(data, str), data
        seen += data
    return seen


class Page(unittest.TestCase):
    def test_needs_a_credential_even_in_a_public_sandbox(self):
        self.assertEqual(get("/", key=None)[0], 401)
        self.assertEqual(get("/ws", key=None)[0], 401)
        self.assertEqual(get("/", key=None, headers={"X-Daytona-Preview-Token": TOKEN})[0], 200)

    def test_page_and_files(self):
        status, headers, body = get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertIn("frame-ancestors 'self' http://platform.test", headers["Content-Security-Policy"])
        for name in ("terminal.js", "terminal.css", "vendor/xterm.mjs", "vendor/xterm.css", "vendor/addon-fit.mjs"):
            status, headers, content = get("/assets/" + name)
            self.assertEqual(status, 200)
            source = os.path.join(os.path.dirname(__file__), "..", "..", "src", "terminal", "assets", name)
            with open(source, "rb") as file:
                self.assertEqual(content, file.read())
        for path in ("/assets/", "/assets/../terminal.h", "/x", "/assets/vendor/none.js"):
            self.assertEqual(get(path)[0], 404)
        self.assertEqual(get("/", method="POST")[0], 405)
        self.assertEqual(get("/ws")[0], 400)
        self.assertEqual(get("/ws?session=a/b%20c")[0], 400)


class Socket(unittest.TestCase):
    def test_shell(self):
        socket = connect()
        self.assertEqual(socket.status, 101)
        socket.send('{"rows": 31, "cols": 97}')
        socket.send("stty size; echo sum=$((6*7))\n")
        seen = read_until(socket, "sum=42")
        self.assertIn("31 97", seen)
        socket.send("echo '{\"rows\": 1}'; printf 'gr\\303\\274\\303\\237e \\342\\202\\254 \\377.\\n'; echo e''nd\n")
        seen = read_until(socket, "end")
        self.assertIn("grüße € \ufffd.", seen)
        socket.send("stty -echo; wc -c\n")
        socket.send("pasted line of text\n" * 5_000 + "\x04")
        read_until(socket, "100000", 60)
        socket.send("exit\n")
        while socket.receive() is not None:
            pass
        self.assertEqual(socket.close_code, 1000)

    def test_odd_sizes_are_not_typed(self):
        socket = connect()
        for size, told in (('{"rows": 0, "cols": 65535}', "1 1000"), ('{"cols": -5, "rows": 100000}', "1000 1")):
            socket.send(size)
            socket.send("stty size; echo do''ne\n")
            seen = read_until(socket, "done")
            self.assertIn(told, seen)
            self.assertNotIn("rows", seen)
        socket.close()

    def test_nameless_shell_ends_with_its_connection(self):
        socket = connect()
        socket.send("echo pid=$$.\n")
        pid = read_until(socket, ".\r\n").rpartition("pid=")[2].partition(".")[0]
        if not pid.isdigit():
            pid = read_until(socket, ".\r\n").rpartition("pid=")[2].partition(".")[0]
        socket.close()
        deadline = time.monotonic() + 30
        while os.path.exists("/proc/" + pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(os.path.exists("/proc/" + pid))

    def test_named_shell_is_found_again(self):
        socket = connect("/ws?session=abcdefgh12")
        socket.send("kept=value; echo re''ady\n")
        read_until(socket, "ready")
        socket.close()
        socket = connect("/ws?session=abcdefgh12")
        seen = read_until(socket, "ready")  # what was said before comes again
        socket.send("echo still=$kept\n")
        read_until(socket, "still=value")
        other = connect("/ws?session=another123")
        other.send("echo other=$kept.\n")
        read_until(other, "other=.")
        socket.send("exit\n")
        other.close()
        socket.close()

    def test_foreign_pages_may_not(self):
        cookie = get("/?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN, key=None)[1]["Set-Cookie"].partition(";")[0]

        def status(**headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return WebSocket("127.0.0.1", proxy.port, "/ws", headers={"Host": host(), **headers}).status
        self.assertEqual(status(Cookie=cookie, Origin="http://" + host()), 101)
        self.assertEqual(status(Cookie=cookie, Origin="http://evil.test"), 401)
        self.assertEqual(status(Cookie=cookie, Origin="http://3000-%s.preview.test" % box), 401)

    def test_ends_with_its_token(self):
        key = "dtn_" + "9" * 64
        proxy.order(what="key", key=key, id=box)
        socket = WebSocket("127.0.0.1", proxy.port, "/ws", headers={"Host": host(), "Authorization": "Bearer " + key})
        self.assertEqual(socket.status, 101)
        proxy.order(what="no-key", key=key, id=box, check=True)
        while socket.receive() is not None:
            pass
        self.assertEqual((socket.close_code, socket.close_reason), (1008, b"the credential was revoked meanwhile"))


if __name__ == "__main__":
    unittest.main()
