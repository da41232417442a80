"""Images that are nothing like the default one: no bash, no account files, another C library, a home that can not be written."""

import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import harness
from harness import Leftovers, Server
from reach_rig import eventually
from ws import WebSocket

BUSYBOX = "/bin/busybox"
MODERN = {"X-Daytona-SDK-Version": "0.190.0"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def put(path, target, body):
    connection = UnixConnection(path)
    connection.request("PUT", target, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    assert answer.status == 200, (target, answer.status, raw)


class Images:
    """Prepared images in one directory, as snapshots/build makes them; the first one is the server's default."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-images-test-"))
        os.chmod(self.directory, 0o755)
        self.made = {}

    def add(self, name, config, fill):
        root = self.directory / (name + ".root")
        for part in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            (root / part).mkdir(parents=True)
        os.chmod(root, 0o755)
        os.chmod(root / "tmp", 0o1777)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        fill(root)
        archive = self.directory / (name + ".tar")
        subprocess.run(["tar", "-c", "-C", str(root), "--numeric-owner", "--sort=name", "-f", str(archive), "."], check=True)
        digest = "sha256:" + hashlib.sha256(archive.read_bytes()).hexdigest()
        size = archive.stat().st_size
        file = "layer.tar.zst" if not self.made else name + ".tar.zst"
        subprocess.run(["zstd", "-q", "--rm", str(archive), "-o", str(self.directory / file)], check=True)
        description = {"name": name, "layer": {"digest": digest, "size": size}, "config": config}
        if not self.made:
            (self.directory / "config.json").write_text(json.dumps(description))
        self.made[name] = (description, file)
        os.chmod(self.directory / file, 0o644)
        shutil.rmtree(root)

    def make_known(self, server):
        """All but the first, which the server has taken itself."""
        for name, (description, file) in list(self.made.items())[1:]:
            put(server.run_dir() / "runner.sock", "/v1/images/" + description["layer"]["digest"], {"file": file})
            put(server.run_dir() / "control/admin.sock", "/v1/images/" + name, {"layer": description["layer"], "config": description["config"]})

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def fill_bare(root):
    (root / "srv").mkdir()
    (root / "etc").rmdir()


def fill_app(root):
    """An account of its own with a home of root's, and a program that needs musl."""
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/ash\n")
    (root / "etc/group").write_text("root:x:0:\napp:x:1000:\n")
    (root / "home/app").mkdir(parents=True)
    os.chmod(root / "home/app", 0o555)
    if shutil.which("musl-gcc"):
        subprocess.run(["musl-gcc", "-x", "c", "-", "-o", str(root / "bin/with-musl")], check=True, text=True,
                       input='#include <stdio.h>\nint main() { char line[64]; printf("name?\\n"); fflush(stdout);\n'
                             'if (fgets(line, sizeof line, stdin)) printf("musl greets %s", line); return 3; }\n')
        loader = pathlib.Path("/lib/ld-musl-x86_64.so.1")
        (root / "lib").mkdir()
        shutil.copy(loader.resolve(), root / "lib" / loader.name)


def fill_broken(root):
    """A shell that leads nowhere, and no place for temporary files."""
    (root / "bin/sh").unlink()
    (root / "bin/sh").symlink_to("/nowhere/sh")
    (root / "tmp").rmdir()


@unittest.skipUnless(os.path.exists(BUSYBOX), "SKIP: no busybox-static here")
class ForeignImages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.leftovers = Leftovers().__enter__()
        cls.images = Images()
        environment = ["PATH=/bin", "FROM_IMAGE=it is"]
        # The path of the shell names the text, as a Dockerfile's ENTRYPOINT ["/bin/sh", "-c"] with a CMD does.
        cls.images.add("bare", {"Env": environment, "WorkingDir": "/srv", "Entrypoint": ["/bin/sh", "-c"],
                                "Cmd": ["echo started by $FROM_IMAGE in $PWD; echo warned >&2; cat; exec sleep 100000"]}, fill_bare)
        cls.images.add("app", {"Env": environment, "User": "app", "Cmd": ["/bin/sh", "-c", "echo once; exit 7"]}, fill_app)
        cls.images.add("broken", {"Env": ["PATH=/bin", "A=two\nlines", "=nameless", "NOTHING"], "WorkingDir": "/no/such"}, fill_broken)
        cls.images.add("ghost", {"Env": environment, "User": "ghost"}, lambda root: None)
        cls.original = harness.snapshot_directory
        harness.snapshot_directory = lambda: cls.images.directory
        cls.server = Server({"slots": 2}).start()
        cls.images.make_known(cls.server)
        # The last image has become the default sizes' too; each is asked for by its own name.
        cls.boxes = {name: cls.server.create(snapshot=own)["id"] for name, own in (("bare", "default"), ("app", "app"), ("broken", "broken"))}

    @classmethod
    def tearDownClass(cls):
        harness.snapshot_directory = cls.original
        cls.server.__exit__(None, None, None)
        cls.images.remove()
        cls.leftovers.__exit__(None, None, None)

    def ask(self, box, method, path, body=None, **more):
        return self.server.request(method, f"/toolbox/{self.boxes[box]}{path}", body, **more)[:2]

    def run_in(self, box, command, **more):
        result = self.server.execute(self.boxes[box], command, **more)
        return result["exitCode"], result["result"]

    def upload(self, box, path, content):
        return self.ask(box, "POST", "/files/upload-v2?path=" + urllib.parse.quote(path), content, headers={"Content-Type": "application/octet-stream"})[0]

    def test_commands(self):
        self.assertEqual(self.run_in("bare", "echo $0 $FROM_IMAGE; id -u; pwd; exit 4"), (4, "/bin/sh it is\n0\n/srv\n"))
        self.assertEqual(self.run_in("app", "id -un; echo $HOME $USER $SHELL; pwd"), (0, "app\n/home/app app /bin/ash\n/home/app\n"))
        self.assertEqual(self.run_in("app", "touch ~/x")[0], 1)
        self.assertEqual(self.run_in("app", "nosuch")[0], 127)
        self.assertEqual(self.run_in("app", "cat", cwd="/nosuch")[0], -1)

    def test_without_a_shell(self):
        code, told = self.run_in("broken", "id")
        self.assertEqual(code, -1)
        self.assertIn("/bin/sh: No such file or directory", told)
        status, error = self.ask("broken", "POST", "/process/session", {"sessionId": "none"})
        self.assertEqual((status, error["code"]), (422, "UNPROCESSABLE_ENTITY"), error)
        self.assertEqual(self.ask("broken", "GET", "/process/session")[1], [])
        self.assertEqual(self.upload("broken", "/tmp/new", b"kept"), 200)
        self.assertEqual(self.ask("broken", "GET", "/files/download?path=/tmp/new")[1], "kept")

    def test_user_that_is_not_there(self):
        box = self.server.create(snapshot="ghost")["id"]
        self.addCleanup(self.server.request, "DELETE", f"/api/sandbox/{box}")
        row = eventually(lambda: (lambda one: one if one["state"] == "error" else None)(self.server.request("GET", f"/api/sandbox/{box}")[1]))
        self.assertIn("user ghost is not in the image's passwd file", row["errorReason"])

    def test_code_without_its_interpreter(self):
        for language, program in (("python", "python3"), ("javascript", "node")):
            status, result = self.ask("bare", "POST", "/process/code-run", {"code": "1", "language": language})
            self.assertEqual((status, result["exitCode"], result["result"]), (200, 127, f"{program}: command not found\n"))
        status, error = self.ask("bare", "POST", "/process/interpreter/context", {})
        self.assertGreaterEqual(status, 400)
        self.assertIn("python3", error["message"])

    def test_another_c_library(self):
        if not shutil.which("musl-gcc"):
            self.skipTest("SKIP: no musl-gcc here")
        self.assertEqual(self.run_in("app", "echo you | with-musl"), (3, "name?\nmusl greets you\n"))
        self.assertEqual(self.ask("app", "POST", "/process/session", {"sessionId": "musl"})[0], 201)
        status, ran = self.ask("app", "POST", "/process/session/musl/exec", {"command": "echo me | with-musl"}, headers=MODERN)
        self.assertEqual((status, ran["stdout"], ran["exitCode"]), (200, "name?\nmusl greets me\n", 3))

    def test_sessions(self):
        for box, home in (("bare", "/srv"), ("app", "/home/app")):
            with self.subTest(box=box):
                self.assertEqual(self.ask(box, "POST", "/process/session", {"sessionId": "s"})[0], 201)
                run = lambda command: self.ask(box, "POST", "/process/session/s/exec", {"command": command}, headers=MODERN)[1]  # noqa: E731
                self.assertEqual(run("pwd; cd /tmp; export A=kept; f() { echo $A $1; }")["stdout"], home + "\n")
                self.assertEqual(run("pwd; f now; echo bad >&2")["output"].count("\n"), 3)
                self.assertEqual(run("(exit 9)")["exitCode"], 9)
                self.assertEqual(len(run("head -c 3000000 /dev/zero | tr '\\0' x")["stdout"].rstrip("\n")), 3000000)  # a log on disk
                self.assertEqual(self.ask(box, "DELETE", "/process/session/s")[0], 204)

    def test_entrypoint_runs_as_a_session(self):
        status, session = self.ask("bare", "GET", "/process/session/entrypoint")
        self.assertEqual((status, session["commands"][0]["id"]), (200, "entrypoint_command"))
        self.assertNotIn("exitCode", session["commands"][0])
        status, logs = self.ask("bare", "GET", "/process/session/entrypoint/logs", headers=MODERN)
        self.assertEqual((logs["stdout"], logs["stderr"]), ("started by it is in /srv\n", "warned\n"))
        self.assertIn("sleep 100000", self.run_in("bare", "ps")[1])
        self.assertEqual(self.ask("bare", "POST", "/process/session", {"sessionId": "entrypoint"})[0], 400)
        status, session = self.ask("app", "GET", "/process/session/entrypoint")
        self.assertEqual(session["commands"][0]["exitCode"], 7)  # the sandbox goes on without it
        self.assertEqual(self.ask("app", "GET", "/process/session/entrypoint/logs", headers=MODERN)[1]["stdout"], "once\n")

    def test_terminal(self):
        for box in ("bare", "app"):
            with self.subTest(box=box):
                ws = WebSocket("127.0.0.1", self.server.port, f"/toolbox/{self.boxes[box]}/process/pty/create-connect?id=t&cols=80&rows=24",
                               {"Authorization": f"Bearer {self.server.key}"}, ["X-Daytona-Pty-Exit-Control"])
                self.assertEqual(ws.status, 101)
                ws.send(b"echo size $(stty size); exit 5\n")
                seen = ""
                while (message := ws.receive()) is not None:
                    seen += message if isinstance(message, str) else message.decode()
                self.assertIn("size 24 80", seen)
                self.assertIn('"exitCode":5', seen.replace(" ", ""))

    def test_files(self):
        self.assertEqual(self.upload("bare", "/srv/new/file", b"x"), 200)
        self.assertEqual(self.run_in("bare", "cat /srv/new/file; stat -c %u:%g /srv/new/file"), (0, "x0:0\n"))
        self.assertEqual(self.upload("app", "/tmp/file", b"x"), 200)
        self.assertEqual(self.run_in("app", "stat -c %u:%g /tmp/file"), (0, "1000:1000\n"))
        self.assertEqual(self.upload("app", "file", b"x"), 403)  # relative paths begin at the home, which is root's
        status, entry = self.ask("app", "GET", "/files/info?path=/etc/passwd")
        self.assertEqual((status, entry["owner"], entry["permissions"]), (200, "0", "0644"))
        self.assertEqual(self.ask("bare", "GET", "/user-home-dir")[1]["dir"], "/root")
        self.assertEqual(self.ask("app", "GET", "/user-home-dir")[1]["dir"], "/home/app")

    def test_git_without_git(self):
        self.assertEqual(self.ask("app", "POST", "/git/init", {"path": "/tmp/repository"})[0] // 100, 2)
        self.assertEqual(self.ask("app", "GET", "/git/status?path=/tmp/repository")[0], 200)
        status, error = self.ask("app", "POST", "/git/init", {"path": "/home/app/repository"})
        self.assertGreaterEqual(status, 400)
        self.assertEqual(error["source"], "DAYTONA_DAEMON")


if __name__ == "__main__":
    unittest.main()
