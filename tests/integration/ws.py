"""A small WebSocket client (RFC 6455) for tests: blocking, no extensions."""

import base64
import hashlib
import os
import socket
import struct


class WebSocket:
    def __init__(self, host, port, path, headers=None, subprotocols=(), timeout=30):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        headers = dict(headers or {})
        lines = [f"GET {path} HTTP/1.1", "Host: " + headers.pop("Host", f"{host}:{port}"), "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if subprotocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(subprotocols))
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = b""
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        self.head = head
        self.close_code = None
        self.close_reason = b""
        if self.status == 101:
            wanted = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
            assert wanted in head, "wrong Sec-WebSocket-Accept"
            found = [line.split(":", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("sec-websocket-protocol:")]
            self.subprotocol = found[0] if found else None

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        piece, self.buffer = self.buffer.split(mark, 1)
        return piece

    def _more(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("connection closed")
        self.buffer += piece

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        piece, self.buffer = self.buffer[:count], self.buffer[count:]
        return piece

    def send(self, data, opcode=None):
        if opcode is None:
            opcode = 1 if isinstance(data, str) else 2
        data = data.encode() if isinstance(data, str) else data
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        repeated = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big") if size else b""
        self.socket.sendall(head + mask + masked)

    def receive(self):
        """The next text (str) or binary (bytes) message; None when the peer has closed (see close_code)."""
        message, kind = b"", 0
        while True:
            first, second = self._take(2)
            size = second & 127
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            data = self._take(size)
            opcode = first & 15
            if opcode == 8:
                self.close_code = struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005
                self.close_reason = data[2:]
                try:
                    self.send(data[:2], 8)
                except OSError:
                    pass
                self.socket.close()
                return None
            if opcode == 9:
                self.send(data, 10)
                continue
            if opcode == 10:
                continue
            kind = opcode or kind
            message += data
            if first & 0x80:
                return message.decode() if kind == 1 else message

    def close(self):
        try:
            self.send(struct.pack(">H", 1000), 8)
        except OSError:
            pass
        self.socket.close()
