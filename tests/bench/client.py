"""The client of the benchmark: what it does for a request itself would be measured with it, so that is little."""

import json
import socket


class Client:
    """One keep-alive connection, one request at a time, each sent in one piece."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\nContent-Type: application/json\r\n"

    def ask(self, method, path, body=None):
        """The answer's status and body."""
        text = "" if body is None else json.dumps(body)
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{self.head}Content-Length: {len(text)}\r\n\r\n{text}".encode())
        head, _, rest = self._until(b"", b"\r\n\r\n")
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            return int(head[9:12]), self._chunks(rest)
        length = int(lower.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]) if b"content-length: " in lower else 0
        return int(head[9:12]), self._more(rest, length)

    def _read(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the connection has ended in the middle of an answer")
        return piece

    def _until(self, have, mark):
        while mark not in have:
            have += self._read()
        return have.partition(mark)

    def _more(self, have, length):
        pieces, size = [have], len(have)
        while size < length:
            pieces.append(self._read())
            size += len(pieces[-1])
        return b"".join(pieces)

    def _chunks(self, have):
        body = []
        while True:
            line, _, have = self._until(have, b"\r\n")
            size = int(line, 16)
            have = self._more(have, size + 2)
            if size == 0:
                return b"".join(body)
            body.append(have[:size])
            have = have[size + 2:]
