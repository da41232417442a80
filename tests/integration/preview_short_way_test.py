"""What goes the short way arrives as what goes the general way: the same bytes to the server and to the visitor.

The first request to a server that nobody is connected to goes the general way; the same request again, over the connection that
was kept, is what the short way is for.
"""
import os
import socket
import tempfile
import threading
import time
import unittest

from proxy_rig import KEY, TOKEN, DialServer, Proxy, RawServer, read_head, tcp_listener

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


def setUpModule():
    global directory, dial, proxy, public, private
    directory = tempfile.TemporaryDirectory()
    dial = DialServer(os.path.join(directory.name, "dial.sock"))
    proxy = Proxy(os.path.join(directory.name, "dial.sock"))
    public = proxy.sandbox("", public=True)
    private = proxy.sandbox("")


def tearDownModule():
    proxy.stop()
    dial.close()
    directory.cleanup()


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


class Server:
    """Answers each request with the next of `answers` (the last one for ever), whose pieces go out one by one; None closes."""

    def __init__(self, *answers):
        self.answers, self.heads, self.gone = list(answers), [], threading.Event()
        listener = tcp_listener()
        self.port = listener.getsockname()[1]
        self.raw = RawServer(listener, self.serve)
        dial.places[self.port] = self.port

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        try:
            while True:
                head, rest = read_head(connection, rest)
                self.heads.append(head)
                answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
                if answer is None:
                    return
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(piece)
                    time.sleep(0.02 if isinstance(answer, tuple) else 0)
        finally:
            self.gone.set()

    def close(self):
        proxy.order(what="", id=public, drop=True)
        self.raw.close()


class Visitor:
    def __init__(self, server, label=None):
        self.host = b"%d-%s.preview.test" % (server.port, (label or public).encode())
        self.connection = proxy.connect()

    def send(self, target=b"/", fields=(), method=b"GET", version=b"1.1"):
        lines = [b"%s %s HTTP/%s" % (method, target, version), b"Host: " + self.host, *fields]
        self.connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")

    def receive(self, has_body=True):
        """Head and body of one answer."""
        head, rest = read_head(self.connection)
        fields = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in head.split(b"\r\n")[1:]}
        if not has_body or head.split()[1] in (b"204", b"304"):
            return head, rest
        if fields.get(b"transfer-encoding") == b"chunked":
            while not rest.endswith(b"0\r\n\r\n"):
                rest += self.connection.recv(65536) or self.fail_cut(rest)
            return head, rest
        length = int(fields.get(b"content-length", b"0"))
        while len(rest) < length:
            rest += self.connection.recv(65536) or self.fail_cut(rest)
        return head, rest

    @staticmethod
    def fail_cut(rest):
        raise AssertionError("cut after %r" % rest)

    def ask(self, *args, **more):
        self.send(*args, **more)
        return self.receive(more.get("method") != b"HEAD")

    def close(self):
        self.connection.close()


class ShortWay(unittest.TestCase):
    def server(self, *answers):
        server = Server(*answers)
        self.addCleanup(server.close)
        return server

    def visitor(self, server, label=None):
        visitor = Visitor(server, label)
        self.addCleanup(visitor.close)
        return visitor

    def both_ways(self, answer, short, *args, label=None, **more):
        """The same request twice."""
        server = self.server(answer)
        visitor = self.visitor(server, label)
        before = proxy.state()["short"]
        first = visitor.ask(*args, **more)
        second = visitor.ask(*args, **more)
        self.assertEqual(proxy.state()["short"] - before, int(short), (args, more, answer))
        self.assertEqual(server.heads[0], server.heads[1])
        self.assertEqual(first, second)
        return server.heads[0].split(b"\r\n"), first

    def test_requests(self):
        browser = [b"User-Agent: Mozilla/5.0 (X11)", b"Accept: text/html,*/*;q=0.8", b"Accept-Encoding: gzip, br", b"DNT: 1",
                   b"Referer: http://a.test/b", b"Sec-Fetch-Mode: navigate", b"If-None-Match: \"x\"", b"Range: bytes=0-4"]
        for target, fields, more, short in (
                (b"/", (), {}, True),
                (b"/a/b;c?d=e&f", (), {}, True),
                (b"/%2e?q=%20+x", browser, {}, True),
                (b"/preview/x/80/", (), {}, True),
                (b"/" + b"x" * 3000, (), {}, True),
                (b"/", [b"Connection: keep-alive"], {}, True),
                (b"/", [b"Content-Length: 0", b"X-Empty:", b"X-Twice: 1", b"x-twice: 2", b"X-High: \xc3\xa4\xff"], {}, True),
                (b"/", [b"Authorization: Basic YTpi"], {}, True),
                (b"/", [b"Authorization: Bearer its-own"], {}, True),
                (b"/", [b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Prefix: /p", b"Forwarded: for=x", b"X-Real-IP: 1.2.3.4"], {}, True),
                (b"/?", (), {}, False),
                (b"/?a&DAYTONA_SANDBOX_AUTH_KEY=x&b", (), {}, False),
                (b"/?DAYTONA%5FSANDBOX_AUTH_KEY=x", (), {}, False),
                (b"/", [b"Authorization: Bearer " + KEY.encode()], {}, False),
                (b"/", [b"Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"], {}, False),
                (b"/", [b"Cookie: a=b; c=\"d\"; e"], {}, True),
                (b"/", [b"Cookie: a=b; daytona-sandbox-auth-x=y"], {}, False),
                (b"/", [b"Cookie: a=b;c=d;"], {}, False),
                (b"/", [b"Cookie: SEBRING-login=y"], {}, False),
                (b"/", [b"Origin: http://a.test"], {}, False),
                (b"/", [b"X-Daytona-Preview-Token: " + TOKEN.encode(), b"X-Daytona-Skip-Preview-Warning: true"], {}, True),
                (b"/", [b"X-Daytona-Skip-Last-Activity-Update: true"], {}, False),
                (b"/", [b"Connection: keep-alive, X-Drop", b"X-Drop: 1"], {}, False),
                (b"/", [b"Connection: Upgrade", b"Upgrade: x"], {}, False),
                (b"/", [b"TE: trailers"], {}, False),
                (b"/", [b"Keep-Alive: 5"], {}, False),
                (b"/", [b"Proxy-Authorization: Basic YTpi"], {}, False),
                (b"/", [b"Expect: 100-continue"], {}, False),
                (b"/", (), {"method": b"HEAD"}, False),
                (b"/", (), {"method": b"DELETE"}, False),
                (b"/", [b"Connection: keep-alive"], {"version": b"1.0"}, False)):
            with self.subTest(target=target[:40], fields=fields, more=more):
                lines, _ = self.both_ways(PLAIN if more.get("method") != b"HEAD" else PLAIN[:-5], short, target, fields, **more)
                for secret in (KEY, TOKEN, "daytona-sandbox-auth", "SEBRING-", "1.2.3.4"):
                    self.assertNotIn(secret.encode(), b"\n".join(lines))
                self.assertEqual([line for line in lines if line.startswith(b"X-Forwarded-For")], [b"X-Forwarded-For: 127.0.0.1"])

    def test_requests_with_a_credential(self):
        key, token = b"Authorization: Bearer " + KEY.encode(), b"X-Daytona-Preview-Token: " + TOKEN.encode()
        for fields, short in (
                ([key], True),
                ([b"AUTHORIZATION: bearer  " + KEY.encode() + b" "], True),
                ([token], True),
                ([token, b"x-daytona-skip-preview-warning: true"], True),
                ([key, token], True),
                ([key, b"x-daytona-preview-token: wrong"], True),
                ([key, b"Authorization: Basic YTpi"], True),
                ([b"Authorization: Basic YTpi", token], True),
                ([b"Authorization: Bearer its-own", token, b"Cookie: a=b"], True),
                ([b"Authorization: Bearer its-own", key, token], False),
                ([b"Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", token], False),
                ([b"Authorization: Bearer dtn_" + b"0" * 64, token], False),
                ([key, b"X-Daytona-Organization-ID: x"], False),
                ([key, b"X-Forwarded-For: 1.2.3.4"], False),
                ([token, b"X-Forwarded-Proto: https"], False)):
            with self.subTest(fields=fields):
                lines, (head, _) = self.both_ways(PLAIN, short, b"/", fields, label=private)
                self.assertIn(b" 200 ", head)
                for secret in (KEY, TOKEN, "dtn_", "x-daytona", "X-Daytona", "wrong"):
                    self.assertNotIn(secret.encode(), b"\n".join(lines))
                passed = [line for line in lines if line.startswith(b"Authorization")]
                foreign = [field for field in fields if any(word in field for word in (b"Basic", b"its-own", b"eyJ"))]
                self.assertEqual(passed, [] if fields[0] == key else foreign)

    def test_credentials_that_do_not_count(self):
        server = self.server(PLAIN)
        good = self.visitor(server, private)
        for _ in range(2):
            self.assertIn(b" 200 ", good.ask(fields=[b"X-Daytona-Preview-Token: " + TOKEN.encode()])[0])
        before = proxy.state()["short"]
        for fields in ([], [b"X-Daytona-Preview-Token: " + TOKEN[:-1].encode()], [b"X-Daytona-Preview-Token:", b"X-Daytona-Preview-Token: " + TOKEN.encode()],
                       [b"Authorization: Basic " + KEY.encode()], [b"Authorization: Bearer " + KEY[:-1].encode()],
                       [b"Authorization: Bearer x", b"Authorization: Bearer " + KEY.encode()]):
            with self.subTest(fields=fields):
                self.assertIn(b" 401 ", self.visitor(server, private).ask(fields=fields)[0])
        self.assertEqual(proxy.state()["short"], before)

    def test_answers(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
        for answer, short in (
                (PLAIN, True),
                (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", True),
                (b"HTTP/1.1 418 I'm a teapot\r\ncontent-LENGTH:  2 \r\nX:\r\nServer:a\t b \r\n\r\nok", True),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-High: \xc3\xa4\r\n\r\n", True),
                (head + b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nDate: x\r\nETag: \"y\"\r\n\r\nok", True),
                (head + b"Access-Control-Allow-Origin: *\r\nContent-Range: bytes 0-1/9\r\n\r\nok", True),
                (b"HTTP/1.1 500 Broken\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3000, True),
                (head + b"Set-Cookie: a=1; Domain=preview.test\r\nSet-Cookie: sebring-x=1\r\n\r\nok", False),
                (head + b"Location: http://localhost:3000/x\r\n\r\nok", False),
                (head + b"Content-Location: /x\r\n\r\nok", False),
                (head + b"Alt-Svc: h2=\":443\"\r\n\r\nok", False),
                (head + b"Clear-Site-Data: \"*\"\r\n\r\nok", False),
                (head + b"Connection: X-Drop\r\nX-Drop: 1\r\n\r\nok", False),
                (head + b"Upgrade: x\r\n\r\nok", False),
                (head + b"Trailer: X\r\n\r\nok", False),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok", False),
                (b"HTTP/1.1 204 No Content\r\n\r\n", False),
                (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False),
                (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN, False),
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", False),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000, False)):
            with self.subTest(answer=answer[:80]):
                _, (head_seen, _) = self.both_ways(answer, short)
                self.assertNotIn(b"sebring-x", head_seen)

    def test_answers_that_are_refused(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokx",
                       b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\nok",
                       b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 2\r\n\r\nok",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", b"what\r\n\r\n"):
            with self.subTest(answer=answer):
                server = self.server(PLAIN, answer)
                visitor = self.visitor(server)
                visitor.ask()
                before = proxy.state()["short"]
                self.assertIn(b" 502 ", visitor.ask()[0])
                self.assertEqual(proxy.state()["short"], before)

    def test_answers_in_pieces(self):
        long = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\nContent-Length: 5\r\n\r\nhello"
        for pieces in ((PLAIN[:3], PLAIN[3:30], PLAIN[30:]), (PLAIN[:-5], b"hello"), (PLAIN[:-5], b"he", b"llo"),
                       tuple(PLAIN[i:i + 9] for i in range(0, len(PLAIN), 9)), (long[:9000], long[9000:])):
            with self.subTest(pieces=len(pieces)):
                self.both_ways_in_pieces(pieces)

    def both_ways_in_pieces(self, pieces):
        server = self.server(pieces)
        visitor = self.visitor(server)
        first = visitor.ask()
        self.assertEqual(visitor.ask(), first)
        self.assertEqual(server.heads[0], server.heads[1])
        self.assertEqual(len(server.heads), 2)  # what was asked already is not asked again

    def test_a_stream_is_asked_for_once_and_comes_as_it_is_sent(self):
        go_on = threading.Event()

        def pieces():
            yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
            go_on.wait(20)
            yield b"4\r\nlast\r\n0\r\n\r\n"
        server = self.server(PLAIN, pieces())
        visitor = self.visitor(server)
        visitor.ask()
        visitor.send()
        seen = b""
        while b"first" not in seen:
            seen += visitor.connection.recv(4096)
        go_on.set()
        while not seen.endswith(b"0\r\n\r\n"):
            seen += visitor.connection.recv(4096)
        self.assertEqual(len(server.heads), 2)

    def test_a_stream_ends_with_what_let_it_in(self):
        for change in ("key", "public", "state"):
            with self.subTest(change):
                key, over = "dtn_" + "f" * 64, threading.Event()
                self.addCleanup(over.set)
                box = proxy.sandbox("", public=change == "public")
                proxy.order(what="key", key=key, id=box)

                def pieces():
                    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
                    over.wait(60)
                    yield b"0\r\n\r\n"
                server = self.server(PLAIN, pieces())
                visitor = self.visitor(server, box)
                fields = [] if change == "public" else [b"Authorization: Bearer " + key.encode()]
                self.assertIn(b" 200 ", visitor.ask(fields=fields)[0])
                visitor.send(fields=fields)
                seen = b""
                while b"first" not in seen:
                    seen += visitor.connection.recv(4096)
                if change == "key":
                    proxy.order(what="no-key", key=key)
                else:
                    proxy.order(what="sandbox", id=box, state="started" if change == "public" else "stopped")
                proxy.order(what="", id=box, check=True)
                visitor.connection.settimeout(30)
                while piece := visitor.connection.recv(4096):
                    seen += piece
                self.assertFalse(seen.endswith(b"0\r\n\r\n"))
                wait_for(lambda: self.ended(server), "the server's connection is closed")

    def test_until_the_end(self):
        def old():
            yield b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
            raise EOFError
        server = self.server(PLAIN, old())
        visitor = self.visitor(server)
        visitor.ask()
        self.assertEqual(visitor.ask()[1], b"d\r\nuntil the end\r\n0\r\n\r\n")

    def test_server_that_closes_before_it_answers_is_asked_again(self):
        server = self.server(PLAIN, None, PLAIN)
        visitor = self.visitor(server)
        first = visitor.ask()
        self.assertEqual(visitor.ask(), first)
        self.assertEqual(len(server.heads), 3)
        self.assertEqual(server.raw.connections, 2)

    def test_server_that_breaks_off(self):
        def broken():
            yield PLAIN[:20]
            raise EOFError
        server = self.server(PLAIN, broken(), PLAIN)
        visitor = self.visitor(server)
        visitor.ask()
        self.assertEqual(visitor.ask()[1], b"hello")
        self.assertEqual(server.raw.connections, 2)

    def test_bytes_that_nobody_asked_for_end_the_connection(self):
        server = self.server(PLAIN, PLAIN + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", PLAIN)
        visitor = self.visitor(server)
        for _ in range(4):
            self.assertEqual(visitor.ask()[1], b"hello")
        self.assertEqual(server.raw.connections, 2)

    def test_server_that_says_when_it_closes(self):
        server = self.server(PLAIN[:-9] + b"\r\nKeep-Alive: timeout=1" + PLAIN[-9:])
        visitor = self.visitor(server)
        for _ in range(3):
            visitor.ask()
        self.assertEqual(server.raw.connections, 3)
        server = self.server(PLAIN[:-9] + b"\r\nKeep-Alive: timeout=2" + PLAIN[-9:])
        visitor = self.visitor(server)
        connections = took = 1
        while took >= 1:  # it is kept for one second
            start = time.monotonic()
            visitor.ask()
            connections = server.raw.connections
            visitor.ask()
            took = time.monotonic() - start
        self.assertEqual(server.raw.connections, connections)
        time.sleep(1.2)
        visitor.ask()
        self.assertEqual(server.raw.connections, connections + 1)

    def test_client_that_goes_ends_the_request(self):
        wait = threading.Event()
        self.addCleanup(wait.set)

        def never():
            wait.wait(60)
            yield b""
        server = self.server(PLAIN, never())
        visitor = self.visitor(server)
        visitor.ask()
        idle = proxy.state()["idle"]
        visitor.send()
        wait_for(lambda: len(server.heads) == 2, "the second request")
        visitor.connection.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: self.ended(server), "the server's connection is closed")
        self.assertLess(proxy.state()["idle"], max(idle, 1))

    @staticmethod
    def ended(server):
        """Whether a connection to the server is in CLOSE_WAIT: the proxy has closed it."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            return any(fields[1].endswith(":%04X" % server.port) and fields[3] == "08"
                       for fields in (line.split() for line in table.readlines()[1:]))

    def test_pipelined(self):
        server = self.server(PLAIN, *[b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n for n in range(6)])
        visitor = self.visitor(server)
        visitor.ask()
        before = proxy.state()["short"]
        one = b"GET /%d HTTP/1.1\r\nHost: " + visitor.host + b"\r\n\r\n"
        visitor.connection.sendall(b"".join(one % n for n in range(6)))
        seen = b""
        while seen.count(b"\r\n\r\n") < 6 or not seen.endswith(b"5"):
            seen += visitor.connection.recv(4096)
        self.assertEqual([part[:1] for part in seen.split(b"\r\n\r\n")[1:]], [b"%d" % n for n in range(6)])
        self.assertEqual([head.split()[1] for head in server.heads[1:]], [b"/%d" % n for n in range(6)])
        self.assertEqual(proxy.state()["short"] - before, 6)

    def test_many_at_once(self):
        server = self.server(PLAIN)
        visitors = [self.visitor(server) for _ in range(16)]
        for visitor in visitors * 5:
            visitor.send(b"/")
            self.assertEqual(visitor.receive()[1], b"hello")
        for _ in range(40):
            for visitor in visitors:
                visitor.send(b"/")
            for visitor in visitors:
                self.assertEqual(visitor.receive()[1], b"hello")

    def test_admission_is_as_of_now(self):
        box = proxy.sandbox("", public=True)
        server = self.server(PLAIN)
        visitor = self.visitor(server, box)
        for _ in range(3):
            self.assertIn(b" 200 ", visitor.ask()[0])
        for change, status in (({"state": "started"}, b" 401 "), ({"state": "started", "public": True}, b" 200 "),
                               ({"state": "stopped", "public": True}, b" 400 "), ({"state": "started", "public": True}, b" 200 ")):
            proxy.order(what="sandbox", id=box, **change)
            self.assertIn(status, visitor.ask()[0], change)
        proxy.order(what="no-sandbox", id=box)
        self.assertIn(b" 401 ", visitor.ask()[0])
        other = self.visitor(server, private)
        self.assertIn(b" 401 ", other.ask()[0])
        self.assertGreaterEqual(proxy.state()["touches"][box], 1)

    def test_one_connection_for_several_hosts(self):
        first, second = self.server(PLAIN), self.server(PLAIN.replace(b"hello", b"other"))
        visitor = self.visitor(first)
        hosts = [visitor.host, Visitor(second).host]
        for _ in range(3):
            for visitor.host, body in zip(hosts, (b"hello", b"other")):
                self.assertEqual(visitor.ask()[1], body)
        visitor.host = hosts[0].replace(b"-", b"-x", 1)
        self.assertIn(b" 404 ", visitor.ask()[0])
        visitor.host = hosts[0]
        self.assertEqual(visitor.ask()[1], b"hello")

    def test_the_warning_comes_first(self):
        box = proxy.sandbox("", public=True)
        server = self.server(PLAIN)
        visitor = self.visitor(server, box)
        fields = [b"User-Agent: Mozilla/5.0 (X11) Chrome/130", b"Accept: text/html"]
        for _ in range(2):
            self.assertEqual(visitor.ask(fields=fields)[1], b"hello")
        proxy.order(what="sandbox", id=box, state="started", public=True, warning=True)
        self.assertNotEqual(visitor.ask(fields=fields)[1], b"hello")

    def test_own_paths(self):
        server = self.server(PLAIN)
        visitor = self.visitor(server)
        visitor.ask()
        before = proxy.state()["short"]
        self.assertNotEqual(visitor.ask(b"/.sebring/auth?ticket=x")[1], b"hello")
        self.assertEqual(proxy.state()["short"], before)


if __name__ == "__main__":
    unittest.main()
