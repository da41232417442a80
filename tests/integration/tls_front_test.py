"""TLS in front of the proxy: its own certificate, changed while it runs."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from proxy_rig import KEY, TOKEN, DialServer, Process, Proxy, read_head


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


def host():
    return "3000-%s.preview.test" % box


def connect(name="first", **options):
    context = ssl.create_default_context(cafile=os.path.join(directory, name + ".crt"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    for key, value in options.items():
        setattr(context, key, value)
    raw = socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=15)
    return context.wrap_socket(raw, server_hostname=host())


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

    def test_certificate_changes(self):
        old = connect()
        place("second")
        time.sleep(1.2)
        try:
            with connect("second") as connection:
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
            time.sleep(1.2)
            connect().close()
            old.close()

    def test_old_versions_and_nonsense(self):
        with self.assertRaises((ssl.SSLError, OSError)):
            connect(maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\0" * 1000, b""):
            with socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=5) as raw:
                raw.sendall(text)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        with connect() as connection:
            ask(connection)

    def test_client_that_goes(self):
        for _ in range(20):
            connection = connect()
            connection.sendall(("GET /source?bytes=100000000 HTTP/1.1\r\nHost: %s\r\n\r\n" % host()).encode())
            connection.recv(10)
            connection.close()
        with connect() as connection:
            ask(connection)


if __name__ == "__main__":
    unittest.main()
