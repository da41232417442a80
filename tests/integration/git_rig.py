"""Real servers for git tests: smart HTTP with basic authentication (git http-backend), TLS, redirects, sshd; and the
toolbox, stand-alone. Everything lives in one temporary directory and dies with its `with` block."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SEBRING_BUILD", ROOT / "build"))
USER, PASSWORD = "alice", "s3cret-Word"


def git(*arguments, cwd=None, **more):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@test", "GIT_COMMITTER_NAME": "T",
                   "GIT_COMMITTER_EMAIL": "t@test", **more}
    done = subprocess.run(["git", "-c", "safe.directory=*", "-c", "protocol.file.allow=always", *arguments], cwd=cwd,
                          env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def make_repository(path, files=None, branch="main"):
    """A bare repository with one commit on `branch`, made through a scratch clone."""
    git("init", "-q", "--bare", "-b", branch, str(path))
    git("config", "http.receivepack", "true", cwd=path)
    git("config", "uploadpack.allowReachableSHA1InWant", "true", cwd=path)
    with tempfile.TemporaryDirectory() as scratch:
        git("init", "-q", "-b", branch, scratch)
        for name, text in (files or {"README.md": "hello\n"}).items():
            target = pathlib.Path(scratch, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        git("add", "-A", cwd=scratch)
        git("commit", "-q", "-m", "first", cwd=scratch)
        git("push", "-q", str(path), branch, cwd=scratch)
    return path


def make_large_repository(path, count=50_000):
    """A bare repository of `count` files of 1.3 kB and more, half of which does not pack, 200 to a directory."""
    git("init", "-q", "--bare", "-b", "main", str(path))
    importer = subprocess.Popen(["git", "-c", "safe.directory=*", "fast-import", "--quiet", "--depth=50"], cwd=path, stdin=subprocess.PIPE)
    with importer.stdin as pipe:
        pipe.write(b"commit refs/heads/main\ncommitter T <t@test> 1700000000 +0000\ndata 1\nm\n")
        for i in range(count):
            body = (b"%d\n" % i) * 50 + os.urandom(500).hex().encode()
            pipe.write(b"M 100644 inline d%03d/f%05d\ndata %d\n%s\n" % (i // 200, i, len(body), body))
    if importer.wait() != 0:
        raise AssertionError("git fast-import failed")
    return path


def commit_to(repository, name, text, branch="main", message="more"):
    """Another commit on the server, as a colleague would push it. Returns its hash."""
    with tempfile.TemporaryDirectory() as scratch:
        git("clone", "-q", "-b", branch, str(repository), scratch)
        target = pathlib.Path(scratch, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        git("add", "-A", cwd=scratch)
        git("commit", "-q", "-m", message, cwd=scratch)
        git("push", "-q", "origin", branch, cwd=scratch)
        return git("rev-parse", "HEAD", cwd=scratch)


class GitHttpHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def refuse(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_git(self):
        server = self.server.owner
        path, _, query = self.path.partition("?")
        if path.startswith("http://"):  # we are its proxy
            path = "/" + path.split("/", 3)[3]
        authorization = self.headers.get("Authorization")
        server.requests.append((self.command, path, authorization, self.headers.get("Host")))
        body = self.read_body()
        for prefix, target in server.redirects.items():
            if path.startswith(prefix):
                location = target + self.path[len(prefix):] if target.endswith("/") else target
                return self.refuse(302, {"Location": location})
        if path.startswith("/status/"):
            return self.refuse(int(path.split("/")[2]))
        if path.startswith("/html/"):
            return self.refuse(200, {"Content-Type": "text/html"}, b"<html>no git here</html>")
        if path.startswith("/silent/"):
            time.sleep(server.silence)
            return self.refuse(500)
        if path.startswith("/cut/"):
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        if path.startswith("/private/"):
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if authorization != expected:
                return self.refuse(401, {"WWW-Authenticate": 'Basic realm="git"'})
            path = path[len("/private"):]
        if path.startswith("/readonly/"):
            path = path[len("/readonly"):]
            if "git-receive-pack" in self.path:
                return self.refuse(403)
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(server.root), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "REMOTE_USER": USER,
            "REMOTE_ADDR": "127.0.0.1", "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }
        backend = subprocess.Popen(["git", "http-backend"], env=environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        feeder = threading.Thread(target=self.feed, args=(backend, body))
        feeder.start()
        try:
            status, headers = 200, []
            while (line := backend.stdout.readline().strip()):
                name, _, value = line.decode().partition(": ")
                if name == "Status":
                    status = int(value.split()[0])
                else:
                    headers.append((name, value))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while block := backend.stdout.read(16384):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                if server.drip:
                    time.sleep(server.drip)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            backend.kill()
            backend.wait()
            backend.stdout.close()
            feeder.join()
        return None

    def do_CONNECT(self):
        self.server.owner.requests.append(("CONNECT", self.path, None, self.headers.get("Host")))
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port)), 10) as upstream:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(upstream, self.connection))
            back.start()
            self.pump(self.connection, upstream)
            back.join()
        self.close_connection = True

    @staticmethod
    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    @staticmethod
    def feed(backend, body):
        with contextlib.suppress(OSError):
            backend.stdin.write(body)
            backend.stdin.close()

    do_GET = do_POST = handle_git


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class GitHttp:
    """Repositories below `root`: /x.git is open, /private/x.git wants USER and PASSWORD, /readonly/x.git takes no push;
    /status/N, /html, /silent and /cut answer what they say; `redirects` maps prefixes to places."""

    def __init__(self, root, certificate=None, address="127.0.0.1"):
        self.root, self.redirects, self.requests, self.drip, self.silence = root, {}, [], 0, 5
        self.server = QuietServer((address, 0), GitHttpHandler)
        self.server.owner = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate[0], certificate[1])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://{address}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def make_certificate(directory):
    """Self-signed, for 127.0.0.1. (certificate, key)"""
    certificate, key = str(directory / "cert.pem"), str(directory / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    return certificate, key


class Sshd:
    """sshd on loopback with a host key and one user key of its own."""

    def __init__(self, directory, key_type="ed25519"):
        self.directory = directory
        directory.mkdir()
        self.client_key, self.host_key = directory / "client", directory / "host"
        for key, kind in ((self.client_key, key_type), (self.host_key, "ed25519")):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        shutil.copy(f"{self.client_key}.pub", directory / "authorized")
        (directory / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nPermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\n")

    @property
    def known_hosts_line(self):
        return f"[127.0.0.1]:{self.port} {pathlib.Path(f'{self.host_key}.pub').read_text()}"

    def url(self, path):
        return f"ssh://{os.environ.get('USER', 'root')}@127.0.0.1:{self.port}{path}"

    def __enter__(self):
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(self.directory / "config")],
                                        stderr=subprocess.DEVNULL)
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.05)
        raise AssertionError("sshd did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("toolbox", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, body):
        self.status, self.text = status, body.decode()
        self.json = json.loads(body) if body[:1] in (b"{", b"[") else None

    @property
    def code(self):
        return self.json.get("code") if isinstance(self.json, dict) else None

    def __repr__(self):
        return f"{self.status} {self.text[:500]}"


class Toolbox:
    """sebring-toolbox, stand-alone, with a home of its own."""

    def __init__(self, directory, environment=None, user=None):
        self.directory = directory
        self.home, self.socket = directory / "home", str(directory / "socket")
        self.home.mkdir()
        if user:
            directory.chmod(0o755)
            shutil.chown(self.home, user)
        configuration = {"sandboxId": "git-test", "version": "test", "workDir": str(self.home), "user": user or "",
                         "env": {"HOME": str(self.home), **(environment or {})}, "logDir": str(directory / "logs")}
        (directory / "configuration.json").write_text(json.dumps(configuration))

    def __enter__(self):
        self.process = subprocess.Popen([BUILD / "sebring-toolbox", "serve", "--listen", self.socket, "--configuration",
                                         self.directory / "configuration.json", "--git-helper",
                                         BUILD / "sebring-toolbox-git", "--home", self.home])
        for _ in range(3000):
            with contextlib.suppress(OSError), contextlib.closing(self.connect()) as connection:
                connection.connect()
                return self
            time.sleep(0.02)
        raise AssertionError("the toolbox did not start")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, timeout=60):
        return UnixConnection(self.socket, timeout)

    def ask(self, method, path, body=None, timeout=60):
        with contextlib.closing(self.connect(timeout)) as connection:
            data = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            response = connection.getresponse()
            return Answer(response.status, response.read())

    def get(self, path):
        return self.ask("GET", path)

    def post(self, endpoint, **fields):
        return self.ask("POST", endpoint, fields)

    def helpers(self):
        """Pids of git helpers that run under this toolbox."""
        children = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True,
                                  text=True).stdout
        return [int(line.split()[0]) for line in children.splitlines() if "sebring-toolbox-git" in line]


@contextlib.contextmanager
def scratch(parent=None):
    if parent and not os.access(parent, os.W_OK):
        parent = None
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-git-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
