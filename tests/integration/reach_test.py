"""SSH into sandboxes of a real server: OpenSSH, sftp, scp, rsync, Paramiko, forwarded ports, what ends a session."""

import contextlib
import fcntl
import hashlib
import http.client
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

from harness import Leftovers, Server, free_port
from reach_rig import HERE, Reach, eventually, run_sdk


def setUpModule():
    global leftovers, server, reach, directory, box, token
    leftovers = Leftovers().__enter__()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-reach-"))
    server = Server({"slots": 4, "ssh-listen": f"127.0.0.1:{free_port()}"}).start()
    reach = Reach(server, directory)
    box = server.create(envVars={"FROM_SANDBOX": "yes"})["id"]
    token = reach.access(box)
    reach.app(box)


def tearDownModule():
    server.__exit__(None, None, None)
    shutil.rmtree(directory)
    leftovers.__exit__(None, None, None)


# Wrong tokens slow their sender down, so they come from an address of their own.
ELSEWHERE = ["-b", "127.0.1.1"]


def ssh(*command, **more):
    return reach.ssh(more.pop("token", token), *command, **more)


class Commands(unittest.TestCase):
    def test_exit_codes_and_streams(self):
        for code in (0, 1, 42, 255):
            done = ssh(f"echo out; echo err >&2; exit {code}")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (code, b"out\n", b"err\n"))

    def test_who_and_where(self):
        done = ssh("id -un; pwd; hostname; echo $FROM_SANDBOX $HOME; cat /proc/1/comm")
        plain = server.execute(box, "id -un; pwd; hostname; echo $FROM_SANDBOX $HOME; cat /proc/1/comm")["result"]
        self.assertEqual(done.stdout.decode(), plain, done)

    def test_no_more_rights_than_a_command(self):
        for what in ("grep -E '^(Cap|NoNew|Seccomp)' /proc/self/status", "cat /proc/self/cgroup"):
            self.assertEqual(ssh(what).stdout.decode(), server.execute(box, what)["result"], what)

    def test_signal_death_is_told(self):
        self.assertEqual(ssh("kill -TERM $$").returncode, 255)

    def test_streams_both_ways(self):
        data = os.urandom(8_000_000)
        done = ssh("cat", input=data)
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())

    def test_client_gone_hangs_up(self):
        client = subprocess.Popen(["ssh", *reach.options(), token + "@127.0.0.1", "echo $$; exec sleep 600"],
                                  stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        pid = int(client.stdout.readline())
        client.kill()
        client.communicate()
        gone = eventually(lambda: server.execute(box, f"kill -0 {pid}")["exitCode"] != 0, 20)
        self.assertTrue(gone, "the command lives on")


class Terminal:
    """An ssh client on a terminal of ours."""

    def __init__(self, *command):
        words = ["ssh", *reach.options(), "-tt", token + "@127.0.0.1", *command]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("ssh", words)
        self.seen = b""

    def expect(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, (text, self.seen)
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                raise AssertionError(("the client has ended", text, self.seen)) from None
        before, self.seen = self.seen.split(text, 1)
        return before

    def send(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def wait(self):
        with contextlib.suppress(OSError):
            while os.read(self.fd, 65536):
                pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code


class Terminals(unittest.TestCase):
    def test_shell_resize_interrupt_exit(self):
        terminal = Terminal()
        terminal.send("PS1=; stty -echo; echo rea''dy\n")
        terminal.expect(b"ready")
        terminal.send("trap 'echo size $(stty size)' WINCH; echo trap''ped\n")
        terminal.expect(b"trapped")
        terminal.resize(40, 101)
        terminal.send("\n")
        terminal.expect(b"size 40 101")
        # The child itself says that it runs: an interrupt between a shell's own output and its next child is lost in bash.
        terminal.send("PS1=prom''pt:; sh -c \"echo slee''ping; exec sleep 1000\"; echo never\n")
        terminal.expect(b"sleeping")
        terminal.send("\x03")
        terminal.expect(b"prompt:")  # what is typed before the shell is back is thrown away with the interrupt
        terminal.send("echo 'gr\u00fc\u00dfe \u65e5\u672c'; exit 9\n")
        seen = terminal.expect("grüße 日本".encode())
        self.assertNotIn(b"never", seen)
        self.assertEqual(terminal.wait(), 9)

    def test_terminal_only_where_asked_for(self):
        self.assertEqual(ssh("test -t 0").returncode, 1)
        self.assertIn(b"terminal", ssh("test -t 0 && test -t 1 && echo terminal", before=["-tt"]).stdout)


class Files(unittest.TestCase):
    def setUp(self):
        self.local = pathlib.Path(tempfile.mkdtemp(dir=directory))
        self.remote = "/home/daytona/" + self.local.name
        server.execute(box, f"mkdir {self.remote}")

    def tree(self, link=False):
        (self.local / "tree/in").mkdir(parents=True)
        for i in range(20):
            (self.local / f"tree/file {i}").write_bytes(os.urandom(10_000))
        (self.local / "tree/in/gr\u00fc\u00df").write_text("x")
        if link:
            (self.local / "tree/link").symlink_to("in")

    def sums(self, path):
        script = "cd '%s' && find . -type f -exec sha256sum {} + | sort -k2"
        here = subprocess.run(script % (self.local / "tree"), shell=True, capture_output=True, text=True).stdout
        self.assertEqual(server.execute(box, script % path)["result"], here)

    def copy(self, program, *more):
        return subprocess.run([program, *more], capture_output=True, text=True, timeout=120)

    def test_sftp(self):
        data = os.urandom(5_000_001)
        (self.local / "a").write_bytes(data)
        lines = [f"put -p {self.local}/a {self.remote}/b", f"get -p {self.remote}/b {self.local}/c", f"mkdir {self.remote}/d",
                 f"rename {self.remote}/b {self.remote}/d/e", f"ls -la {self.remote}/d", f"chmod 600 {self.remote}/d/e"]
        done = subprocess.run(["sftp", *reach.options("-P"), "-b", "-", token + "@127.0.0.1"], input="\n".join(lines),
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.local / "c").read_bytes(), data)
        self.assertEqual(server.execute(box, f"stat -c '%a %U' {self.remote}/d/e")["result"], "600 daytona\n")

    def test_sftp_has_the_users_rights_only(self):
        for line in ("get /etc/shadow /dev/null", "put /etc/hostname /etc/owned", "rm /etc/passwd", "chmod 777 /etc"):
            done = subprocess.run(["sftp", *reach.options("-P"), "-b", "-", token + "@127.0.0.1"], input=line,
                                  capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0, line)
            self.assertIn("ermission denied", done.stderr + done.stdout, line)

    def test_scp(self):
        self.tree()
        for legacy in ([], ["-O"]):
            target = self.remote + "/" + "".join(legacy).strip("-") + "copy"
            done = self.copy("scp", *legacy, *reach.options("-P"), "-r", f"{self.local}/tree", f"{token}@127.0.0.1:{target}")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.sums(target)

    def test_rsync(self):
        self.tree(link=True)
        shell = "ssh " + " ".join(reach.options())
        if server.execute(box, "command -v rsync")["exitCode"] != 0:
            self.skipTest("the default image has no rsync")
        for _ in range(2):
            done = self.copy("rsync", "-a", "--delete", "-e", shell, f"{self.local}/tree/", f"{token}@127.0.0.1:{self.remote}/copy/")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.sums(self.remote + "/copy")
            (self.local / "tree/file 7").unlink(missing_ok=True)


class Forwarding(unittest.TestCase):
    def client(self, *arguments, wait=None):
        client = subprocess.Popen(["ssh", *reach.options(), "-N", "-o", "ExitOnForwardFailure=yes", *arguments,
                                   token + "@127.0.0.1"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

        def end():
            client.terminate()
            client.communicate()
        self.addCleanup(end)
        return client

    def connect(self, port):
        connection = eventually(lambda: socket.create_connection(("127.0.0.1", port), 20), 30)
        self.assertTrue(connection, "the client does not listen")
        self.addCleanup(connection.close)
        return connection

    def test_local(self):
        port = free_port()
        self.client("-L", f"{port}:localhost:3000")
        for _ in range(3):
            connection = self.connect(port)
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := connection.recv(65536):
                got += piece
            self.assertIn(b'"target": "/hello"', got)

    def socks(self, port, host, inside):
        connection = self.connect(port)
        connection.sendall(b"\x05\x01\x00")
        self.assertEqual(connection.recv(2), b"\x05\x00")
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + inside.to_bytes(2, "big"))
        return connection, connection.recv(10)[1:2]

    def test_dynamic_reaches_the_own_loopback_only(self):
        neighbour = server.create()["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{neighbour}")
        reach.app(neighbour, 3000, "0.0.0.0")
        address = server.execute(neighbour, "hostname -I || ip -4 -o addr")["result"].split()[0]
        gateway = server.execute(box, "ip route 2>/dev/null | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p'")["result"].strip()
        outside = socket.socket()
        outside.bind(("0.0.0.0", 0))
        outside.listen()
        outside.settimeout(0.5)
        self.addCleanup(outside.close)
        listening = outside.getsockname()[1]
        port = free_port()
        self.client("-D", str(port))
        connection, status = self.socks(port, "localhost", 3000)
        self.assertEqual(status, b"\x00")
        for host, inside in (("169.254.169.254", 80), (address, 3000), (gateway or "10.0.0.1", listening), ("127.0.0.1", listening),
                             ("localhost", server.port), ("0.0.0.0", 3000), ("127.0.0.2", 3000), ("::ffff:127.0.0.1", 3000),
                             ("::", 3000), ("example.com", 80), ("metadata.google.internal", 80), ("2130706433", 3000)):
            connection, status = self.socks(port, host, inside)
            self.assertNotEqual(status, b"\x00", host)
        with self.assertRaises(TimeoutError):
            outside.accept()

    def test_remote(self):
        port = free_port()
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(60)
        self.addCleanup(listener.close)
        self.client("-R", f"7007:127.0.0.1:{port}")

        def serve():
            connection, _ = listener.accept()
            connection.sendall(b"from outside\n" + connection.recv(100))
            connection.close()
        thread = threading.Thread(target=serve)
        thread.start()
        script = "for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/7007) 2>/dev/null && break; sleep 0.1; done"
        self.assertTrue(eventually(lambda: server.execute(box, "grep -qi ':1B5F .* 0A' /proc/net/tcp")["exitCode"] == 0))
        result = server.execute(box, "bash -c 'exec 3<>/dev/tcp/127.0.0.1/7007; echo question >&3; cat <&3'")
        thread.join()
        self.assertEqual(result["result"], "from outside\nquestion\n", script)
        # Loopback only, whatever is asked for: neighbours must not reach it.
        self.assertEqual(server.execute(box, "grep -i ':1B5F .* 0A' /proc/net/tcp")["result"].split()[1].split(":")[0], "0100007F")

    def test_no_tunnel_device_no_agent(self):
        done = ssh("echo agent=$SSH_AUTH_SOCK display=$DISPLAY", before=["-A", "-X"])
        self.assertIn(b"agent= display=\n", done.stdout)
        done = ssh("true", before=["-w", "any:any", "-o", "ExitOnForwardFailure=yes"])
        self.assertNotEqual(done.returncode, 0)


SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"remote server {os.getpid()} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"Extension host agent listening on {server.server_address[1]}", flush=True)
server.serve_forever()
"""
# What the editor sends to a shell: looks whether its server runs, starts one that outlives the connection, says where.
INSTALL = """
set -e
DIR=$HOME/.remote-server; mkdir -p "$DIR"
if [ ! -s "$DIR/pid" ] || ! kill -0 "$(cat "$DIR/pid")" 2>/dev/null; then
cat > "$DIR/server.py" <<'END_OF_SERVER'
%s
END_OF_SERVER
nohup setsid python3 "$DIR/server.py" > "$DIR/log" 2>&1 < /dev/null &
echo $! > "$DIR/pid"
fi
for _ in $(seq 200); do grep -q 'listening on' "$DIR/log" && break; sleep 0.05; done
echo "f00d: start"
echo "listeningOn==$(sed -n 's/.*listening on //p' "$DIR/log")=="
echo "tmpDir==/tmp=="
echo "exitCode==0=="
echo "f00d: end"
""" % SERVER


class AsAnEditor(unittest.TestCase):
    """The way in which VS Code's Remote-SSH works, without its own server, which it would download: a shell that reads a
    script from its input, on a connection with a dynamic forward; a server that stays; a second window on the same one."""

    def begin(self, number):
        port, control = free_port(), f"{directory}/editor-{number}"
        client = subprocess.Popen(["ssh", *reach.options(), "-T", "-D", str(port), "-M", "-S", control, "-o", "ConnectTimeout=30",
                                   token + "@127.0.0.1", "bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (client.kill(), client.wait(), client.stdout.close()))
        client.stdin.write(INSTALL.encode())
        client.stdin.flush()
        said = b""
        while b"f00d: end" not in said:
            line = client.stdout.readline()
            self.assertTrue(line, said)
            said += line
        return client, port, control, int(said.partition(b"listeningOn==")[2].partition(b"==")[0])

    def ask(self, port, inside, path):
        got = b""
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\0\0\x01" + inside.to_bytes(2, "big"))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            while piece := connection.recv(65536):
                got += piece
        return got.rpartition(b"\r\n\r\n")[2].decode()

    def test_server_over_a_dynamic_forward(self):
        client, port, control, inside = self.begin(1)
        answer = self.ask(port, inside, "/version")
        self.assertRegex(answer, r"remote server \d+ /version")
        self.assertEqual({self.ask(port, inside, "/version") for _ in range(10)}, {answer})
        # A terminal and a copy of the same editor go over the same connection.
        shared = ["-S", control, "-o", "ControlMaster=no"]
        self.assertEqual(ssh("echo same; kill -0 $(cat ~/.remote-server/pid) && echo runs", before=shared).stdout, b"same\nruns\n")
        self.assertEqual(ssh("cat", before=shared, input=b"x" * 1_000_000).stdout, b"x" * 1_000_000)
        # The window is closed and opened again: the same server is found.
        client.stdin.close()
        self.assertEqual(client.wait(60), 0)
        _, port, _, again = self.begin(2)
        self.assertEqual((again, self.ask(port, again, "/version")), (inside, answer))
        ssh("kill $(cat ~/.remote-server/pid); rm -r ~/.remote-server")


class ByParamiko(unittest.TestCase):
    def test_exec_shell_sftp_forward(self):
        made = subprocess.run([HERE / "env" / "create", "python-reach"], stdout=subprocess.PIPE, text=True, check=True)
        done = subprocess.run([made.stdout.strip().splitlines()[-1] + "/bin/python", "-W", "ignore", HERE / "reach_paramiko.py",
                               str(reach.ssh_port), token, str(self_port())], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "all good"), done.stderr[-3000:])


def self_port():
    return 3000


SDK_ACCESS = """
import json, os, subprocess
from daytona import Daytona
sandbox = Daytona().get(os.environ["BOX"])
first = sandbox.create_ssh_access(expires_in_minutes=5)
valid = sandbox.validate_ssh_access(first.token)
sandbox.revoke_ssh_access(first.token)
after = sandbox.validate_ssh_access(first.token)
second = sandbox.create_ssh_access()
print(json.dumps(dict(first=first.token, valid=valid.valid, sandbox=valid.sandbox_id, after=after.valid, second=second.token,
                      command=second.ssh_command)))
"""


class Access(unittest.TestCase):
    def fresh(self, **body):
        made = server.create(**body)["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{made}")
        return made

    def test_by_sdk(self):
        own = self.fresh()
        for name in ("python-0.190", "python-newest"):
            told = run_sdk(server, SDK_ACCESS, name, BOX=own)
            self.assertEqual((told["valid"], told["sandbox"], told["after"]), (True, own, False))
            self.assertEqual(told["command"], f"ssh -p {reach.ssh_port} {told['second']}@localhost")
            self.assertNotEqual(ssh("true", token=told["first"], before=ELSEWHERE).returncode, 0)
            self.assertEqual(ssh("echo in", token=told["second"]).stdout, b"in\n")

    def session(self, token, *flags):
        client = subprocess.Popen(["ssh", *reach.options(), *flags, token + "@127.0.0.1", "echo up; sleep 1000"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (client.kill(), client.communicate()))
        self.assertEqual(client.stdout.readline().strip(), b"up")
        return client

    def forward(self, token):
        """A client that forwards a port and has no channel."""
        client = subprocess.Popen(["ssh", *reach.options(), "-o", "LogLevel=INFO", "-N", "-o", "PermitLocalCommand=yes", "-o",
                                   "LocalCommand=echo up", token + "@127.0.0.1"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(lambda: (client.kill(), client.communicate()))
        self.assertEqual(client.stdout.readline(), b"up\n")
        return client

    def test_sessions_end(self):
        for name, act, why in (("revoked", lambda b, t: ("DELETE", f"/api/sandbox/{b}/ssh-access?token={t}"), b"token"),
                               ("all revoked", lambda b, t: ("DELETE", f"/api/sandbox/{b}/ssh-access"), b"token"),
                               ("replaced", lambda b, t: ("POST", f"/api/sandbox/{b}/ssh-access"), b"token"),
                               ("stopped", lambda b, t: ("POST", f"/api/sandbox/{b}/stop"), b"the sandbox has stopped"),
                               ("deleted", lambda b, t: ("DELETE", f"/api/sandbox/{b}"), b"the sandbox was deleted")):
            own = self.fresh()
            mine = reach.access(own)
            clients = [self.session(mine, "-tt"), self.session(mine), self.forward(mine)]
            status, body, _ = server.request(*act(own, mine))
            self.assertLess(status, 300, (name, body))
            for client in clients:
                try:
                    _, told = client.communicate(timeout=90)
                except subprocess.TimeoutExpired:
                    self.fail(f"{name}: the session goes on")
                self.assertIn(why, told, name)
                self.assertEqual(client.returncode, 255)
            if name != "stopped":
                self.assertNotEqual(ssh("true", token=mine, before=ELSEWHERE).returncode, 0, name)
            else:
                done = ssh("true", token=mine)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"Sandbox is not started (state: stopped). Please start the sandbox", done.stderr)
                self.assertEqual(server.request("POST", f"/api/sandbox/{own}/start")[0], 200)
                self.assertEqual(ssh("echo back", token=mine).stdout, b"back\n")

    def test_wrong_users(self):
        other = "z" * 32
        names = ("root", "daytona", box, other, token.swapcase(), token[:-1], token + "x", "x" * 1000, "a b", "\u00fc" * 8)
        for number, name in enumerate(names):
            done = ssh("true", token=name, before=["-b", f"127.0.2.{number + 1}"])
            self.assertEqual(done.returncode, 255, name)
        self.assertEqual(ssh("echo in").stdout, b"in\n")

    def cost(self):
        """Memory, descriptors and threads of the process that holds the gateway."""
        proc = pathlib.Path(f"/proc/{server.role_pid('control')}")
        memory = int((proc / "statm").read_text().split()[1]) * 4096
        return memory, len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))

    def test_ten_thousand_guesses_hold_nobody_up(self):
        # Each of these addresses has used up its free guesses; what follows is turned away before any key exchange.
        guessers = [f"127.0.3.{number}" for number in (1, 2)]
        for address in guessers:
            for number in range(11):
                self.assertNotEqual(ssh("true", token=f"{number:032}", before=["-b", address]).returncode, 0)
        tried = []

        def guess(address):
            for _ in range(2500):
                with contextlib.suppress(OSError):
                    with socket.create_connection(("127.0.0.1", reach.ssh_port), 20, (address, 0)) as connection:
                        connection.sendall(b"SSH-2.0-guess\r\n" + bytes(100))
                        connection.recv(1)
                tried.append(address)
        before = self.cost()
        threads = [threading.Thread(target=guess, args=(address,)) for address in guessers * 2]
        for thread in threads:
            thread.start()
        for _ in range(3):
            self.assertTrue(eventually(lambda: ssh("echo in").stdout == b"in\n"))
        for thread in threads:
            thread.join()
        self.assertEqual(len(tried), 10_000)
        self.assertTrue(eventually(lambda: self.cost()[1] <= before[1] + 8 and self.cost()[2] <= before[2] + 8), (before, self.cost()))
        self.assertLess(self.cost()[0] - before[0], 16 << 20)
        # Who guessed wrong too often is not let in at once with the right one either, others are.
        for _ in range(13):
            ssh("true", token="y" * 32, before=["-b", "127.0.3.9"])
        self.assertEqual(ssh("true", before=["-b", "127.0.3.9"]).returncode, 255)
        self.assertEqual(ssh("echo in").stdout, b"in\n")

    def test_bad_minutes(self):
        for minutes in ("0", "-1", "x", "1e9", "99999999999999999999"):
            status, _, _ = server.request("POST", f"/api/sandbox/{box}/ssh-access?expiresInMinutes={minutes}")
            self.assertEqual(status, 400, minutes)
        self.assertEqual(ssh("true").returncode, 0, "a refused request must not end the token")

    def test_token_is_stored_as_a_hash_and_not_logged(self):
        self.assertEqual(ssh("true").returncode, 0)
        self.assertNotIn(token, server.log())
        for path in (server.data / "control").glob("*"):
            if path.is_file():
                self.assertNotIn(token.encode(), path.read_bytes(), path)


class Restart(unittest.TestCase):
    def key(self):
        done = subprocess.run(["ssh-keyscan", "-T", "20", "-t", "ed25519", "-p", str(reach.ssh_port), "127.0.0.1"],
                              capture_output=True, text=True, timeout=60)
        return done.stdout.split()[-1]

    def test_same_host_key_and_same_tokens(self):
        before = self.key()
        told = reach.config()["sshGatewayPublicKey"]
        self.assertIn(before, told)
        pid = server.role_pid("control")
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: server.role_pid("control") not in (None, pid), 60), server.log()[-3000:])
        server.wait_serving(60)
        self.assertEqual(self.key(), before)
        done = eventually(lambda: (lambda d: d if d.returncode == 0 else None)(ssh("echo again")), 60)
        self.assertEqual(done.stdout, b"again\n")

    def test_running_sandboxes_are_never_said_to_be_stopped(self):
        """The server has read its rows before the runner has told where the sandboxes are: that is waited for."""
        for _ in range(5):
            pid = server.role_pid("control")
            os.kill(pid, signal.SIGKILL)
            answers, until = [], time.monotonic() + 60
            while 200 not in [status for status, _ in answers] and time.monotonic() < until:
                with contextlib.suppress(OSError, http.client.HTTPException):  # nobody listens, or it was cut
                    answers.append(server.request("POST", f"/toolbox/{box}/process/execute", {"command": "true"})[:2])
            self.assertEqual([status for status, _ in answers], [200], answers)
            self.assertTrue(eventually(lambda: server.role_pid("control") not in (None, pid), 60))


if __name__ == "__main__":
    unittest.main()
