"""TLS in front of the proxy: its own certificate, changed while it runs."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import h2
from proxy_rig import KEY, TOKEN, DialServer, Process, Proxy, limit_of_one_address, read_head


def make_certificate(directory, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:*.preview.test,DNS:platform.test",
                    "-keyout", os.path.join(directory, name + ".key"), "-out", os.path.join(directory, name + ".crt")],
                   check=True, capture_output=True)


def setUpModule():
    global directory, dial, proxy, server, box
    directory = tempfile.mkdtemp()
    for name in ("first", "second"):
        make_certificate(directory, name)
    place("first")
    dial = DialServer(os.path.join(directory, "dial.sock"))
    proxy = Proxy(os.path.join(directory, "dial.sock"), directory, os.path.join(directory, "live.crt"),
                  os.path.join(directory, "live.key"))
    server = Process("proxy_upstream", "tcp", "0")
    dial.places[3000] = int(server.first_line)
    box = proxy.sandbox("", public=True)


def tearDownModule():
    server.stop()
    proxy.stop()
    dial.close()
    shutil.rmtree(directory)


def place(name):
    for end in ("crt", "key"):
        shutil.copy(os.path.join(directory, name + "." + end), os.path.join(directory, "new"))
        os.rename(os.path.join(directory, "new"), os.path.join(directory, "live." + end))


def make_huge(path):
    pathlib.Path(path).touch()
    os.truncate(path, 1 << 40)


def host():
    return "3000-%s.preview.test" % box


def connect(name="first", protocols=("http/1.1",), **options):
    context = ssl.create_default_context(cafile=os.path.join(directory, name + ".crt"))
    context.set_alpn_protocols(protocols)
    for key, value in options.items():
        setattr(context, key, value)
    raw = socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=15)
    return context.wrap_socket(raw, server_hostname=host())


def tls_hello(raw):
    try:
        context = ssl.create_default_context(cafile=os.path.join(directory, "first.crt"))
        return context.wrap_socket(raw, server_hostname=host())
    except OSError:
        return None


def ask(connection, path="/", more="", method="GET", body=b""):
    connection.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, path, host(), more)).encode() + body)
    head, rest = read_head(connection)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    return head, rest


class Tls(unittest.TestCase):
    def test_requests(self):
        with connect() as connection:
            self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")
            self.assertIn(connection.version(), ("TLSv1.2", "TLSv1.3"))
            for _ in range(3):
                head, body = ask(connection)
                self.assertIn(b'"x-forwarded-proto":"https"', body)
                self.assertIn(b'"x-forwarded-for":"127.0.0.1"', body)

    def test_big_bodies(self):
        with connect() as connection:
            size = 20_000_000
            head, body = ask(connection, "/sink", "Content-Length: %d\r\n" % size, "POST", b"z" * size)
            self.assertEqual(body, b"%d" % size)
            head, body = ask(connection, "/source?bytes=%d" % size)
            self.assertEqual(len(body), size)

    def test_websocket(self):
        with connect() as connection:
            connection.sendall(("GET /socket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                                % host()).encode())
            head, _ = read_head(connection)
            self.assertIn(b" 101 ", head)
            connection.sendall(b"\x81\x85\x00\x00\x00\x00hello")
            self.assertEqual(connection.recv(7), b"\x81\x05hello")

    def test_cookies_are_secure(self):
        other = proxy.sandbox("")
        with connect() as connection:
            connection.sendall(("GET /?DAYTONA_SANDBOX_AUTH_KEY=%s HTTP/1.1\r\nHost: 3000-%s.preview.test\r\n\r\n"
                                % (TOKEN, other)).encode())
            head, _ = read_head(connection)
            self.assertIn(b"; Secure\r\n", head)

    def until_served(self, name):
        deadline = time.monotonic() + 30
        while True:
            try:
                return connect(name)
            except ssl.SSLError:
                self.assertLess(time.monotonic(), deadline, "the new certificate is not used")
                time.sleep(0.1)

    def test_certificate_changes(self):
        old = connect()
        place("second")
        try:
            with self.until_served("second") as connection:
                ask(connection)
            with self.assertRaises(ssl.SSLError):
                connect("first")
            ask(old)  # what was begun goes on
            # Half a pair, or nonsense: the one in use stays.
            shutil.copy(os.path.join(directory, "first.crt"), os.path.join(directory, "live.crt"))
            time.sleep(1.2)
            with connect("second") as connection:
                ask(connection)
            os.unlink(os.path.join(directory, "live.key"))
            time.sleep(1.2)
            with connect("second") as connection:
                ask(connection)
        finally:
            place("first")
            self.until_served("first").close()
            old.close()

    def test_what_can_be_no_certificate(self):
        old = connect()
        path = os.path.join(directory, "live.crt")
        kinds = {"a pipe": os.mkfifo, "a directory": os.mkdir, "nothing in it": lambda name: pathlib.Path(name).touch(),
                 "far too large": make_huge}
        for kind, put in kinds.items():
            with self.subTest(kind):
                os.unlink(path)
                put(path)
                time.sleep(1.2)
                with connect() as connection:
                    ask(connection)
                ask(old)
            if os.path.isdir(path):
                os.rmdir(path)
                pathlib.Path(path).touch()
        place("second")
        time.sleep(1.2)
        connect("second").close()
        place("first")
        time.sleep(1.2)
        connect().close()
        old.close()

    def test_old_versions_and_nonsense(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            connect(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\0" * 1000, b""):
            with socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=60) as raw:
                raw.sendall(text)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        with connect() as connection:
            ask(connection)

    def test_connections_of_one_address(self):
        limit_of_one_address(self, proxy.tls_port, tls_hello)

    def test_client_that_goes(self):
        for _ in range(20):
            connection = connect()
            connection.sendall(("GET /source?bytes=100000000 HTTP/1.1\r\nHost: %s\r\n\r\n" % host()).encode())
            connection.recv(10)
            connection.close()
        with connect() as connection:
            ask(connection)


def curl(*arguments, path="/", data=None):
    """(protocol, status, body) of one request by curl."""
    done = subprocess.run(["curl", "-sS", "--http2", "--cacert", os.path.join(directory, "first.crt"), "--max-time", "60",
                           "--resolve", "%s:%d:127.0.0.1" % (host(), proxy.tls_port), "-w", "\\n%{http_version} %{http_code}", *arguments,
                           "https://%s:%d%s" % (host(), proxy.tls_port, path)], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    body, _, last = done.stdout.rpartition(b"\n")
    version, status = last.decode().split()
    return version, int(status), body


@unittest.skipUnless(shutil.which("curl"), "no curl")
class Http2(unittest.TestCase):
    def test_requests(self):
        version, status, body = curl("-H", "X-Mine: 1", "-H", "Cookie: a=1; b=2", path="/x?y=%20z")
        self.assertEqual((version, status), ("2", 200))
        seen = json.loads(body)
        self.assertEqual(seen["target"], "/x?y=%20z")
        self.assertEqual((seen["headers"]["x-mine"], seen["headers"]["cookie"]), ("1", "a=1; b=2"))
        self.assertEqual((seen["headers"]["x-forwarded-proto"], seen["headers"]["x-forwarded-host"]), ("https", "%s:%d" % (host(), proxy.tls_port)))
        self.assertEqual(curl("-I")[:2], ("2", 200))
        version, status, body = curl("-i", path="/redirect")
        self.assertEqual((version, status), ("2", 302))
        self.assertIn(b"location: /elsewhere?x=1", body)
        self.assertNotIn(b"connection:", body.lower())
        # HTTP/1.1 is still spoken with who wants it.
        self.assertEqual(curl("--http1.1")[:2], ("1.1", 200))

    def test_bodies_both_ways(self):
        size = 5_000_000
        self.assertEqual(curl("--data-binary", "@-", path="/sink", data=b"z" * size), ("2", 200, b"%d" % size))
        self.assertEqual(curl("-T", "-", path="/sink", data=b"z" * size)[2], b"%d" % size)  # of unknown length
        for path in ("/source?bytes=%d", "/source-chunked?bytes=%d"):
            self.assertEqual(len(curl(path=path % size)[2]), size)
        self.assertEqual(curl(path="/source?bytes=0")[2], b"")
        self.assertEqual(curl("-N", path="/events")[2].count(b"data: "), 5)
        # An answer before the end of the request: first all of it, then that the rest is not wanted.
        connection = self.connection()
        stream = connection.open(h2.request(host(), "/early", "POST", [("content-length", "5000000")]), h2.END_HEADERS)
        connection.send(*(h2.frame(h2.DATA, 0, stream, bytes(16_000)) for _ in range(4)))
        self.assertEqual(connection.outcome(stream), ("head", 413))
        kinds = []
        while not kinds or kinds[-1][0] != h2.RST:
            kind, flags, of, payload = connection.receive()
            if of == stream and kind in (h2.DATA, h2.RST):
                kinds.append((kind, payload))
        self.assertEqual((b"".join(data for kind, data in kinds if kind == h2.DATA), kinds[-1]), (b"no more", (h2.RST, bytes(4))))

    def test_many_streams(self):
        done = subprocess.run(["h2load", "-n", "3000", "-c", "5", "-m", "50", "--connect-to=127.0.0.1:%d" % proxy.tls_port,
                               "https://%s:%d/" % (host(), proxy.tls_port)], capture_output=True, text=True, timeout=120)
        self.assertIn("3000 succeeded, 0 failed, 0 errored", done.stdout, done.stderr)
        self.assertIn("Application protocol: h2", done.stdout)

    def connection(self):
        tls = connect(protocols=("h2",))
        self.addCleanup(tls.close)
        self.assertEqual(tls.selected_alpn_protocol(), "h2")
        return h2.Connection(tls)

    def still_serves(self):
        self.assertEqual(curl()[:2], ("2", 200))

    def test_slow_streams_do_not_hold_others_up(self):
        connection = self.connection()
        hanging = [connection.open(h2.request(host(), "/hang")) for _ in range(50)]
        # An upload that nobody reads, beyond its window, and a download that this side does not take.
        connection.open(h2.request(host(), "/hang", "POST"), h2.END_HEADERS)
        connection.send(*(h2.frame(h2.DATA, 0, connection.next - 2, bytes(16_000)) for _ in range(4)))
        connection.open(h2.request(host(), "/source?bytes=50000000"))
        self.assertEqual(connection.outcome(connection.open(h2.request(host()))), ("head", 200))
        connection.send(*(h2.frame(h2.RST, 0, stream, bytes(4)) for stream in hanging))
        self.assertEqual(connection.outcome(connection.open(h2.request(host()))), ("head", 200))

    def test_stream_whose_answer_is_not_taken(self):
        connection = self.connection()
        stream = connection.open(h2.request(host(), "/source?bytes=50000000"))
        slow = connection.open(h2.request(host(), "/hang"))  # says nothing for as long, which it may
        self.assertEqual(connection.outcome(stream), ("head", 200))
        self.assertEqual(connection.outcome(stream), ("reset", 8))
        self.assertEqual(connection.outcome(connection.open(h2.request(host()))), ("head", 200))
        connection.send(h2.frame(h2.RST, 0, slow, bytes(4)))

    def test_what_can_not_be_said_is_refused(self):
        good = [(":method", "GET"), (":scheme", "https"), (":authority", host()), (":path", "/")]

        def instead(name, value):
            return [(key, value if key == name else old) for key, old in good]
        rows = {
            "target with a line end": instead(":path", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /evil"),
            "target with a space": instead(":path", "/a b"), "no target": instead(":path", ""),
            "absolute target": instead(":path", "http://evil.test/"), "target elsewhere": instead(":path", "evil"),
            "method with a line end": instead(":method", "GET / HTTP/1.1\r\nX:"), "method with a space": instead(":method", "GET /x"),
            "authority with a line end": instead(":authority", host() + "\r\nX: y"), "authority with a path": instead(":authority", host() + "/x"),
            "authority with a user": instead(":authority", "a@" + host()), "no authority": [f for f in good if f[0] != ":authority"],
            "CONNECT": [(":method", "CONNECT"), (":authority", host())],
            "two hosts": good + [("host", "evil.test")], "two paths": good + [(":path", "/evil")], "no path": [f for f in good if f[0] != ":path"],
            "late pseudo field": good + [("x", "y"), (":path", "/evil")], "unknown pseudo field": good + [(":evil", "x")],
            "value with a line end": good + [("x", "y\r\nz: w")], "value with NUL": good + [("x", "y\0z")],
            "name with a line end": good + [("x\r\ny", "z")], "name with a colon": good + [("x:y", "z")], "name with a space": good + [("x ", "z")],
            "upper case": good + [("X-Upper", "y")], "empty name": good + [("", "y")],
            "transfer-encoding": good + [("transfer-encoding", "chunked")], "connection": good + [("connection", "close")],
            "upgrade": good + [("upgrade", "h2c")], "te": good + [("te", "gzip")],
            "content-length that lies": good + [("content-length", "5")], "two content-lengths": good + [("content-length", "0"), ("content-length", "1")],
            "cookie with a line end": good + [("cookie", "a=1\r\nb: c")],
        }
        for name, fields in rows.items():
            with self.subTest(name):
                connection = self.connection()
                outcome = connection.outcome(connection.open(h2.head(*fields)))
                self.assertIn(outcome, [("reset", 1), ("head", 400), ("goaway", 1)], name)
        self.still_serves()

    def test_body_that_does_not_fit_its_length(self):
        connection = self.connection()
        stream = connection.open(h2.request(host(), "/sink", "POST", [("content-length", "3")]), h2.END_HEADERS)
        connection.send(h2.frame(h2.DATA, h2.END_STREAM, stream, b"xyz GET /evil HTTP/1.1\r\n\r\n"))
        self.assertEqual(connection.outcome(stream), ("reset", 1))
        self.still_serves()

    def test_heads_that_are_too_big(self):
        connection = self.connection()
        block = h2.request(host(), more=[("x-%d" % i, "y" * 1000) for i in range(40)])
        first, *rest = [block[i:i + 16_000] for i in range(0, len(block), 16_000)]
        stream = connection.open(first, h2.END_STREAM)
        connection.send(*(h2.frame(h2.CONTINUATION, 0, stream, piece) for piece in rest[:-1]),
                        h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, rest[-1]))
        self.assertEqual(connection.outcome(stream), ("head", 431))
        # A bomb: one field in the table, named ten thousand times.
        connection = self.connection()
        block = h2.request(host()) + b"\x40" + h2.text("x") + h2.text("y" * 3900) + b"\xbe" * 10_000
        connection.open(block)
        self.assertIn(connection.ended(), (None, 2, 9, 11))
        self.still_serves()

    def test_floods_end_the_connection(self):
        before = proxy_memory()
        # Requests that are taken back at once.
        connection = self.connection()
        try:
            for _ in range(2000):
                stream = connection.open(h2.request(host(), "/hang"))
                connection.send(h2.frame(h2.RST, 0, stream, bytes(3) + b"\x08"))
            self.assertIn(connection.ended(), (None, 1, 2, 11))
        except OSError:
            pass
        # A head without an end.
        connection = self.connection()
        connection.open(h2.request(host()), h2.END_STREAM)
        try:
            connection.send(*(h2.frame(h2.CONTINUATION, 0, 1, h2.head(("x", "y" * 1000))) for _ in range(100)))
            self.assertIn(connection.ended(), (None, 1, 2, 11))
        except OSError:
            pass
        # Frames that want an answer each, that say nothing, that change what others are sent.
        rows = {h2.SETTINGS: (0, bytes.fromhex("000400000001")), h2.PING: (0, bytes(8)), h2.PRIORITY: (7, bytes(5)),
                h2.DATA: (1, b""), h2.WINDOW: (1, bytes.fromhex("00000001")), h2.CONTINUATION: (1, b"")}
        for kind, (stream, payload) in rows.items():
            connection = self.connection()
            flags = 0 if kind == h2.CONTINUATION else h2.END_HEADERS
            connection.open(h2.request(host(), "/source?bytes=1000000" if kind == h2.WINDOW else "/sink", "POST"), flags)
            with contextlib.suppress(OSError):
                for _ in range(20):
                    connection.send(*(h2.frame(kind, 0, stream, payload) for _ in range(500)))
            connection.tls.close()
            self.still_serves()
        self.assertLess(proxy_memory() - before, 64 << 20)

    def test_nonsense(self):
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100, b"\0" * 1000):
            tls = connect(protocols=("h2",))
            tls.sendall(data)
            got = b""
            while piece := tls.recv(65536):
                got += piece
            self.assertNotIn(b"HTTP/1.1 200", got)
            tls.close()
        self.still_serves()


def proxy_memory():
    with open("/proc/%d/statm" % proxy.process.process.pid) as file:
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    unittest.main()
