"""Starts the proxy before a fake control plane, and servers behind it. Standard library only."""
import http.client
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import uuid

BUILD = os.environ.get("SEBRING_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
KEY = "dtn_" + "a" * 64
OTHER_KEY = "dtn_" + "b" * 64
TOKEN = "vg5c0ylmcimr8b_v1ne0u6mdnvit6gc0"


class Process:
    def __init__(self, name, *args):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, name), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.first_line = self.process.stdout.readline().decode().strip()

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


class RawServer:
    """Calls `serve(connection)` in a thread for each connection: for servers that misbehave."""

    def __init__(self, listener, serve):
        self.listener = listener
        self.serve = serve
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            self.serve(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def unix_listener(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def read_head(connection, data=b""):
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError("connection closed in the head: %r" % data)
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


class Proxy:
    def __init__(self, *args):
        self.directory = tempfile.TemporaryDirectory()
        self.process = Process("proxy_fake", *args)
        self.port, self.ssh_port, self.tls_port = (int(number) for number in self.process.first_line.split())

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def stop(self):
        code = self.process.stop()
        if code: raise AssertionError("the proxy ended with %d" % code)
        self.directory.cleanup()

    def connect(self, timeout=20):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def order(self, **what):
        status, _, body = self.ask("POST", "/fake", body=json.dumps(what).encode(), key=None)
        assert status == 200, body
        return json.loads(body)

    def state(self):
        return self.order(what="")

    def sandbox(self, socket_path, state="started", **more):
        id = str(uuid.uuid4())
        self.order(what="sandbox", id=id, state=state, socket=socket_path, **more)
        self.order(what="key", key=KEY, id=id)
        self.order(what="token", id=id, token=TOKEN)
        return id

    def ask(self, method, path, headers=None, body=None, key=KEY, host=None, timeout=20):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        all_headers = {}
        if host:
            all_headers["Host"] = host
        if key:
            all_headers["Authorization"] = "Bearer " + key
        all_headers.update(headers or {})
        try:
            connection.request(method, path, body=body, headers=all_headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def raw(self, text, timeout=30):
        """All bytes that come back for these, until the end."""
        with self.connect(timeout) as connection:
            connection.sendall(text if isinstance(text, bytes) else text.encode())
            answer = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except ConnectionResetError:
                    return answer
                if not piece:
                    return answer
                answer += piece


def limit_of_one_address(test, port, is_served):
    """Of one address the rig takes 20 connections; others and proxies are not concerned, and what is closed is free again.
    `is_served` gives the connection when it is, which may be another object by then."""
    def served(source, keep):
        connection = socket.socket()
        connection.settimeout(30)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", port))
        found = is_served(connection)
        keep.append(found or connection)
        return found is not None
    held = []
    for _ in range(30):
        test.assertTrue(served("127.0.0.1", held))  # the rig takes it for a proxy
    own = []
    for number in range(25):
        test.assertEqual(served("127.0.0.9", own), number < 20, number)
    test.assertTrue(served("127.0.0.10", held))
    for connection in own:
        connection.close()
    deadline = time.monotonic() + 30
    while not served("127.0.0.9", held):
        test.assertLess(time.monotonic(), deadline, "closed connections still count")
        time.sleep(0.1)
    for connection in held:
        connection.close()


def keepalive_of(port):
    """Whether the kernel watches the peers of a listener's connections: the timers of /proc/net/tcp."""
    timers = []
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[1].endswith(":%04X" % port) and fields[3] == "01":
                timers.append(fields[5].partition(":")[0])
    return timers != [] and set(timers) == {"02"}


class DialServer:
    """Stands in for the runner: hands out TCP sockets, connected to where `places[port]` says."""

    def __init__(self, path):
        self.places = {}
        self.dials = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection:
            order = json.loads(connection.recv(4096))
            self.dials += 1
            real = self.places.get(order["port"])
            if isinstance(real, dict):
                connection.send(json.dumps(real).encode())
                return
            try:
                if real is None:
                    raise OSError
                with socket.create_connection(("127.0.0.1", real)) as made:
                    socket.send_fds(connection, [b'{"ok":true}'], [made.fileno()])
            except OSError:
                connection.send(b'{"ok":false,"code":"unavailable","message":"connection refused"}')

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def tcp_listener():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener
