"""What a person types to reach a sandbox: ssh, preview-url, port-forward, logs -f, cp."""

import os
import pathlib
import pty
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import uuid

from harness import SEBRING, Leftovers, Server, clean_environment, free_port
from reach_rig import Reach, eventually


def setUpModule():
    global leftovers, server, reach, directory, box
    leftovers = Leftovers().__enter__()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-reach-"))
    server = Server({"slots": 2, "ssh-listen": f"127.0.0.1:{free_port()}"}).start()
    reach = Reach(server, directory)
    box = server.create(name="cli-box")["id"]
    reach.app(box)
    # A person has accepted the host key before.
    (directory / "bin").mkdir()
    wrapper = directory / "bin/ssh"
    wrapper.write_text(f"#!/bin/sh\nexec {shutil.which('ssh')} -F none -o UserKnownHostsFile={directory}/known "
                       '-o StrictHostKeyChecking=accept-new -o LogLevel=ERROR -o IdentityFile=none "$@"\n')
    wrapper.chmod(0o755)


def tearDownModule():
    server.__exit__(None, None, None)
    shutil.rmtree(directory)
    leftovers.__exit__(None, None, None)


def command(*arguments):
    return [SEBRING, arguments[0], *map(str, arguments[1:]), "--data-dir", str(server.data)]


def environment():
    return dict(clean_environment(), PATH=f"{directory}/bin:" + os.environ["PATH"])


def cli(*arguments, input=None, timeout=120):
    source = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(command(*arguments), capture_output=True, timeout=timeout, env=environment(), **source)


class Ssh(unittest.TestCase):
    def test_shell_without_a_terminal(self):
        done = cli("ssh", "cli-box", input=b"id -un; exit 4\n")
        self.assertEqual((done.returncode, done.stdout), (4, b"daytona\n"), done.stderr)

    def test_shell_on_a_terminal(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe(SEBRING, command("ssh", "cli-box"), environment())
        os.write(fd, b"echo si''ze $(tty | cut -c1-9) $((6*7)); exit 3\n")
        seen = b""
        while b"size /dev/pts/ 42" not in seen:
            self.assertTrue(select.select([fd], [], [], 60)[0], seen)
            seen += os.read(fd, 65536)
        try:
            while os.read(fd, 65536):
                pass
        except OSError:
            pass
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 3)
        os.close(fd)

    def test_json_and_bad_input(self):
        told = cli("ssh", "cli-box", "--json", "--expires", "5")
        self.assertIn(b'"sshCommand"', told.stdout)
        self.assertEqual(cli("ssh", "no-such-box").returncode, 1)
        for wrong in (["ssh"], ["ssh", "cli-box", "--expires", "0"], ["ssh", "cli-box", "--expires", "x"]):
            self.assertEqual(cli(*wrong).returncode, 2, wrong)


class PreviewUrl(unittest.TestCase):
    def test_opens_without_more(self):
        done = cli("preview-url", "cli-box", "-p", 3000)
        url = done.stdout.decode().strip()
        self.assertRegex(url, rf"^http://3000-[a-z0-9]{{16}}\.preview\.localhost:{server.port}/?$", done.stderr)
        self.assertEqual(reach.ask(None, host=url.split("/")[2])[0], 200)
        for wrong in (["-p", 0], ["-p", 65536], ["-p", "x"], [], ["-p", 80, "--expires", 0], ["-p", 80, "--expires", 86401]):
            self.assertEqual(cli("preview-url", "cli-box", *wrong).returncode, 2, wrong)
        self.assertEqual(cli("preview-url", "no-such-box", "-p", 80).returncode, 1)


class FullOutput(unittest.TestCase):
    def check_full(self, words):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, timeout=60, env=environment())
        self.assertNotEqual(done.returncode, 0, words)
        self.assertIn(b"No space left", done.stderr, words)

    def test_what_can_not_be_written_is_a_failure(self):
        for arguments in (["list"], ["list", "--json"], ["info", "cli-box"], ["config"],
                          ["preview-url", "cli-box", "-p", 3000], ["cp", "cli-box:/etc/passwd", "-"]):
            self.check_full(command(*arguments))
        self.check_full([SEBRING, "exec", "--data-dir", str(server.data), "cli-box", "--", "echo", "x"])
        shell = f"{shlex.join(command('list'))} | true; exit ${{PIPESTATUS[0]}}"  # a reader that goes away is none
        self.assertEqual(subprocess.run(["bash", "-c", shell], env=environment(), timeout=60).returncode, 0)


class PortForward(unittest.TestCase):
    def test_forward(self):
        port = free_port()
        client = subprocess.Popen(command("port-forward", "cli-box", f"{port}:3000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=environment())
        try:
            self.assertIn(b"to port 3000 of cli-box", client.stdout.readline())
            connection = eventually(lambda: socket.create_connection(("127.0.0.1", port), 20), 30)
            connection.sendall(b"GET /through HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := connection.recv(65536):
                got += piece
            self.assertIn(b'"target": "/through"', got)
            connection.close()
        finally:
            client.send_signal(signal.SIGTERM)  # SIGINT is ignored by what a shell starts in the background
            client.communicate(timeout=30)

    def test_nobody_has_to_know_the_host_key(self):
        """Without a terminal and without anything that was accepted before; the line comes when the port listens."""
        home = directory / "empty-home"
        home.mkdir(exist_ok=True)
        stranger = dict(clean_environment(), HOME=str(home))
        port = free_port()
        client = subprocess.Popen(command("port-forward", "cli-box", f"{port}:3000"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=stranger)
        try:
            line = client.stdout.readline()
            self.assertIn(b"to port 3000 of cli-box", line, line or client.communicate(timeout=30))
            socket.create_connection(("127.0.0.1", port), 20).close()
        finally:
            client.send_signal(signal.SIGTERM)
            client.communicate(timeout=30)
        done = subprocess.run(command("ssh", "cli-box"), input=b"echo in\n", capture_output=True, timeout=60, env=stranger)
        self.assertEqual(done.stdout, b"in\n", done.stderr)

    def test_nothing_is_said_before_the_connection(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = cli("port-forward", "cli-box", f"{taken.getsockname()[1]}:3000")
            self.assertEqual((done.returncode, done.stdout), (255, b""), done.stderr)

    def test_taken_and_wrong_ports(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = cli("port-forward", "cli-box", f"{taken.getsockname()[1]}:3000")
            self.assertNotEqual(done.returncode, 0)
        for wrong in ("0", "65536", "x", "80:0", "80:", ":80", "1:2:3", "-1"):
            self.assertEqual(cli("port-forward", "cli-box", wrong).returncode, 2, wrong)
        self.assertEqual(cli("port-forward", "no-such-box", "8080").returncode, 1)


class Logs(unittest.TestCase):
    def test_follow(self):
        session = "logs" + uuid.uuid4().hex
        base = f"/toolbox/{box}/process/session"
        server.request("POST", base, {"sessionId": session})
        script = "for i in 1 2 3; do echo line $i; while [ ! -e /tmp/%s.$i ]; do sleep 0.05; done; done" % session
        started = server.request("POST", f"{base}/{session}/exec", {"command": script, "runAsync": True})[1]
        number = started.get("cmdId") or started["cmd_id"]
        client = subprocess.Popen(command("logs", "-f", "cli-box", "--session", session, "--command", number), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=environment())
        try:
            for i in (1, 2, 3):
                self.assertEqual(client.stdout.readline(), b"line %d\n" % i)  # before the next is written
                server.execute(box, f"touch /tmp/{session}.{i}")
            rest, problem = client.communicate(timeout=60)
            self.assertEqual((client.returncode, rest), (0, b""), problem)
        finally:
            client.kill()
            client.communicate()
        done = cli("logs", "cli-box", "--session", session, "--command", number)
        self.assertEqual((done.returncode, done.stdout), (0, b"line 1\nline 2\nline 3\n"))

    def test_ends_when_nobody_reads(self):
        session = "pipe" + uuid.uuid4().hex
        base = f"/toolbox/{box}/process/session"
        server.request("POST", base, {"sessionId": session})
        started = server.request("POST", f"{base}/{session}/exec", {"command": "while :; do echo line; sleep 0.01; done", "runAsync": True})[1]
        number = started.get("cmdId") or started["cmd_id"]
        with subprocess.Popen(command("logs", "-f", "cli-box", "--session", session, "--command", number), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=environment()) as client:
            self.assertEqual(client.stdout.readline(), b"line\n")
            client.stdout.close()
            self.assertEqual((client.wait(20), client.stderr.read()), (0, b""))
        server.request("DELETE", f"{base}/{session}")

    def test_follow_ends_with_the_sandbox(self):
        own = server.create()["id"]
        base = f"/toolbox/{own}/process/session"
        server.request("POST", base, {"sessionId": "s"})
        started = server.request("POST", f"{base}/s/exec", {"command": "echo up; sleep 1000", "runAsync": True})[1]
        client = subprocess.Popen(command("logs", "-f", own, "--session", "s", "--command", started.get("cmdId") or started["cmd_id"]),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.assertEqual(client.stdout.readline(), b"up\n")
        self.assertEqual(server.request("DELETE", f"/api/sandbox/{own}")[0], 200)
        client.communicate(timeout=60)

    def test_bad_input(self):
        for wrong in (["no-such-box"], ["cli-box", "--session", "none", "--command", "none"],
                      ["-f", "cli-box", "--session", "none", "--command", "none"]):
            done = cli("logs", *wrong)
            self.assertEqual(done.returncode, 1, wrong)
            self.assertTrue(done.stderr)
        self.assertEqual(cli("logs", "cli-box", "--session", "s").returncode, 2)


class Copy(unittest.TestCase):
    def setUp(self):
        self.local = pathlib.Path(tempfile.mkdtemp(dir=directory))
        self.remote = "/home/daytona/" + self.local.name

    def test_file_both_ways(self):
        data = os.urandom(3_000_000)
        (self.local / "a b").write_bytes(data)
        (self.local / "a b").chmod(0o750)
        done = cli("cp", self.local / "a b", f"cli-box:{self.remote}/x/a b")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(server.execute(box, f"stat -c %a '{self.remote}/x/a b'")["result"], "750\n")
        done = cli("cp", f"cli-box:{self.remote}/x/a b", self.local / "back")
        self.assertEqual((done.returncode, (self.local / "back").read_bytes() == data), (0, True), done.stderr)

    def test_from_the_working_directory(self):
        name = self.local.name
        self.assertEqual(server.execute(box, f"mkdir -p {name}/in && echo deep > {name}/in/x")["exitCode"], 0)
        for source, target in ((name, "a"), (name + "/", "b"), (f"./{name}", "c")):
            done = cli("cp", f"cli-box:{source}", self.local / target)
            self.assertEqual((done.returncode, done.stderr), (0, b""), source)
            self.assertEqual((self.local / target / "in/x").read_text(), "deep\n", source)

    def test_what_stands_in_the_way(self):
        done = server.execute(box, f"mkdir -p {self.remote} && cd {self.remote} && echo new > x && echo rest > x.part && echo long > $(printf n%.0s $(seq 255))")
        self.assertEqual(done["exitCode"], 0, done)
        tree = self.local / "tree"
        self.assertEqual(cli("cp", f"cli-box:{self.remote}", tree).returncode, 0)
        self.assertEqual({one.name: one.read_text() for one in tree.iterdir()}, {"x": "new\n", "x.part": "rest\n", "n" * 255: "long\n"})
        # What somebody has begun by that name, a link, a pipe: each stays what it is.
        (self.local / "y.part").write_text("mine")
        (self.local / "real").write_text("old and longer")
        (self.local / "y").symlink_to("real")
        os.mkfifo(self.local / "pipe")
        self.assertEqual(cli("cp", f"cli-box:{self.remote}/x", self.local / "y").returncode, 0)
        self.assertEqual([(self.local / name).read_text() for name in ("y.part", "real")], ["mine", "new\n"])
        self.assertTrue((self.local / "y").is_symlink())
        with subprocess.Popen(["cat", self.local / "pipe"], stdout=subprocess.PIPE) as reader:
            self.assertEqual(cli("cp", f"cli-box:{self.remote}/x", self.local / "pipe").returncode, 0)
            self.assertEqual(reader.communicate(timeout=20)[0], b"new\n")
        self.assertTrue((self.local / "pipe").is_fifo())
        self.assertEqual(sorted(one.name for one in self.local.iterdir()), ["pipe", "real", "tree", "y", "y.part"])

    def test_tree_and_streams(self):
        (self.local / "tree/in").mkdir(parents=True)
        for name in ("tree/1", "tree/in/gr\u00fc\u00df", "tree/in/empty"):
            (self.local / name).write_bytes(b"" if "empty" in name else name.encode())
        done = cli("cp", self.local / "tree", f"cli-box:{self.remote}")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = cli("cp", f"cli-box:{self.remote}", self.local / "back")
        self.assertEqual(done.returncode, 0, done.stderr)
        compared = subprocess.run(["diff", "-r", self.local / "tree", self.local / "back"], capture_output=True, text=True)
        self.assertEqual(compared.stdout, "")
        self.assertEqual(cli("cp", "-", f"cli-box:{self.remote}/piped", input=b"through a pipe").returncode, 0)
        self.assertEqual(cli("cp", f"cli-box:{self.remote}/piped", "-").stdout, b"through a pipe")

    def test_bad_input(self):
        for wrong in (["a", "b"], ["cli-box:/a", "cli-box:/b"], [f"cli-box:/no/such/{uuid.uuid4()}", self.local / "x"],
                      [self.local / "missing", "cli-box:/tmp/x"], ["no-such-box:/etc/hostname", self.local / "x"],
                      [self.local, "cli-box:/proc/nowhere"]):
            done = cli("cp", *wrong)
            self.assertIn(done.returncode, (1, 2), wrong)
            self.assertTrue(done.stderr, wrong)
        self.assertIn(b"/etc/nobodys: Permission denied", cli("cp", "/etc/hostname", "cli-box:/etc/nobodys").stderr)
        self.assertEqual(cli("cp", "only-one").returncode, 2)


if __name__ == "__main__":
    unittest.main()
