"""The way to a sandbox's toolbox: /toolbox/{id}/..."""
import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import threading
import time
import unittest
import urllib.parse
import uuid

from proxy_rig import KEY, OTHER_KEY, TOKEN, Process, Proxy, RawServer, read_head, unix_listener


def setUpModule():
    global proxy, upstream, sandbox
    proxy = Proxy()
    upstream = Process("proxy_upstream", "unix", proxy.path("toolbox.sock"))
    sandbox = proxy.sandbox(proxy.path("toolbox.sock"))
    proxy.order(what="key", key=OTHER_KEY)


def tearDownModule():
    upstream.stop()
    proxy.stop()


def ask(method, path, **more):
    return proxy.ask(method, "/toolbox/" + sandbox + path, **more)


def described(*args, **more):
    status, _, body = ask(*args, **more)
    assert status == 200, (status, body)
    return json.loads(body)


class Credentials(unittest.TestCase):
    def check(self, status, message, path="/x", **more):
        got, headers, body = proxy.ask("GET", "/toolbox/" + path, **more)
        self.assertEqual(got, status, body)
        answer = json.loads(body)
        self.assertEqual(answer["statusCode"], status)
        self.assertIn(message, answer["message"])
        self.assertEqual(answer["source"], "DAYTONA_PROXY")
        self.assertEqual(answer["method"], "GET")
        self.assertTrue(answer["timestamp"].endswith("Z"))
        self.assertNotIn(TOKEN, json.dumps(answer))
        return answer

    def test_refused(self):
        self.check(401, "unauthorized: missing authentication", sandbox + "/x", key=None)
        self.check(401, "unauthorized: authentication failed", sandbox + "/x", key="dtn_" + "c" * 64)
        self.check(401, "authentication failed", sandbox + "/x?DAYTONA_SANDBOX_AUTH_KEY=wrong", key=None)
        self.check(401, "authentication failed", sandbox + "/x", key=None, headers={"X-Daytona-Preview-Token": "no"})
        self.check(404, "not found", sandbox + "/x", key=OTHER_KEY)
        self.check(404, "not found", str(uuid.uuid4()) + "/x", key=KEY)
        self.check(404, "not found", "nonsense/x", key=KEY)
        self.check(404, "not found", "../api/sandbox", key=KEY)

    def test_nothing_of_ours_goes_on(self):
        seen = described("GET", "/describe?a=1&DAYTONA_SANDBOX_AUTH_KEY=%s&b=%%20x" % TOKEN, headers={
            "X-Daytona-Preview-Token": TOKEN, "Cookie": "daytona-sandbox-auth-x=1; other=2",
            "X-Daytona-Organization-ID": "o", "X-Daytona-SDK-Version": "0.190.0", "X-Custom": "kept",
            "Connection": "close, X-Hop", "X-Hop": "gone", "X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6",
            "Forwarded": "for=6.6.6.6", "Proxy-Authorization": "Basic x", "TE": "trailers"})
        self.assertEqual(seen["target"], "/describe?a=1&b=%20x")
        for name in ("authorization", "x-daytona-preview-token", "cookie", "x-daytona-organization-id", "x-hop", "te",
                     "x-real-ip", "forwarded", "proxy-authorization", "connection"):
            self.assertNotIn(name, seen["headers"])
        self.assertEqual(seen["headers"]["x-custom"], "kept")
        self.assertEqual(seen["headers"]["x-daytona-sdk-version"], "0.190.0")
        self.assertEqual(seen["headers"]["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(seen["headers"]["x-forwarded-proto"], "http")
        self.assertEqual(seen["headers"]["x-forwarded-host"], "127.0.0.1:%d" % proxy.port)

    def test_other_ways_in(self):
        described("GET", "/x", key=None, headers={"X-Daytona-Preview-Token": TOKEN})
        described("GET", "/x?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN, key=None)
        # A bad one falls through to the next.
        described("GET", "/x?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN, key="dtn_" + "c" * 64)

    def test_revoked_key(self):
        other = proxy.sandbox(proxy.path("toolbox.sock"))
        key = "dtn_" + "d" * 64
        proxy.order(what="key", key=key, id=other)
        self.assertEqual(proxy.ask("GET", "/toolbox/" + other + "/x", key=key)[0], 200)
        proxy.order(what="no-key", key=key)
        self.assertEqual(proxy.ask("GET", "/toolbox/" + other + "/x", key=key)[0], 401)

    def test_states(self):
        for state in ("stopped", "starting", "error", "archived"):
            other = proxy.sandbox("", state=state)
            self.check(400, "state: " + state, other + "/process/execute")
        for state in ("stopped", "paused", "archived"):  # what clients look for that start it then
            self.check(400, "Is the Sandbox started?", proxy.sandbox("", state=state) + "/process/execute")

    def signed(self, key, method, path, expires):
        text = "v1:files:%s:%s:%d" % (method, path, expires)
        mac = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
        return "v1_" + base64.urlsafe_b64encode(mac).decode().rstrip("=")

    def test_signed_files(self):
        proxy.order(what="file-key", id=sandbox, key="signing-key")
        path = "/home/a b.txt"
        late = int(time.time()) + 60

        def url(file=path, expires=late, signature=None, to="/files/download"):
            signature = signature or self.signed("signing-key", "GET", path, expires)
            query = urllib.parse.urlencode({"path": file, "expires": expires, "signature": signature})
            return to + "?" + query

        seen = described("GET", url(), key=None)
        self.assertEqual(seen["target"], "/files/download?path=%2Fhome%2Fa+b.txt")
        described("GET", url(expires=0), key=None)
        upload = self.signed("signing-key", "POST", path, 0)
        described("POST", url(expires=0, signature=upload, to="/files/upload-v2"), key=None, body=b"x")
        for bad in (url(file="/etc/passwd"), url(expires=int(time.time()) - 1), url(signature="v1_AAAA"),
                    url(to="/files"), url(to="/files/upload-v2"), url() .replace("expires", "expired")):
            self.assertEqual(ask("GET", bad, key=None)[0], 401, bad)
        self.assertEqual(ask("DELETE", url(), key=None)[0], 401)


class Bodies(unittest.TestCase):
    def test_sizes(self):
        for size in (0, 1, 65535, 65536, 65537, 600_000, 5_000_000):
            self.assertEqual(described("POST", "/x", body=b"z" * size)["bytes"], size)

    def test_chunked_upload(self):
        def pieces():
            for _ in range(200):
                yield b"y" * 10_000
        self.assertEqual(described("POST", "/x", body=pieces())["bytes"], 2_000_000)

    def test_downloads(self):
        for path in ("/source", "/source-chunked"):
            for size in (0, 10, 65536, 1_000_000, 20_000_000):
                status, headers, body = ask("GET", "%s?bytes=%d" % (path, size))
                self.assertEqual((status, len(body)), (200, size))

    def test_many_on_one_connection(self):
        with proxy.connect() as connection:
            head = "GET /toolbox/%s/source?bytes=3 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (sandbox, KEY)
            connection.sendall(head.encode() * 50)
            answer = b""
            while answer.count(b"xxx") < 50:
                answer += connection.recv(65536)
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 50)

    def test_head_and_redirect(self):
        status, headers, body = ask("HEAD", "/source?bytes=77")
        self.assertEqual((status, headers["Content-Length"], body), (200, "77", b""))
        status, headers, _ = ask("GET", "/redirect")
        self.assertEqual((status, headers["Location"]), (302, "/toolbox/%s/elsewhere?x=1" % sandbox))
        status, headers, _ = proxy.ask("GET", "/api/toolbox/%s/toolbox/redirect" % sandbox)
        self.assertEqual(headers["Location"], "/api/toolbox/%s/toolbox/elsewhere?x=1" % sandbox)

    def test_old_paths(self):
        def old(path):
            status, _, body = proxy.ask("GET", "/api/toolbox/%s/toolbox%s" % (sandbox, path))
            return json.loads(body).get("target", status)
        self.assertEqual(old("/lsp/workspace-symbols?query=a"), "/lsp/workspacesymbols?query=a")
        self.assertEqual(old("/project-dir"), "/project-dir")
        self.assertEqual(old("2"), 404)

    def test_expect_continue(self):
        with proxy.connect() as connection:
            connection.sendall(("POST /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 3"
                                "\r\nExpect: 100-continue\r\n\r\n" % (sandbox, KEY)).encode())
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"abc")
            head, body = read_head(connection)
            self.assertIn(b"200 OK", head)
        with proxy.connect() as connection:  # without a credential nothing is invited
            connection.sendall(("POST /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
                                % sandbox).encode())
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 401"))

    def test_early_answer(self):
        with proxy.connect() as connection:
            connection.sendall(("POST /toolbox/%s/early HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
                                "Content-Length: 100000000\r\n\r\n" % (sandbox, KEY)).encode() + b"q" * 100_000)
            head, body = read_head(connection)
            self.assertIn(b" 413 ", head)

    def test_events_come_at_once(self):
        def listen():
            """Seconds until the head, and until the first event."""
            with proxy.connect() as connection:
                start = time.monotonic()
                connection.sendall(("GET /toolbox/%s/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"
                                    % (sandbox, KEY)).encode())
                head, rest = read_head(connection)
                took = [time.monotonic() - start]
                while b"data: 0" not in rest:
                    rest += connection.recv(4096)
                took.append(time.monotonic() - start)
                while b"data: 4" not in rest:
                    rest += connection.recv(4096)
            return took
        # A proxy that held them back would do so each time, a busy machine does not.
        self.assertTrue(any(head < 0.09 and first < 0.3 for head, first in (listen() for _ in range(10))))

    def test_broken_framing(self):
        start = "POST /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" % (sandbox, KEY)
        for rest in ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "Content-Length: +3\r\n\r\nabc",
                     "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                     " folded\r\n\r\n", "Content-Length: 3\nX: y\r\n\r\nabc", "Transfer-Encoding: xchunked\r\n\r\n",
                     "Host: b\r\n\r\n"):
            self.assertTrue(proxy.raw(start + rest).startswith(b"HTTP/1.1 400 "), rest)
        # Broken inside the body: the server behind may have begun; the connection must not be used on.
        answer = proxy.raw(start + "Transfer-Encoding: chunked\r\n\r\nzz\r\nGET /fake HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertNotIn(b"touches", answer)


class BrokenServers(unittest.TestCase):
    def one(self, serve):
        path = proxy.path(uuid.uuid4().hex[:8])
        server = RawServer(unix_listener(path), serve)
        self.addCleanup(server.close)
        return proxy.sandbox(path), server

    def get(self, id, **more):
        return proxy.ask(more.pop("method", "GET"), "/toolbox/%s/x" % id, **more)

    def test_answers_that_are_none(self):
        for answer in (b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000):
            def serve(connection):
                read_head(connection)
                connection.sendall(answer)
            id, _ = self.one(serve)
            status, _, body = self.get(id)
            self.assertEqual((status, json.loads(body)["code"]), (502, "BAD_GATEWAY"), answer[:60])
        id = proxy.sandbox(proxy.path("nobody-listens"))
        self.assertEqual(self.get(id)[0], 502)

    def test_stopped_meanwhile(self):
        id = proxy.sandbox(proxy.path("nobody-listens"))

        def serve(connection):
            read_head(connection)
            proxy.order(what="sandbox", id=id2, state="stopped", socket="")
        id2, _ = self.one(serve)
        status, _, body = self.get(id2)
        self.assertEqual(status, 400)
        self.assertIn("state: stopped", json.loads(body)["message"])

    def test_cut_answers_are_cut(self):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nabc"):
            def serve(connection):
                read_head(connection)
                connection.sendall(answer)
            id, _ = self.one(serve)
            text = proxy.raw("GET /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % (id, KEY))
            self.assertIn(b"abc", text)
            self.assertNotIn(b"0\r\n\r\n", text.partition(b"abc")[2])

    def test_smuggled_answer(self):
        """A second answer behind the first never reaches the next client."""
        def serve(connection):
            while True:
                read_head(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                                   b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        id, server = self.one(serve)
        for _ in range(3):
            self.assertEqual(self.get(id)[2], b"ok")
        self.assertEqual(server.connections, 3)

    def test_idle_connection_closed_by_server(self):
        closed = threading.Event()

        def serve(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.close()
            closed.set()
        id, server = self.one(serve)
        for method in ("GET", "POST", "POST", "GET"):
            self.assertEqual(self.get(id, method=method)[0], 200)
            # Before that nobody can know, and a POST is not sent twice.
            self.assertTrue(closed.wait(20))
            closed.clear()

    def test_interim_answers(self):
        def serve(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                               b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        id, _ = self.one(serve)
        self.assertEqual(self.get(id)[2], b"ok")

    def test_unasked_protocol_change(self):
        def serve(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        id, _ = self.one(serve)
        self.assertEqual(self.get(id)[0], 502)

    def test_client_gone_is_seen_soon(self):
        gone, begun = [], threading.Event()

        def serve(connection):
            _, rest = read_head(connection)
            begun.set()
            while rest or (rest := connection.recv(10)):
                rest = b""
            gone.append(True)
        for body in ("", "Content-Length: 5\r\n\r\nab"):
            id, _ = self.one(serve)
            connection = proxy.connect()
            connection.sendall(("POST /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n%s"
                                % (id, KEY, body or "\r\n")).encode())
            self.assertTrue(begun.wait(20))
            begun.clear()
            connection.close()
        deadline = time.monotonic() + 15
        while len(gone) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(len(gone), 2)

    def test_both_directions_at_once(self):
        def serve(connection):
            _, rest = read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                piece = rest or connection.recv(65536)
                rest = b""
                if not piece:
                    return
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        id, _ = self.one(serve)
        with proxy.connect() as connection:
            connection.sendall(("POST /toolbox/%s/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n" % (id, KEY)).encode())
            seen = b""
            for i in range(20):
                connection.sendall(b"6\r\nping%02d\r\n" % i)
                while b"ping%02d" % i not in seen:
                    seen += connection.recv(4096)


class WebSockets(unittest.TestCase):
    def open(self, path="/socket", extra="", id=None, key=KEY):
        connection = proxy.connect()
        connection.sendall(("GET /toolbox/%s%s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nConnection: keep-alive, "
                            "Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                            "dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n" % (id or sandbox, path, key, extra)).encode())
        head, rest = read_head(connection)
        return connection, head, rest

    def frame(self, data, opcode=1):
        mask = os.urandom(4)
        head = bytes([0x80 | opcode])
        if len(data) < 126:
            head += bytes([0x80 | len(data)])
        elif len(data) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(data))
        return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))

    def read_frame(self, connection):
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = connection.recv(count - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data
        first, length = exactly(2)
        if length == 126:
            length, = struct.unpack(">H", exactly(2))
        elif length == 127:
            length, = struct.unpack(">Q", exactly(8))
        return first & 15, exactly(length)

    def test_echo(self):
        connection, head, rest = self.open(extra="Sec-WebSocket-Protocol: X-Daytona-SDK-Version~0.190.0\r\n")
        self.assertIn(b"101 Switching Protocols", head)
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
        self.assertIn(b"X-Daytona-SDK-Version~0.190.0", head)
        self.assertEqual(rest, b"")
        for size in (1, 125, 126, 65535, 65536, 1_000_000):
            connection.sendall(self.frame(b"m" * size))
            self.assertEqual(self.read_frame(connection), (1, b"m" * size))
        connection.sendall(self.frame(struct.pack(">H", 1000), opcode=8))
        self.assertEqual(self.read_frame(connection)[0], 8)
        connection.close()

    def test_query_key(self):
        connection, head, _ = self.open(path="/socket?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN, key="")
        self.assertIn(b" 101 ", head)
        connection.close()

    def test_refused(self):
        self.assertIn(b" 401 ", self.open(key="wrong")[1])
        self.assertIn(b" 200 ", self.open(path="/x")[1])

    def test_ends_with_its_key(self):
        key = "dtn_" + "e" * 64
        proxy.order(what="key", key=key, id=sandbox)
        connection, head, _ = self.open(key=key)
        self.assertIn(b" 101 ", head)
        proxy.order(what="no-key", key=key)
        proxy.order(what="", id=sandbox, check=True)
        self.assertEqual(self.ending(connection), (1008, b"the credential was revoked meanwhile"))

    def ending(self, connection):
        """Code and reason of the close frame that is all that comes."""
        connection.settimeout(30)
        opcode, data = self.read_frame(connection)
        self.assertEqual(opcode, 8)
        self.assertEqual(connection.recv(10), b"")
        connection.close()
        return struct.unpack(">H", data[:2])[0], data[2:]

    def half_a_frame(self, more, read=True):
        """A server in a sandbox of its own that has sent a head and `more`, and listens; (its id, the client's connection)."""
        listener = unix_listener(proxy.path(f"half-{time.monotonic_ns()}.sock"))

        def serve(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + more)
            while connection.recv(1024):
                pass
        server = RawServer(listener, serve)
        self.addCleanup(server.close)
        id = proxy.sandbox(listener.getsockname())
        connection, _, rest = self.open(id=id)
        connection.settimeout(30)
        while read and len(rest) < len(more):
            rest += connection.recv(100)
        self.assertTrue(more.startswith(rest))
        return id, connection

    def test_no_close_frame_inside_a_frame(self):
        for more, told in ((b"\x82\x05abcd", False), (b"\x82", False), (b"\x82\x7e\x01", False), (b"\x88\x02\x03\xe8", False),
                           (b"\x02\x05abcde", True), (b"", True)):
            id, connection = self.half_a_frame(more)
            proxy.order(what="sandbox", id=id, state="stopped", socket="")
            proxy.order(what="", id=id, check=True)
            if told:
                self.assertEqual(self.ending(connection), (1001, b"the sandbox has stopped"))
            else:
                self.assertEqual(connection.recv(100), b"", more)
            connection.close()

    def test_a_client_that_does_not_read_is_cut(self):
        id, connection = self.half_a_frame(b"\x82\x7f" + struct.pack(">Q", 1 << 26) + b"x" * (1 << 26), read=False)
        proxy.order(what="sandbox", id=id, state="stopped", socket="")
        proxy.order(what="", id=id, check=True)
        deadline = time.monotonic() + 30
        while proxy.state()["live"] > 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        connection.close()

    def test_ends_with_its_sandbox(self):
        id = proxy.sandbox(proxy.path("toolbox.sock"))
        connection, head, _ = self.open(id=id)
        self.assertIn(b" 101 ", head)
        proxy.order(what="sandbox", id=id, state="stopped", socket="")
        self.assertEqual(self.ending(connection), (1001, b"the sandbox has stopped"))

    def test_outlives_a_pause(self):
        id = proxy.sandbox(proxy.path("toolbox.sock"))
        connection, head, _ = self.open(id=id)
        self.assertIn(b" 101 ", head)
        for state in ("pausing", "paused", "resuming"):
            proxy.order(what="sandbox", id=id, state=state, socket="")
            proxy.order(what="", id=id, check=True)
            proxy.state()
            connection.sendall(self.frame(b"still"))
            self.assertEqual(self.read_frame(connection), (1, b"still"), state)
        connection.close()

    def test_many_idle_ones_are_cheap(self):
        def memory():
            with open("/proc/%d/status" % proxy.process.pid) as status:
                return int(status.read().partition("VmRSS:")[2].split()[0])
        before = memory()
        connections = [self.open()[0] for _ in range(300)]
        each = (memory() - before) / 300
        for connection in connections:
            connection.sendall(self.frame(b"hello"))
            self.assertEqual(self.read_frame(connection), (1, b"hello"))
        for connection in connections:
            connection.close()
        self.assertLess(each, 40)
        deadline = time.monotonic() + 30
        while proxy.state()["live"] > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(proxy.state()["live"], 0)


class Activity(unittest.TestCase):
    def test_use_wakes_who_was_paused_for_idleness(self):
        id = proxy.sandbox(proxy.path("toolbox.sock"), state="paused")
        self.addCleanup(proxy.order, what="wakes", on=False)
        status, _, body = proxy.ask("GET", "/toolbox/%s/x" % id)
        self.assertEqual((status, "state: paused" in body.decode()), (400, True))
        proxy.order(what="wakes", on=True)
        self.assertEqual(proxy.ask("GET", "/toolbox/%s/x" % id, headers={"X-Daytona-Skip-Last-Activity-Update": "true"})[0], 400)
        self.assertEqual(proxy.ask("GET", "/toolbox/%s/x" % id)[0], 200)

    def test_touches(self):
        id = proxy.sandbox(proxy.path("toolbox.sock"))
        proxy.ask("GET", "/toolbox/%s/x" % id, headers={"X-Daytona-Skip-Last-Activity-Update": "true"})
        self.assertNotIn(id, proxy.state()["touches"])
        proxy.ask("GET", "/toolbox/%s/x" % id)
        proxy.ask("GET", "/toolbox/%s/x" % id)
        self.assertEqual(proxy.state()["touches"][id], 1)


class CrossOrigin(unittest.TestCase):
    def test_rules(self):
        status, headers, _ = ask("OPTIONS", "/x", key=None, headers={
            "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, x-daytona-source"})
        self.assertEqual(status, 204)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        self.assertEqual(headers["Access-Control-Allow-Headers"], "authorization, x-daytona-source")
        self.assertNotIn("Access-Control-Allow-Credentials", headers)
        for key in (KEY, None):
            _, headers, _ = ask("GET", "/x", key=key, headers={"Origin": "https://app.example"})
            self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        self.assertNotIn("Access-Control-Allow-Origin", ask("GET", "/x")[1])


if __name__ == "__main__":
    unittest.main()
