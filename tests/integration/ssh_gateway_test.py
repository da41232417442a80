"""The SSH gateway with OpenSSH, sftp, scp, rsync and (where installed) Paramiko."""
import hashlib
import json
import contextlib
import os
import pty
import select
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from harness import free_port
from proxy_rig import BUILD, DialServer, Proxy, RawServer, tcp_listener

SSH_TOKEN = "AbCdEfGh0123456789IjKlMnOpQrStUv"


def setUpModule():
    global directory, home, dial, proxy, toolbox, box
    directory = tempfile.mkdtemp()
    home = os.path.join(directory, "work")
    os.mkdir(home)
    dial = DialServer(os.path.join(directory, "dial.sock"))
    proxy = Proxy(os.path.join(directory, "dial.sock"), directory)
    configuration = os.path.join(directory, "toolbox.json")
    with open(configuration, "w") as file:
        json.dump({"sandboxId": "test", "version": "test", "user": "", "workDir": "", "env": {"FROM_IMAGE": "yes"}}, file)
    listening = os.path.join(directory, "toolbox.sock")
    toolbox = subprocess.Popen([os.path.join(BUILD, "sebring-toolbox"), "serve", "--listen", listening,
                                "--configuration", configuration])
    while not os.path.exists(listening):
        time.sleep(0.02)
    box = proxy.sandbox(listening)
    proxy.order(what="ssh", id=box, token=SSH_TOKEN)


def tearDownModule():
    toolbox.terminate()
    toolbox.wait()
    dial.close()
    proxy.stop()
    shutil.rmtree(directory)


def options(port_flag="-p"):
    return [port_flag, str(proxy.ssh_port), "-F", "none", "-o", "UserKnownHostsFile=" + os.path.join(directory, "known"),
            "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR", "-o", "IdentityFile=none",
            "-o", "IdentitiesOnly=yes"]


def target(token=SSH_TOKEN):
    return token + "@127.0.0.1"


def ssh(*command, before=(), token=SSH_TOKEN, timeout=90, **more):
    if "input" not in more:
        more["stdin"] = subprocess.DEVNULL
    return subprocess.run(["ssh", *options(), *before, target(token), *command], capture_output=True, timeout=timeout,
                          **more)


class Commands(unittest.TestCase):
    def test_output_and_exit_codes(self):
        for code in (0, 1, 42, 255):
            done = ssh("echo out; echo err >&2; exit %d" % code)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (code, b"out\n", b"err\n"))
        self.assertEqual(ssh("no-such-command-here").returncode, 127)

    def test_signal_death(self):
        done = ssh("kill -TERM $$")
        self.assertEqual(done.returncode, 255)

    def test_environment(self):
        done = ssh("echo $FROM_IMAGE $LANG_TEST $HOME; pwd", before=["-o", "SendEnv=LANG_TEST"],
                   env={**os.environ, "LANG_TEST": "sent"})
        lines = done.stdout.decode().split("\n")
        self.assertTrue(lines[0].startswith("yes sent /"), done)
        self.assertEqual(lines[0].split()[2], lines[1])

    def test_big_streams_both_ways(self):
        data = os.urandom(5_000_000)
        done = ssh("cat", input=data)
        self.assertEqual(hashlib.sha256(done.stdout).digest(), hashlib.sha256(data).digest())
        done = ssh("wc -c; head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2", input=data)
        self.assertEqual((len(done.stdout), len(done.stderr)), (3_000_008, 3_000_000))

    def test_input_that_nobody_reads(self):
        self.assertEqual(ssh("exit 7", input=b"x" * 2_000_000).returncode, 7)
        self.assertEqual(ssh("head -c 3", input=b"abcdef" * 500_000).stdout, b"abc")

    def test_background_does_not_hold_the_session(self):
        start = time.monotonic()
        done = ssh("sleep 300 & echo $!")
        self.assertLess(time.monotonic() - start, 30)
        os.kill(int(done.stdout), 0)  # lives on, as after any logout
        os.kill(int(done.stdout), 9)

    def test_client_gone_hangs_up(self):
        client = subprocess.Popen(["ssh", *options(), target(), "echo $$; exec sleep 60"], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        pid = int(client.stdout.readline())
        client.kill()
        client.wait()
        client.stdout.close()
        deadline = time.monotonic() + 30
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(os.path.exists("/proc/%d" % pid))

    def test_many_at_once(self):
        clients = [subprocess.Popen(["ssh", *options(), target(), "echo %d" % i], stdout=subprocess.PIPE,
                                    stdin=subprocess.DEVNULL) for i in range(12)]
        for i, client in enumerate(clients):
            self.assertEqual(client.communicate(timeout=60)[0], b"%d\n" % i)

    def test_many_channels_of_one_connection(self):
        control = os.path.join(directory, "control")
        master = subprocess.Popen(["ssh", *options(), "-M", "-N", "-S", control, target()], stdin=subprocess.DEVNULL)
        while not os.path.exists(control):
            time.sleep(0.05)
        clients = [subprocess.Popen(["ssh", "-F", "none", "-S", control, target(), "head -c 300000 /dev/zero; echo %d" % i],
                                    stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) for i in range(8)]
        for i, client in enumerate(clients):
            self.assertTrue(client.communicate(timeout=60)[0].endswith(b"%d\n" % i))
        master.terminate()
        master.wait()


class Terminal(unittest.TestCase):
    def test_shell_resize_and_interrupt(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execvp("ssh", ["ssh", *options(), target()])

        def expect(text, timeout=60):
            seen = b""
            deadline = time.monotonic() + timeout
            while text not in seen:
                ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
                self.assertTrue(ready, (text, seen))
                seen += os.read(fd, 65536)
            return seen
        import fcntl
        import termios
        os.write(fd, b"PS1=; stty -echo; echo rea''dy\n")
        expect(b"ready")
        fcntl.ioctl(fd, termios.TIOCSWINSZ, b"\x28\x00\x65\x00\x00\x00\x00\x00")  # 40 rows, 101 columns
        os.kill(pid, 28)
        # What is typed may overtake the news of the size.
        os.write(fd, b"for i in $(seq 300); do [ \"$(stty size)\" = '40 101' ] && break; sleep 0.1; done; stty size; echo $TERM; tty\n")
        seen = expect(b"/dev/pts/")
        self.assertIn(b"40 101", seen)
        os.write(fd, b"PS1=prom''pt:; sh -c \"echo slee''ping; exec sleep 100\"\n")
        expect(b"sleeping")
        os.write(fd, b"\x03")
        expect(b"prompt:")  # what is typed before the shell is back is thrown away with the interrupt
        os.write(fd, "echo 'gr\u00fc\u00dfe'; exit 9\n".encode())
        expect("grüße".encode())
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9)
        os.close(fd)

    def test_command_on_terminal(self):
        done = ssh("test -t 0 && test -t 1 && echo terminal", before=["-tt"])
        self.assertIn(b"terminal\r\n", done.stdout)
        self.assertEqual(ssh("test -t 0").returncode, 1)


class Files(unittest.TestCase):
    def sftp(self, *lines):
        done = subprocess.run(["sftp", *options("-P"), "-b", "-", target()], input="\n".join(lines).encode(),
                              capture_output=True, timeout=60)
        return done

    def setUp(self):
        self.local = tempfile.mkdtemp(dir=directory)
        self.remote = tempfile.mkdtemp(dir=home)

    def path(self, name, remote=False):
        return os.path.join(self.remote if remote else self.local, name)

    def test_round_trip(self):
        data = os.urandom(3_000_001)
        with open(self.path("a"), "wb") as file:
            file.write(data)
        os.chmod(self.path("a"), 0o640)
        os.utime(self.path("a"), (1_600_000_000, 1_600_000_000))
        done = self.sftp("put -p %s %s" % (self.path("a"), self.path("b", True)),
                         "get -p %s %s" % (self.path("b", True), self.path("c")))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("c"), "rb") as file:
            self.assertEqual(file.read(), data)
        status = os.stat(self.path("b", True))
        self.assertEqual((stat.S_IMODE(status.st_mode), int(status.st_mtime)), (0o640, 1_600_000_000))

    def test_names_and_attributes(self):
        done = self.sftp("cd " + self.remote, "mkdir d", "lcd " + self.local, "!echo 1 > one", "put one d/one",
                         "rename d/one d/two", "symlink two d/link", "ln d/two d/hard", "chmod 600 d/two", "ls -la d",
                         "df .", "get d/link got", "rm d/link", "rm d/hard", "rm d/two", "rmdir d", "pwd")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"-rw-------   2 0", done.stdout)
        self.assertIn(self.remote.encode(), done.stdout)
        self.assertEqual(os.listdir(self.remote), [])
        with open(self.path("got")) as file:
            self.assertEqual(file.read(), "1\n")

    def test_failures_are_named(self):
        for line, text in (("get /no/such", b"not found"), ("rm /no/such", b"No such file"),
                           ("rmdir /proc", b"Failure"), ("mkdir " + self.remote, b"Failure"),
                           ("get %s x" % self.remote, b"not a regular file")):
            done = self.sftp(line)
            self.assertNotEqual(done.returncode, 0, line)
            self.assertIn(text, done.stderr + done.stdout, line)

    def test_many_entries(self):
        for i in range(1000):
            open(os.path.join(self.remote, "file-%04d-\u00fc" % i), "w").close()
        done = self.sftp("ls -1 " + self.remote)
        self.assertEqual(len([line for line in done.stdout.split(b"\n") if b"file-" in line]), 1000)

    def test_append_and_resume(self):
        data = os.urandom(400_000)
        with open(self.path("a"), "wb") as file:
            file.write(data)
        with open(self.path("b", True), "wb") as file:
            file.write(data[:150_000])
        done = self.sftp("reput %s %s" % (self.path("a"), self.path("b", True)))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("b", True), "rb") as file:
            self.assertEqual(file.read(), data)

    def test_scp(self):
        os.makedirs(self.path("tree/in"))
        for name in ("tree/x", "tree/in/y z"):
            with open(self.path(name), "wb") as file:
                file.write(os.urandom(70_000))
        for legacy in ([], ["-O"]):
            to = self.path("copy" + "".join(legacy), True)
            done = subprocess.run(["scp", *legacy, *options("-P"), "-r", self.path("tree"), "%s:%s" % (target(), to)],
                                  capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = subprocess.run(["diff", "-r", self.path("tree"), to])
            self.assertEqual(done.returncode, 0)

    @unittest.skipUnless(shutil.which("rsync"), "rsync is not installed")
    def test_rsync(self):
        os.makedirs(self.path("tree"))
        for i in range(50):
            with open(self.path("tree/%d" % i), "wb") as file:
                file.write(os.urandom(20_000))
        shell = "ssh " + " ".join(options())
        for _ in range(2):
            done = subprocess.run(["rsync", "-a", "--delete", "-e", shell, self.path("tree/"),
                                   "%s:%s/" % (target(), self.path("copy", True))], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            os.remove(self.path("tree/7")) if os.path.exists(self.path("tree/7")) else None
        self.assertEqual(subprocess.run(["diff", "-r", self.path("tree"), self.path("copy", True)]).returncode, 0)


class Forwarding(unittest.TestCase):
    def client(self, *arguments):
        client = subprocess.Popen(["ssh", *options(), "-N", "-o", "ExitOnForwardFailure=yes", *arguments, target()],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

        def end():
            # ssh forgets a signal that comes just before it waits for its connections.
            while client.poll() is None:
                client.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    client.wait(1)
            client.stderr.close()
        self.addCleanup(end)
        return client

    def echo_server(self):
        def serve(connection):
            while piece := connection.recv(65536):
                connection.sendall(piece)
        listener = tcp_listener()
        server = RawServer(listener, serve)
        self.addCleanup(server.close)
        port = listener.getsockname()[1]
        dial.places[port] = port
        return port

    def reach(self, port, first=b""):
        deadline = time.monotonic() + 30
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=60)
                connection.sendall(first)
                return connection
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def check_echo(self, connection):
        data = os.urandom(1_000_000)
        threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR))).start()
        got = b""
        while piece := connection.recv(65536):
            got += piece
        self.assertEqual(got, data)
        connection.close()

    def test_local(self):
        inside = self.echo_server()
        port = free_port()
        self.client("-L", "%d:localhost:%d" % (port, inside))
        for _ in range(3):
            self.check_echo(self.reach(port))

    def socks(self, port, host, inside):
        connection = self.reach(port, b"\x05\x01\x00")
        self.assertEqual(connection.recv(2), b"\x05\x00")
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + inside.to_bytes(2, "big"))
        return connection, connection.recv(10)[1:2]

    def test_dynamic_and_refused_places(self):
        inside = self.echo_server()
        port = free_port()
        self.client("-D", str(port))
        connection, status = self.socks(port, "localhost", inside)
        self.assertEqual(status, b"\x00")
        self.check_echo(connection)
        before = dial.dials
        for host in ("169.254.169.254", "10.0.0.1", "192.168.1.1", "example.com", "127.0.0.2", "0.0.0.0", "::ffff:10.0.0.1"):
            connection, status = self.socks(port, host, 80)
            self.assertNotEqual(status, b"\x00", host)
            connection.close()
        self.assertEqual(dial.dials, before)
        connection, status = self.socks(port, "localhost", 1)  # nothing listens
        self.assertNotEqual(status, b"\x00")
        connection.close()

    def test_remote(self):
        outside = self.echo_server()
        inside = free_port()
        self.client("-R", "%d:127.0.0.1:%d" % (inside, outside))
        for _ in range(3):
            self.check_echo(self.reach(inside))

    def test_remote_server_that_speaks_first(self):
        def serve(connection):
            connection.sendall(b"hello from outside")
        listener = tcp_listener()
        server = RawServer(listener, serve)
        self.addCleanup(server.close)
        inside = free_port()
        self.client("-R", "%d:127.0.0.1:%d" % (inside, listener.getsockname()[1]))
        connection = self.reach(inside)
        got = b""
        while piece := connection.recv(100):
            got += piece
        self.assertEqual(got, b"hello from outside")
        connection.close()

    def test_remote_port_in_use(self):
        listener = tcp_listener()
        client = self.client("-R", "%d:127.0.0.1:1" % listener.getsockname()[1])
        self.assertEqual(client.wait(60), 255)
        self.assertIn(b"remote port forwarding failed", client.stderr.read())
        listener.close()

    def test_no_agent_no_x11(self):
        done = ssh("echo agent=$SSH_AUTH_SOCK display=$DISPLAY", before=["-A", "-X"])
        self.assertIn(b"agent= display=\n", done.stdout)


class Tokens(unittest.TestCase):
    def test_wrong_ones_are_slow(self):
        start = time.monotonic()
        done = ssh("true", token="wrongwrongwrongwrongwrongwrongwr", before=["-o", "BatchMode=yes"])
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"Permission denied", done.stderr)
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_as_password(self):
        script = os.path.join(directory, "askpass")
        with open(script, "w") as file:
            file.write("#!/bin/sh\necho %s\n" % SSH_TOKEN)
        os.chmod(script, 0o700)
        done = ssh("echo in", token="daytona", env={**os.environ, "SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force"})
        self.assertEqual(done.stdout, b"in\n")

    def open_session(self, token):
        client = subprocess.Popen(["ssh", *options(), "-tt", target(token), "echo up; sleep 100"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(client.stdout.readline(), b"up\r\n")
        return client

    def test_session_ends_with_its_token(self):
        proxy.order(what="ssh", id=box, token="shortlived")
        client = self.open_session("shortlived")
        proxy.order(what="no-ssh", token="shortlived", id=box, check=True)
        _, told = client.communicate(timeout=60)
        self.assertIn(b"access token of this session has ended", told)
        self.assertEqual(ssh("true", token="shortlived", before=["-o", "BatchMode=yes"]).returncode, 255)

    def test_session_ends_with_its_sandbox(self):
        other = proxy.sandbox(os.path.join(directory, "toolbox.sock"))
        proxy.order(what="ssh", id=other, token="otherbox")
        client = self.open_session("otherbox")
        proxy.order(what="sandbox", id=other, state="stopped", socket="")
        _, told = client.communicate(timeout=60)
        self.assertIn(b"sandbox has stopped", told)
        done = ssh("true", token="otherbox")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"Sandbox is not started (state: stopped). Please start the sandbox before attempting to connect.",
                      done.stderr)

    def test_a_login_wakes_who_was_paused_for_idleness(self):
        other = proxy.sandbox(os.path.join(directory, "toolbox.sock"), state="paused")
        proxy.order(what="ssh", id=other, token="sleeper")
        self.addCleanup(proxy.order, what="wakes", on=False)
        self.assertIn(b"state: paused", ssh("true", token="sleeper").stderr)
        proxy.order(what="wakes", on=True)
        self.assertEqual(ssh("true", token="sleeper").returncode, 0)

    def test_same_host_key_after_a_restart(self):
        self.assertEqual(ssh("true").returncode, 0)
        second = Proxy(os.path.join(directory, "dial.sock"), directory)
        try:
            def key(port):
                lines = subprocess.run(["ssh-keyscan", "-p", str(port), "-t", "ed25519", "127.0.0.1"],
                                       capture_output=True, timeout=20).stdout.split(b"\n")
                return [line.split()[-1] for line in lines if b"ssh-ed25519" in line]
            self.assertEqual(key(proxy.ssh_port), key(second.ssh_port))
            self.assertEqual(len(key(second.ssh_port)), 1)
        finally:
            second.stop()
        for name in ("ssh_host_ed25519_key", "ssh_host_ecdsa_key"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(directory, name)).st_mode), 0o600)

    def test_old_algorithms_are_refused(self):
        for option in ("KexAlgorithms=diffie-hellman-group14-sha1", "Ciphers=aes128-cbc", "MACs=hmac-sha1"):
            done = ssh("true", before=["-o", option] + (["-o", "Ciphers=aes128-ctr"] if "MAC" in option else []))
            self.assertEqual(done.returncode, 255, option)

    def test_silent_and_garbled_connections(self):
        quiet = [socket.create_connection(("127.0.0.1", proxy.ssh_port)) for _ in range(10)]
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n" + b"\xff" * 5000, b"\0" * 10_000, b"SSH-1.5-x\r\n"):
            with socket.create_connection(("127.0.0.1", proxy.ssh_port), timeout=10) as connection:
                try:
                    connection.sendall(text)
                    while connection.recv(4096):
                        pass
                except (ConnectionError, TimeoutError):
                    pass
        self.assertEqual(ssh("echo alive").stdout, b"alive\n")
        for connection in quiet:
            connection.close()

    def test_guessing_is_stopped(self):
        guesser = Proxy(os.path.join(directory, "dial.sock"), directory)
        try:
            refused = 0
            for i in range(30):
                with socket.create_connection(("127.0.0.1", guesser.ssh_port), timeout=10) as connection:
                    if not connection.recv(10):
                        refused += 1
                if i < 16:
                    subprocess.run(["ssh", "-p", str(guesser.ssh_port), *options()[2:], "-o", "BatchMode=yes",
                                    "guess%d@127.0.0.1" % i, "true"], capture_output=True, stdin=subprocess.DEVNULL)
            self.assertGreater(refused, 10)
        finally:
            guesser.stop()


class Paramiko(unittest.TestCase):
    def setUp(self):
        try:
            import paramiko
        except ImportError:
            self.skipTest("paramiko is not installed")
        self.transport = paramiko.Transport(("127.0.0.1", proxy.ssh_port))
        self.transport.start_client(timeout=10)
        self.addCleanup(self.transport.close)

    def test_everything(self):
        import paramiko
        self.transport.auth_none(SSH_TOKEN)
        channel = self.transport.open_session()
        channel.exec_command("cat; exit 3")
        channel.sendall(b"through paramiko")
        channel.shutdown_write()
        self.assertEqual(channel.makefile().read(), b"through paramiko")
        self.assertEqual(channel.recv_exit_status(), 3)
        with paramiko.SFTPClient.from_transport(self.transport) as sftp:
            with sftp.open(home + "/from-paramiko", "w") as file:
                file.write("x" * 200_000)
            self.assertEqual(sftp.stat(home + "/from-paramiko").st_size, 200_000)
            self.assertIn("from-paramiko", sftp.listdir(home))
            with self.assertRaises(FileNotFoundError):
                sftp.open("/no/such")
            sftp.truncate(home + "/from-paramiko", 5)
            self.assertEqual(sftp.open(home + "/from-paramiko").read(), b"xxxxx")
            sftp.posix_rename(home + "/from-paramiko", home + "/renamed")
            sftp.remove(home + "/renamed")
            self.assertEqual(sftp.normalize("."), os.path.expanduser("~"))

    def test_any_key_with_the_token(self):
        import paramiko
        self.transport.auth_publickey(SSH_TOKEN, paramiko.ECDSAKey.generate())
        channel = self.transport.open_session()
        channel.exec_command("echo ok")
        self.assertEqual(channel.makefile().read(), b"ok\n")

    def test_wrong(self):
        import paramiko
        with self.assertRaises(paramiko.SSHException):
            self.transport.auth_none("nobody")
        with self.assertRaises(paramiko.SSHException):
            self.transport.open_session(timeout=5)


if __name__ == "__main__":
    unittest.main()
