"""WebSocket framing through a preview and at the web terminal, case by case (RFC 6455); a thousand connections at once."""

import contextlib
import io
import os
import pathlib
import resource
import socket
import struct
import subprocess
import tarfile
import tempfile
import unittest

import websocket_suite
from harness import Leftovers, Server, free_port
from reach_rig import HERE, Reach, eventually
from ws import WebSocket

MANY = int(os.environ.get("SEBRING_TEST_SOCKETS", "1000"))
SERVER = """
const { WebSocketServer } = require("%s");
const server = new WebSocketServer({ port: %d, host: "127.0.0.1", perMessageDeflate: true, maxPayload: 32 << 20 });
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary, compress: %s }));
  socket.on("error", () => {});
});
"""
PLAIN, PACKING = 4000, 4001  # two of them: one compresses what it says


def frame(opcode, data=b"", fin=True, rsv=0, masked=True, size=None):
    """One frame as a client sends it; `size` names another form of the length than the shortest."""
    first = (0x80 if fin else 0) | (rsv << 4) | opcode
    form = size or (len(data) if len(data) < 126 else 126 if len(data) < 65536 else 127)
    head = bytes([first, (0x80 if masked else 0) | form])
    if form == 126:
        head += struct.pack(">H", len(data))
    elif form == 127:
        head += struct.pack(">Q", len(data))
    if not masked:
        return head + data
    key = b"\x11\x22\x33\x44"
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def close(code=None, reason=b""):
    return frame(8, b"" if code is None else struct.pack(">H", code) + reason)


GRUESS = "grüße".encode()
# What is sent, and the frames (opcode, data) that must come back before the close; None: any.
ECHOED = {
    "empty text": (frame(1), [(1, b"")]),
    "empty binary": (frame(2), [(2, b"")]),
    "text": (frame(1, GRUESS), [(1, GRUESS)]),
    "125 bytes": (frame(2, b"x" * 125), [(2, b"x" * 125)]),
    "126 bytes": (frame(2, b"x" * 126), [(2, b"x" * 126)]),
    "65,535 bytes": (frame(2, b"x" * 65535), [(2, b"x" * 65535)]),
    "65,536 bytes": (frame(2, b"x" * 65536), [(2, b"x" * 65536)]),
    "four million bytes": (frame(2, b"y" * 4_000_000), [(2, b"y" * 4_000_000)]),
    "two fragments": (frame(1, b"a", fin=False) + frame(0, b"b"), [(1, b"ab")]),
    "empty fragments": (frame(1, fin=False) + frame(0, fin=False) + frame(0), [(1, b"")]),
    "a letter cut by fragments": (frame(1, GRUESS[:3], fin=False) + frame(0, GRUESS[3:]), [(1, GRUESS)]),
    "one byte at a time": (frame(1, b"0", fin=False) + b"".join(frame(0, b"%d" % (i % 10), fin=False) for i in range(1, 500)) + frame(0),
                           [(1, b"".join(b"%d" % (i % 10) for i in range(500)))]),
    "ping": (frame(9, b"p"), [(10, b"p")]),
    "empty ping": (frame(9), [(10, b"")]),
    "ping of 125 bytes": (frame(9, b"p" * 125), [(10, b"p" * 125)]),
    "ping between fragments": (frame(1, b"a", fin=False) + frame(9, b"p") + frame(0, b"b"), [(10, b"p"), (1, b"ab")]),
    "ten pings": (b"".join(frame(9, b"%d" % i) for i in range(10)), [(10, b"%d" % i) for i in range(10)]),
    "a pong that nobody asked for": (frame(10, b"x") + frame(1, b"y"), [(1, b"y")]),
    "fifty messages at once": (b"".join(frame(1, b"%d" % i) for i in range(50)), [(1, b"%d" % i) for i in range(50)]),
    "the highest letter": (frame(1, "\U0010ffff".encode()), [(1, "\U0010ffff".encode())]),
    "a NUL in text": (frame(1, b"a\0b"), [(1, b"a\0b")]),
}
# What breaks the rules, and the code of the close that must come.
REFUSED = {
    **{f"reserved bit {bit}": (frame(1, b"x", rsv=bit), (1002,)) for bit in (1, 2, 4, 7)},
    **{f"reserved opcode {code}": (frame(code, b"x"), (1002,)) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "not masked": (frame(1, b"x", masked=False), (1002,)),
    "ping of 126 bytes": (frame(9, b"x" * 126), (1002,)),
    "ping in fragments": (frame(9, b"x", fin=False), (1002,)),
    "close in fragments": (frame(8, b"\x03\xe8", fin=False), (1002,)),
    "continues nothing": (frame(0, b"x"), (1002,)),
    "continues nothing, not the last": (frame(0, b"x", fin=False), (1002,)),
    "new message inside another": (frame(1, b"a", fin=False) + frame(1, b"b"), (1002,)),
    "close with one byte": (frame(8, b"\x03"), (1002,)),
    "close of 126 bytes": (frame(8, b"\x03\xe8" + b"x" * 124), (1002,)),
    "close with a broken reason": (close(1000, b"\xff\xfe"), (1007, 1002)),
    **{f"close code {code}": (close(code), (1002,)) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    **{f"text that is no UTF-8: {data!r}": (frame(1, data), (1007,)) for data in (
        b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"ok\x80", b"\xf8\x88\x80\x80\x80")},
    "text cut for good": (frame(1, b"\xe2\x82", fin=False) + frame(0, b"("), (1007,)),
    "length with the highest bit": (bytes([0x82, 0xFF]) + b"\xff" * 8 + b"\0\0\0\0", (1002, 1009)),
}
ENDED = {f"close {code}": (close(code, b"bye"), (code,)) for code in (1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)}
ENDED["close without a code"] = (close(), (1005, 1000))


class Raw:
    """A connection on which frames are read one by one."""

    def __init__(self, port, path, headers):
        client = WebSocket("127.0.0.1", port, path, headers)
        assert client.status == 101, (client.head, client.buffer)
        self.socket, self.client = client.socket, client

    def frames(self, until_close=True, count=None):
        got = []
        with contextlib.suppress(ConnectionError, OSError):
            while count is None or len(got) < count:
                first, second = self.client._take(2)
                size = second & 127
                size = struct.unpack(">H", self.client._take(2))[0] if size == 126 else size
                size = struct.unpack(">Q", self.client._take(8))[0] if size == 127 else size
                got.append((first & 15, self.client._take(size)))
                if first & 15 == 8 and until_close:
                    break
        return got


def close_code(frames):
    ended = [data for opcode, data in frames if opcode == 8]
    return (struct.unpack(">H", ended[0][:2])[0] if len(ended[0]) > 1 else 1005) if ended else None


class Sockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.leftovers = Leftovers().__enter__()
        cls.directory = tempfile.TemporaryDirectory()
        cls.server = Server({"slots": 2}).start()
        cls.reach = Reach(cls.server, cls.directory.name)
        cls.box = cls.server.create(public=True)["id"]
        cls.reach.app(cls.box)
        made = subprocess.run([HERE / "env" / "create", "typescript-browser"], stdout=subprocess.PIPE, text=True, check=True)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(pathlib.Path(made.stdout.strip().splitlines()[-1]) / "node_modules/ws", "ws")
        cls.reach.put(cls.box, "/home/daytona/ws.tar", packed.getvalue())
        assert cls.server.execute(cls.box, "tar xf ws.tar")["exitCode"] == 0
        for port in (PLAIN, PACKING):
            program = SERVER % ("/home/daytona/ws", port, "true" if port == PACKING else "false")
            cls.reach.put(cls.box, f"/home/daytona/echo{port}.js", program.encode())
            cls.reach.run_in_background(cls.box, f"node echo{port}.js")
            assert eventually(lambda: cls.reach.ask(cls.box, port)[0] == 426, 60), "the echo server does not answer"

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.directory.cleanup()
        cls.leftovers.__exit__(None, None, None)

    def preview(self, port=PLAIN, path="/"):
        return Raw(self.server.port, path, {"Host": self.reach.host(self.box, port)})

    def terminal(self):
        return Raw(self.server.port, "/ws", {"Host": self.reach.host(self.box, 22222), "Authorization": "Bearer " + self.server.key})

    def test_echoed_through_a_preview(self):
        for pieces in (1, 0):
            for name, (sent, wanted) in ECHOED.items():
                if not pieces and len(sent) > 3000:
                    continue
                with self.subTest(name):
                    raw = self.preview()
                    if pieces:
                        raw.socket.sendall(sent)
                    else:  # each byte in a packet of its own
                        for byte in sent[:300]:
                            raw.socket.sendall(bytes([byte]))
                        raw.socket.sendall(sent[300:])
                    self.assertEqual(raw.frames(count=len(wanted)), wanted)
                    raw.socket.sendall(close(1000))
                    self.assertEqual(close_code(raw.frames()), 1000)
                    raw.socket.close()

    def test_refused_and_ended_through_a_preview(self):
        for name, (sent, codes) in {**REFUSED, **ENDED}.items():
            with self.subTest(name):
                raw = self.preview()
                raw.socket.sendall(sent)
                self.assertIn(close_code(raw.frames()), codes)
                raw.socket.close()

    def test_refused_and_ended_by_the_terminal(self):
        for name, (sent, codes) in {**REFUSED, **ENDED}.items():
            with self.subTest(name):
                raw = self.terminal()
                raw.socket.sendall(sent)
                # Whether it says why or only ends the connection: it ends, and what was sent has no effect.
                allowed = {*codes, 1000, None}
                if name in ("close code 5000", "close code 65535"):  # Beast says such a code back
                    allowed.add(int(name.split()[-1]))
                self.assertIn(close_code(raw.frames()), allowed)
                raw.socket.close()

    def test_handshakes(self):
        host = self.reach.host(self.box, PLAIN)
        good = {"Host": host, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        for change, status in (({}, 101), ({"Connection": "keep-alive, Upgrade"}, 101), ({"Upgrade": "WebSocket"}, 101),
                               ({"Sec-WebSocket-Version": "12"}, 400), ({"Sec-WebSocket-Key": "short"}, 400),
                               ({"Sec-WebSocket-Key": None}, 400), ({"Connection": "close"}, 426), ({"Upgrade": "h2c"}, None),
                               ({"Upgrade": "websocket, h2c"}, None)):
            lines = {**good, **change}
            text = "GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value) + "\r\n"
            with socket.create_connection(("127.0.0.1", self.server.port), 20) as connection:
                connection.sendall(text.encode())
                got = int(connection.recv(4096).split(b" ")[1])
            self.assertTrue(got == status or (status is None and got != 101), (change, got))

    def test_compression_is_between_the_ends(self):
        raw = Raw(self.server.port, "/", {"Host": self.reach.host(self.box, PLAIN), "Sec-WebSocket-Extensions": "permessage-deflate"})
        self.assertIn("permessage-deflate", raw.client.head)
        import zlib
        packer = zlib.compressobj(wbits=-15)
        data = (packer.compress(b"packed " * 100) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
        raw.socket.sendall(frame(1, data, rsv=4))
        self.assertEqual(raw.frames(count=1), [(1, b"packed " * 100)])
        raw.socket.close()

    def test_the_suite_sees_no_difference(self):
        """Autobahn's cases through the preview end as well as at the same server without anything between."""
        made = subprocess.run([HERE / "env" / "create", "typescript-browser"], stdout=subprocess.PIPE, text=True, check=True)
        servers, port = made.stdout.split()[-1], free_port()
        with subprocess.Popen([servers + "/bin/node", "-e", SERVER % (servers + "/node_modules/ws", port, "true")]) as server:
            try:
                self.assertTrue(eventually(lambda: socket.create_connection(("127.0.0.1", port), 5).close() is None))
                direct = websocket_suite.outcomes(f"ws://127.0.0.1:{port}/")
            finally:
                server.kill()
        host = self.reach.host(self.box, PACKING)
        through = websocket_suite.outcomes(f"ws://{host}/", host.partition(":")[0])
        self.assertGreater(len(through), 250)
        self.assertEqual(through.keys(), direct.keys())
        self.assertEqual({case: (found, direct[case]) for case, found in through.items() if any(
            mine > bare for mine, bare in zip(found[0], direct[case][0])) or max(found[0]) > 2}, {})

    def test_slow_reader_holds_nobody_up(self):
        slow = self.preview(3000, "/ws")
        slow.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                slow.socket.sendall(frame(2, b"z" * 60_000))
        fast = self.preview(3000, "/ws")
        fast.socket.sendall(frame(1, b"fast"))
        self.assertEqual(fast.frames(count=1), [(1, b"fast")])
        slow.socket.close()
        fast.socket.close()

    def test_a_thousand_at_once(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * MANY + 1000), hard))
        warm = [self.preview(3000, "/ws") for _ in range(20)]
        control = self.server.role_pid("control")
        runner = self.server.role_pid("runner")
        before = memory(control), memory(runner)
        clients = warm
        try:
            while len(clients) < MANY:
                clients.append(self.preview(3000, "/ws"))
            for number, one in enumerate(clients):
                one.socket.sendall(frame(1, b"number %d" % number))
            for number, one in enumerate(clients):
                self.assertEqual(one.frames(count=1), [(1, b"number %d" % number)])
            each = [(after - first) / (MANY - 20) for after, first in zip((memory(control), memory(runner)), before)]
            print(f"{MANY} WebSockets: control {each[0]:.1f} KiB, runner {each[1]:.1f} KiB for each idle one", flush=True)
            self.assertLess(each[0], 40)
            self.assertLess(each[1], 8)
            self.assertEqual(self.reach.ask(self.box)[0], 200)
        finally:
            for one in clients:
                one.socket.close()
        self.assertTrue(eventually(lambda: len(os.listdir(f"/proc/{control}/fd")) < 200, 60), "descriptors are not given back")


def memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    unittest.main()
