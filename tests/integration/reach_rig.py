"""What the tests of reaching a sandbox from outside share: servers inside, previews by host name, SSH clients."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
APP = HERE / "reach_app.py"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/130", "Accept": "text/html,application/xhtml+xml",
           "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


def eventually(check, timeout=30, every=0.1):
    """The first true answer of `check`; the last one when time is over. Errors of connections count as no."""
    deadline = time.monotonic() + timeout
    while True:
        found = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = check()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(every)


class Reach:
    """Ways into the sandboxes of one server."""

    def __init__(self, server, directory):
        self.server = server
        self.directory = pathlib.Path(directory)

    @property
    def ssh_port(self):
        return int(self.config()["sshGatewayCommand"].split()[2])

    def config(self):
        return self.server.request("GET", "/api/config")[1]

    # --- inside -------------------------------------------------------------------------------------------------
    def run_in_background(self, box, command):
        """Goes on in a session of its own until it ends or the sandbox does."""
        session = "s" + uuid.uuid4().hex
        base = f"/toolbox/{box}/process/session"
        status, body, _ = self.server.request("POST", base, {"sessionId": session})
        assert status == 201 or status == 200, (status, body)
        status, body, _ = self.server.request("POST", f"{base}/{session}/exec", {"command": command, "runAsync": True})
        assert status in (200, 202), (status, body)

    def put(self, box, path, data):
        status, body, _ = self.server.request("POST", f"/toolbox/{box}/files/upload-v2?path={path}", data,
                                              headers={"Content-Type": "application/octet-stream"})
        assert status in (200, 201), (status, body)

    def app(self, box, port=3000, address="127.0.0.1"):
        """The test application, listening in the sandbox."""
        self.put(box, "/tmp/reach_app.py", APP.read_bytes())
        self.run_in_background(box, f"python3 /tmp/reach_app.py {port} {address}")
        assert eventually(lambda: self.ask(box, port, "/", key=self.server.key)[0] == 200, 60), "the application does not answer"

    # --- previews -----------------------------------------------------------------------------------------------
    def host(self, label, port=3000):
        return f"{port}-{label}.preview.localhost:{self.server.port}"

    def ask(self, label, port=3000, path="/", method="GET", key=None, headers=None, body=None, timeout=30, host=None):
        """One request to a preview; (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        try:
            sent = {"Host": host or self.host(label, port), **(headers or {})}
            if key:
                sent["Authorization"] = "Bearer " + key
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def seen(self, *arguments, **more):
        status, _, body = self.ask(*arguments, **more)
        assert status == 200, (status, body)
        return json.loads(body)

    def raw(self, text, timeout=20, port=None):
        """Everything that comes back for these bytes until the other side closes."""
        with socket.create_connection(("127.0.0.1", port or self.server.port), timeout) as connection:
            connection.sendall(text.encode("latin-1") if isinstance(text, str) else text)
            got = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while piece := connection.recv(65536):
                    got += piece
            return got

    # --- SSH ----------------------------------------------------------------------------------------------------
    def access(self, box, minutes=60):
        status, body, _ = self.server.request("POST", f"/api/sandbox/{box}/ssh-access?expiresInMinutes={minutes}")
        assert status == 200, (status, body)
        return body["token"]

    def options(self, port_flag="-p"):
        return [port_flag, str(self.ssh_port), "-F", "none", "-o", f"UserKnownHostsFile={self.directory}/known",
                "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR", "-o", "IdentityFile=none",
                "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]

    def ssh(self, token, *command, before=(), timeout=60, **more):
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        return subprocess.run(["ssh", *self.options(), *before, token + "@127.0.0.1", *command], capture_output=True,
                              timeout=timeout, **more)


def sdk_python(name="python-newest"):
    """The interpreter of an official SDK's environment."""
    made = subprocess.run([HERE / "env" / "create", name], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip().splitlines()[-1] + "/bin/python"


def run_sdk(server, program, name="python-newest", **values):
    """Runs a program of the official Python SDK; what it prints as JSON in its last line."""
    done = subprocess.run([sdk_python(name), "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=120,
                          env=dict(os.environ, DAYTONA_API_URL=server.url + "/api", DAYTONA_API_KEY=server.key, **values))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
