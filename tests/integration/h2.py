"""HTTP/2 by hand, for what no client library would send: frames as bytes, heads without compression."""

import socket
import struct

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, length = len(value) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + value


def head(*fields):
    return b"".join(b"\0" + text(name) + text(value) for name, value in fields)


def request(host, path="/", method="GET", more=()):
    return head((":method", method), (":scheme", "https"), (":authority", host), (":path", path), *more)


class Connection:
    def __init__(self, tls):
        self.tls = tls
        self.next = 1
        self.data = b""
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))

    def send(self, *frames):
        self.tls.sendall(b"".join(frames))

    def open(self, block, flags=END_STREAM | END_HEADERS):
        stream, self.next = self.next, self.next + 2
        self.send(frame(HEADERS, flags, stream, block))
        return stream

    def receive(self):
        """The next frame: (kind, flags, stream, payload); None at the end."""
        while len(self.data) < 9 or len(self.data) < 9 + int.from_bytes(self.data[:3], "big"):
            try:
                piece = self.tls.recv(65536)
            except (ConnectionError, OSError) as error:
                if isinstance(error, socket.timeout):
                    raise
                piece = b""
            if not piece:
                return None
            self.data += piece
        length = int.from_bytes(self.data[:3], "big")
        kind, flags = self.data[3], self.data[4]
        stream = int.from_bytes(self.data[5:9], "big") & 0x7FFFFFFF
        payload, self.data = self.data[9:9 + length], self.data[9 + length:]
        return kind, flags, stream, payload

    def outcome(self, stream):
        """How a stream ended: ("reset", code), ("head", first byte of its block), or ("goaway", code), or ("end", 0)."""
        while True:
            got = self.receive()
            if got is None:
                return "end", 0
            kind, flags, of, payload = got
            if kind == GOAWAY:
                return "goaway", int.from_bytes(payload[4:8], "big")
            if of == stream and kind == RST:
                return "reset", int.from_bytes(payload, "big")
            if of == stream and kind == HEADERS:
                return "head", status_of(payload)

    def ended(self):
        """The code of the GOAWAY that ends the connection; None when it ends without."""
        code = None
        while (got := self.receive()) is not None:
            if got[0] == GOAWAY:
                code = int.from_bytes(got[3][4:8], "big")
        return code


def status_of(block):
    """Of an answer's head: an index of the static table, or a literal with an indexed name."""
    known = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
    first = block[0]
    while first & 0xE0 == 0x20:  # the table's size
        block = block[1:]
        first = block[0]
    if first & 0x80:
        return known[first & 0x7F]
    length, value = block[1] & 0x7F, block[2:2 + (block[1] & 0x7F)]
    return int(value) if not block[1] & 0x80 else huffman_digits(value, length)


def huffman_digits(value, length):
    """Digits alone: 0, 1, 2 have five bits, the others six."""
    bits = "".join(f"{byte:08b}" for byte in value)
    codes = {f"{i:05b}": i for i in range(3)} | {f"{0x19 + i:06b}": 3 + i for i in range(7)}
    number, at = "", 0
    while len(number) < 3:
        for size in (5, 6):
            if bits[at:at + size] in codes:
                number += str(codes[bits[at:at + size]])
                at += size
                break
        else:
            raise ValueError(bits)
    return int(number)
