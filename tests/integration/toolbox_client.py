"""A stand-alone toolbox and small HTTP and WebSocket clients for it, over its Unix socket. Standard library only."""
import base64
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def more_tools():
    """Directories of SEBRING_TEST_PATH, with programs that a test would use if they were there: node, pylsp, ..."""
    extra = os.environ.get("SEBRING_TEST_PATH")
    return {"PATH": extra + ":" + os.environ["PATH"]} if extra else {}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Toolbox:
    """Runs `sebring-toolbox serve` in a directory of its own until close()."""

    def __init__(self, binary=None, shells=None, **configuration):
        """`shells`: what /etc/shells of the daemon says (root only); everything else is configuration."""
        self.directory = tempfile.mkdtemp(prefix="sebring-toolbox-test-")
        os.chmod(self.directory, 0o755)
        self.path = self.directory + "/socket"
        home = self.directory + "/home"
        os.mkdir(home)
        self.home = home
        self.login_home = self.directory + "/login"
        os.mkdir(self.login_home)
        self.log_dir = self.directory + "/logs"
        settings = {"sandboxId": "test", "version": "0.1.0", "user": "", "workDir": home, "logDir": self.log_dir,
                    "env": {"HOME": home, **more_tools(), **configuration.pop("env", {})}, **configuration}
        with open(self.directory + "/configuration.json", "w") as file:
            json.dump(settings, file)
        binary = binary or os.environ.get("SEBRING_TOOLBOX", ROOT + "/build/sebring-toolbox")
        command = [binary, "serve", "--listen", self.path, "--configuration", self.directory + "/configuration.json",
                   "--home", self.login_home]
        if shells is not None:
            with open(self.directory + "/shells", "w") as file:
                file.write("".join(shell + "\n" for shell in shells))
            command = ["unshare", "-m", "sh", "-c", f"mount --bind {self.directory}/shells /etc/shells && exec \"$@\"", "-",
                       *command]
        self.process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.01)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.path)
        return connection

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, method, path, body=None, headers=None, connection=None):
        """One request on a connection of its own, or on the given one."""
        own = connection is None
        connection = connection or self.connect()
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Host": "sandbox", "X-Daytona-SDK-Version": "0.190.0", "Content-Length": str(len(data)), **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in head.items() if value is not None]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        answer = read_answer(connection)
        if own:
            connection.close()
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def websocket(self, path, headers=None):
        return WebSocket(self.connect(), path, headers or {})


def read_answer(connection, data=b""):
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError(f"connection closed in the head: {data!r}")
        data += piece
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    status = int(lines[0].split(" ")[1])
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    pieces = [data]

    def more():
        piece = connection.recv(1 << 20)
        if not piece:
            raise EOFError("connection closed in the body")
        return piece

    if headers.get("transfer-encoding") == "chunked":
        body, rest = [], bytearray(data)
        while True:
            while b"\r\n" not in rest:
                rest += more()
            size, _, tail = bytes(rest[:20]).partition(b"\r\n")
            length = int(size, 16)
            start = len(size) + 2
            while len(rest) < start + length + 2:
                rest += more()
            body.append(bytes(rest[start:start + length]))
            del rest[:start + length + 2]
            if length == 0:
                return Answer(status, headers, b"".join(body))
    length = int(headers.get("content-length", 0))
    got = len(data)
    while got < length and status not in (204, 304, 101):
        pieces.append(more())
        got += len(pieces[-1])
    return Answer(status, headers, b"".join(pieces))


class UpgradeRefused(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.status} {answer.body!r}")
        self.answer = answer


class WebSocket:
    TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

    def __init__(self, connection, path, headers):
        self.connection = connection
        self.buffer = bytearray()
        self.close_code, self.close_reason = None, None
        key = base64.b64encode(os.urandom(16)).decode()
        head = {"Host": "sandbox", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": key, "X-Daytona-SDK-Version": "0.190.0", **headers}
        lines = [f"GET {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in head.items() if value is not None]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                raise EOFError("closed in the handshake")
            data += piece
        if b" 101 " not in data.split(b"\r\n")[0]:
            raise UpgradeRefused(read_answer(connection, data))
        head, rest = data.split(b"\r\n\r\n", 1)
        self.subprotocol = None
        for line in head.decode().split("\r\n"):
            if line.lower().startswith("sec-websocket-protocol:"):
                self.subprotocol = line.split(":", 1)[1].strip()
        self.buffer += rest

    def send_frame(self, opcode, payload=b"", final=True, mask=True, first=None):
        head = bytes([first if first is not None else (0x80 if final else 0) | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if mask:
            key = os.urandom(4)
            repeated = (key * (len(payload) // 4 + 1))[:len(payload)]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")
            head += key
        self.connection.sendall(head + payload)

    def send(self, message):
        if isinstance(message, str):
            self.send_frame(self.TEXT, message.encode())
        else:
            self.send_frame(self.BINARY, message)

    def _take(self, count):
        while len(self.buffer) < count:
            piece = self.connection.recv(1 << 20)
            if not piece:
                raise EOFError("connection closed without a close frame")
            self.buffer += piece
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def receive(self, timeout=30):
        """(opcode, payload); None after the close frame, which is answered."""
        self.connection.settimeout(timeout)
        payload, opcode = b"", None
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack(">H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._take(8))[0]
            data = self._take(length)
            code = first & 0x0F
            if code == self.PING:
                self.send_frame(self.PONG, data)
            elif code == self.PONG:
                return code, data
            elif code == self.CLOSE:
                self.close_code = struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005
                self.close_reason = data[2:].decode()
                try:
                    self.send_frame(self.CLOSE, data[:2])
                except OSError:
                    pass
                self.connection.close()
                return None
            else:
                payload += data
                opcode = opcode or code
                if first & 0x80:
                    return opcode, payload

    def receive_json(self, timeout=30):
        message = self.receive(timeout)
        return None if message is None else json.loads(message[1])

    def collect(self, timeout=30):
        """All payloads until the close frame, as one."""
        parts = []
        while (message := self.receive(timeout)) is not None:
            parts.append(message[1])
        return b"".join(parts)

    def wait_readable(self, timeout):
        return bool(self.buffer) or bool(select.select([self.connection], [], [], timeout)[0])

    def close(self, code=1000):
        self.send_frame(self.CLOSE, struct.pack(">H", code))

    def drop(self):
        self.connection.close()
