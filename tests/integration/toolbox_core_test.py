"""Commands, code, files and information of a stand-alone toolbox, as a client sees them.
Run: python3 toolbox_core_test.py [-k name]. As root it tests more: other users, full disks, memory limits, foreign roots."""
import concurrent.futures
import contextlib
import http.server
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import string
import subprocess
import tempfile
import threading
import time
import unittest
from urllib.parse import quote

from slow_files import SlowFile
from toolbox_client import Toolbox, read_answer

ROOT_ONLY = unittest.skipUnless(os.geteuid() == 0, "SKIP: needs root")
NOBODY = 65534


def eventually(check, seconds=30):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError("did not come true in time")
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def multipart(parts, boundary="b0undary"):
    """parts: (name, filename or None, bytes)"""
    body = b""
    for name, filename, data in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class ToolboxCase(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.toolbox = Toolbox(**cls.settings)
        cls.home = cls.toolbox.home

    @classmethod
    def tearDownClass(cls):
        cls.toolbox.close()

    def execute(self, command, **more):
        return self.toolbox.post("/process/execute", {"command": command, **more})

    def check_error(self, answer, status, code=None, message=None):
        self.assertEqual(answer.status, status, answer.body)
        body = answer.json
        self.assertEqual(list(body), ["statusCode", "message", "code", "timestamp", "path", "method", "source"])
        self.assertEqual(body["statusCode"], status)
        self.assertEqual(body["source"], "DAYTONA_DAEMON")
        self.assertRegex(body["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        if code:
            self.assertEqual(body["code"], code)
        if message:
            self.assertIn(message, body["message"])
        return body


class Execute(ToolboxCase):
    settings = {"shells": ["/bin/sh", "/bin/bash"]} if os.geteuid() == 0 else {}

    def result(self, command, exit_code=0, **more):
        answer = self.execute(command, **more)
        self.assertEqual(answer.status, 200, answer.body)
        body = answer.json
        self.assertEqual(body["exitCode"], exit_code, body)
        return body["result"]

    def test_wire(self):
        answer = self.execute("echo hi")
        self.assertEqual(answer.body, b'{"exitCode":0,"result":"hi\\n"}')
        self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")

    def test_streams_merge_and_codes(self):
        self.assertEqual(self.result("echo a; echo b >&2; exit 3", 3), "a\nb\n")
        self.assertEqual(self.result("true"), "")
        self.assertEqual(self.result("kill -9 $$", 137), "")
        self.assertIn("not found", self.result("no-such-program", 127))

    def test_script_on_standard_input(self):
        self.assertEqual(self.result("read x\nignored line\necho \"[$x]\""), "[ignored line]\n")
        self.assertEqual(self.result("cat; echo after"), "after\n")
        self.assertEqual(self.result("for i in 1 2; do\necho $i\ndone"), "1\n2\n")
        self.assertEqual(self.result("cat <<'E'\n$x `y` \"\\\nE"), "$x `y` \"\\\n")
        broken = self.execute("if").json
        self.assertGreater(broken["exitCode"], 0)
        self.assertRegex(broken["result"], "syntax error|parse error")
        long_script = "".join(f"echo {i}\n" for i in range(20_000))
        self.assertEqual(self.result(long_script), "".join(f"{i}\n" for i in range(20_000)))

    def test_no_terminal_and_nothing_inherited(self):
        self.assertEqual(self.result("test -t 0 || test -t 1 || echo no"), "no\n")
        listing = self.result("ls /proc/self/fd").split()
        self.assertEqual(listing[:3], ["0", "1", "2"])
        self.assertLessEqual(len(listing), 4)

    def test_environment(self):
        environment = dict(line.split("=", 1) for line in self.result("env").splitlines())
        for name in ("PATH", "HOME", "USER", "LOGNAME", "SHELL"):
            self.assertIn(name, environment)
        self.assertEqual(self.result("echo \"$A $HOME\"", envs={"A": "x y", "HOME": "/h"}), "x y /h\n")
        for name in ("1A", "A-B", "", "A B", "A=B", "ä"):
            self.check_error(self.execute("true", envs={name: "x"}), 400, "BAD_REQUEST", f"invalid environment variable name: '{name}'")
        self.check_error(self.execute("true", envs={"A": 1}), 400, "INVALID_REQUEST_BODY")

    def test_text_is_utf8_unless_somebody_says_otherwise(self):
        show = "locale charmap; echo ${LANG-none} ${LC_ALL-none} ${LC_CTYPE-none}"
        for envs, expected in (({}, "UTF-8\nnone none C.UTF-8\n"), ({"LANG": "C"}, "ANSI_X3.4-1968\nC none none\n"),
                               ({"LC_ALL": "C"}, "ANSI_X3.4-1968\nnone C none\n"), ({"LC_CTYPE": "C"}, "ANSI_X3.4-1968\nnone none C\n"),
                               ({"LANG": "C.UTF-8"}, "UTF-8\nC.UTF-8 none none\n")):
            self.assertEqual(self.result(show, envs=envs), expected)
        self.assertEqual(self.result("x=äöü; echo ${#x}"), "3\n")

    def test_directories(self):
        self.assertEqual(self.result("pwd"), self.home + "\n")
        self.assertEqual(self.result("pwd", cwd="/"), "/\n")
        os.makedirs(self.home + "/sub", exist_ok=True)
        self.assertEqual(self.result("pwd", cwd="sub"), self.home + "/sub\n")
        self.assertEqual(self.result("pwd", cwd=""), self.home + "\n")
        for cwd in ("/nonexistent", "/etc/passwd"):
            self.assertIn(cwd, self.result("true", -1, cwd=cwd))
        self.check_error(self.execute("true", cwd="a\0b"), 400)

    def test_timeout(self):
        begin = time.monotonic()
        answer = self.execute("sleep 100 & echo $! > pid; wait", timeout=1)
        self.check_error(answer, 408, "PROCESS_EXECUTION_TIMEOUT", "request timeout: command execution timeout")
        self.assertLess(time.monotonic() - begin, 20)
        with open(self.home + "/pid") as file:
            pid = int(file.read())
        eventually(lambda: not alive(pid))
        # `timeout` makes a process group of its own.
        self.check_error(self.execute("timeout 100 sleep 100 & echo $! > pid; wait", timeout=1), 408)
        with open(self.home + "/pid") as file:
            pid = int(file.read())
        eventually(lambda: not alive(pid))
        self.assertEqual(self.result("echo fast", timeout=10), "fast\n")
        self.assertEqual(self.result("echo none", timeout=0), "none\n")
        for timeout in (-1, "1", 1.5):
            self.check_error(self.execute("true", timeout=timeout), 400, "INVALID_REQUEST_BODY")

    def test_background_children(self):
        begin = time.monotonic()
        pid = int(self.result("sleep 100 & echo $!"))
        self.assertLess(time.monotonic() - begin, 20)
        self.assertTrue(alive(pid))
        os.kill(pid, 9)
        # What comes soon after the end is waited for; a machine with much to do may be late itself, but not each time.
        self.assertIn("now\nlate\n", (self.result("(sleep 0.1; echo late) & echo now") for _ in range(10)))
        # It may go on printing without being killed by a closed pipe.
        words = self.result("(while echo x; do sleep 0.05; done) & echo $!").split()
        pid = next(int(word) for word in words if word != "x")
        time.sleep(1)
        self.assertTrue(alive(pid))
        os.kill(pid, 9)

    def test_client_gone(self):
        connection = self.toolbox.connect()
        body = json.dumps({"command": "setsid sleep 100 & sleep 101 & echo $$ $! > gone; wait"}).encode()
        connection.sendall(b"POST /process/execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        path = self.home + "/gone"
        eventually(lambda: os.path.exists(path) and os.path.getsize(path) > 3)
        with open(path) as file:
            pids = [int(pid) for pid in file.read().split()]
        self.assertTrue(all(alive(pid) for pid in pids))
        connection.close()
        eventually(lambda: not any(alive(pid) for pid in pids))

    def test_large_output(self):
        answer = self.execute("yes 'äöü <&>' | head -c 20000000")
        self.assertEqual(answer.status, 200)
        text = answer.json["result"]
        self.assertEqual(len(text.encode()), 20_000_000)
        answer = self.execute("head -c 80000000 /dev/zero | tr '\\0' x")
        self.assertEqual(len(answer.json["result"]), 64 << 20)
        self.assertTrue(answer.json["truncated"])

    def test_answers_that_nobody_takes(self):
        body = b'{"command":"head -c 60000000 /dev/zero"}'
        waiting = [self.toolbox.connect() for _ in range(5)]
        for connection in waiting:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"POST /process/execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertTrue(all(connection.recv(9) for connection in waiting))
        self.assertEqual(self.execute("echo much").json, {"exitCode": 0, "result": "", "truncated": True})
        for connection in waiting:
            connection.close()
        eventually(lambda: self.result("echo again") == "again\n")

    def test_bytes_that_are_no_text(self):
        self.assertEqual(self.result("printf 'a\\377b\\000c'"), "a\ufffdb\0c")

    def test_bad_bodies(self):
        for body in (b"", b"{}", b'{"command":""}', b'{"command":null}'):
            self.check_error(self.toolbox.post("/process/execute", body), 400, "BAD_REQUEST", "command is required")
        for body in (b"{", b"[]", b'"x"', b'{"command":1}', b'{"command":"x","cwd":1}', b'{"command":"x","envs":[]}',
                     b'{"command":"x","command":"y"}', b'{"command":"\xff"}', b"\x00"):
            self.check_error(self.toolbox.post("/process/execute", body), 400, "INVALID_REQUEST_BODY")
        self.assertEqual(self.result("echo ok", unknown=1), "ok\n")

    def test_many_at_once(self):
        answers = []
        threads = [threading.Thread(target=lambda i=i: answers.append(self.result(f"echo {i}"))) for i in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answers), sorted(f"{i}\n" for i in range(100)))


class CodeRun(ToolboxCase):
    def run_code(self, code, language="python", **more):
        answer = self.toolbox.post("/process/code-run", {"code": code, "language": language, **more})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def test_python(self):
        self.assertEqual(self.run_code("print(1)"), {"exitCode": 0, "result": "1\n"})
        self.assertEqual(self.run_code("import sys; print(sys.argv, __name__)", argv=["a b", "$HOME"])["result"],
                         "['-', 'a b', '$HOME'] __main__\n")
        failed = self.run_code("def f():\n    raise ValueError('ä')\nf()")
        self.assertEqual(failed["exitCode"], 1)
        self.assertEqual(failed["result"], 'Traceback (most recent call last):\n  File "<stdin>", line 3, in <module>\n'
                                           '  File "<stdin>", line 2, in f\nValueError: ä\n')
        self.assertEqual(self.run_code("import sys; sys.exit(7)")["exitCode"], 7)
        self.assertIn("EOFError", self.run_code("input()")["result"])
        self.assertEqual(self.run_code("import os; print(os.environ['A'])", envs={"A": "b"})["result"], "b\n")
        self.assertEqual(self.run_code("x = '" + "y" * 200_000 + "'\nprint(len(x))")["result"], "200000\n")

    def test_timeout(self):
        answer = self.toolbox.post("/process/code-run", {"code": "import time; time.sleep(60)", "language": "python", "timeout": 1})
        self.check_error(answer, 408, "PROCESS_EXECUTION_TIMEOUT")

    @unittest.skipUnless(shutil.which("node"), "SKIP: no node")
    def test_javascript(self):
        self.assertEqual(self.run_code("console.log(1, process.argv.slice(1))", "javascript", argv=["x", "y z"]),
                         {"exitCode": 0, "result": "1 [ 'x', 'y z' ]\n"})
        failed = self.run_code("throw new Error('boom')", "javascript")
        self.assertEqual(failed["exitCode"], 1)
        self.assertIn("Error: boom", failed["result"])
        self.assertEqual(self.run_code("process.exit(9)", "javascript")["exitCode"], 9)

    def test_missing_interpreter(self):
        answer = self.run_code("print(1)", envs={"PATH": "/nonexistent"})
        self.assertEqual(answer, {"exitCode": 127, "result": "python3: command not found\n"})

    def test_bad(self):
        for language in ("", "ruby", "PYTHON"):
            answer = self.toolbox.post("/process/code-run", {"code": "x", "language": language})
            self.check_error(answer, 400, "BAD_REQUEST", "unsupported language: " + language)
        self.check_error(self.toolbox.post("/process/code-run", {"language": "python"}), 400)
        for body in ({"code": 1, "language": "python"}, {"code": "x", "language": "python", "argv": "y"},
                     {"code": "x", "language": "python", "argv": [1]}):
            self.check_error(self.toolbox.post("/process/code-run", body), 400, "INVALID_REQUEST_BODY")

    def test_marker_lines(self):
        code = "# import matplotlib\nprint('dtn_artifact_k39fd2:{}')"
        self.assertEqual(self.run_code(code)["result"], "dtn_artifact_k39fd2:{}\n")

    @unittest.skipUnless(os.environ.get("SEBRING_TEST_PYTHON"), "SKIP: SEBRING_TEST_PYTHON names no directory with a python3 that has matplotlib")
    def test_charts(self):
        code = """
import matplotlib.pyplot as plt
print('before')
plt.plot([1, 2], [3, 4], label='l'); plt.title('T'); plt.xlabel('X'); plt.show()
plt.scatter([1], [2]); plt.show()
plt.bar(['a'], [2]); plt.show()
plt.pie([1, 3], labels=['p', 'q']); plt.show()
plt.boxplot([[1, 2, 3, 100]]); plt.show()
fig, axes = plt.subplots(1, 2); axes[0].plot([1]); axes[1].bar([1], [1]); fig.suptitle('S'); plt.show()
print('after')
"""
        answer = self.run_code(code, envs={"PATH": os.environ["SEBRING_TEST_PYTHON"] + ":" + os.environ["PATH"]})
        self.assertEqual(answer["result"], "before\nafter\n")
        charts = answer["artifacts"]["charts"]
        self.assertEqual([chart["type"] for chart in charts], ["line", "scatter", "bar", "pie", "box_and_whisker", "composite_chart"])
        self.assertEqual(charts[0]["elements"], [{"label": "l", "points": [[1.0, 3.0], [2.0, 4.0]]}])
        self.assertEqual((charts[0]["title"], charts[0]["x_label"], charts[0]["x_scale"]), ("T", "X", "linear"))
        self.assertEqual(charts[3]["elements"][1], {"label": "q", "angle": 270.0, "radius": 1})
        self.assertEqual(charts[4]["elements"][0]["outliers"], [100])
        self.assertEqual([part["type"] for part in charts[5]["elements"]], ["line", "bar"])
        self.assertTrue(all(chart["png"].startswith("iVBOR") for chart in charts))


class Files(ToolboxCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.home)
        self.name = os.path.basename(self.folder)

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def test_downloads_that_nobody_reads(self):
        with open(self.folder + "/large", "wb") as file:
            file.truncate(64 << 20)

        def processor_time():
            with open(f"/proc/{self.toolbox.process.pid}/stat") as file:
                return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))  # hundredths of a second
        with contextlib.ExitStack() as stack:
            for _ in range(64):
                stalled = stack.enter_context(self.toolbox.connect())
                stalled.sendall(f"GET /files/download?path={self.folder}/large HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.assertTrue(stalled.recv(100).startswith(b"HTTP/1.1 200"))
            before = processor_time()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for answer in pool.map(lambda _: self.toolbox.get("/files?path=" + self.folder), range(4)):
                    self.check_error(answer, 503)
                    self.assertIn("64 file operations", answer.json["message"])
            self.assertLess(processor_time() - before, 200)
            stalled.close()
            eventually(lambda: self.toolbox.get("/files?path=" + self.folder).status == 200)

    def put(self, name, data=b"hello\n"):
        path = self.folder + "/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def read(self, name):
        with open(self.folder + "/" + name, "rb") as file:
            return file.read()

    def q(self, endpoint, method="GET", **parameters):
        query = "&".join(f"{name}={quote(os.fsencode(value))}" for name, value in parameters.items())
        return self.toolbox.request(method, f"/files{endpoint}?{query}")

    def test_info(self):
        path = self.put("a.txt")
        os.chmod(path, 0o640)
        os.utime(path, ns=(0, 1_700_000_000_123_456_000))
        info = self.q("/info", path=path).json
        self.assertEqual(info, {"name": "a.txt", "path": path, "size": 6, "mode": "-rw-r-----",
                                "modTime": "2023-11-14 22:13:20.123456 +0000 UTC",
                                "modifiedAt": "2023-11-14T22:13:20.123456Z", "isDir": False, "owner": str(os.geteuid()),
                                "group": str(os.getegid()), "permissions": "0640"})
        self.assertEqual(self.q("/info", path=self.name + "/a.txt").json["size"], 6)
        self.assertTrue(self.q("/info", path=self.folder + "/").json["isDir"])
        old = self.toolbox.get(f"/files/info?path={path}", headers={"X-Daytona-Source": "sdk-go", "X-Daytona-SDK-Version": "v0.187.0"})
        self.assertNotIn("path", old.json)

    def test_errors(self):
        os.symlink("loop", self.folder + "/loop")
        self.put("plain")
        for path, status, code in (("nope", 404, "FILE_NOT_FOUND"), (self.folder + "/loop", 400, "INVALID_FILE_PATH"),
                                   (self.folder + "/plain/x", 400, "INVALID_FILE_PATH"), ("x" * 300, 400, "INVALID_FILE_PATH"),
                                   ("a\0b", 400, "INVALID_FILE_PATH")):
            self.check_error(self.q("/info", path=path), status, code)
            self.check_error(self.q("/download", path=path), status, code)
        self.check_error(self.q("/info"), 400, "INVALID_FILE_PATH", "path is required")
        self.check_error(self.toolbox.get("/files/nope"), 404, "NOT_FOUND")
        self.check_error(self.toolbox.request("PATCH", "/files"), 405)

    def test_list(self):
        self.put("b")
        self.put("a/c")
        os.symlink("/etc", self.folder + "/link")
        os.mkfifo(self.folder + "/fifo")
        with open(os.fsencode(self.folder) + b"/bad\xff", "wb"):
            pass
        for path in ("/files?path=" + self.folder, "/files/?path=" + self.folder, "/files?path=" + self.name):
            entries = self.toolbox.get(path).json
            self.assertEqual([(entry["name"], entry["mode"][0]) for entry in entries],
                             [("a", "d"), ("b", "-"), ("bad\ufffd", "-"), ("fifo", "p"), ("link", "L")])
        deep = self.toolbox.get(f"/files?path={self.folder}&depth=2").json
        self.assertIn(self.folder + "/a/c", [entry["path"] for entry in deep])
        for depth in ("0", "-1", "x"):
            self.check_error(self.toolbox.get(f"/files?path={self.folder}&depth={depth}"), 400)
        self.check_error(self.q("", path=self.folder + "/b"), 400, "INVALID_FILE_PATH")
        self.assertIn(self.name, [entry["name"] for entry in self.toolbox.get("/files").json])
        self.assertEqual(self.q("/info", path=os.fsencode(self.folder) + b"/bad\xff").status, 200)

    def test_order_of_names(self):
        names = [b"a", b"A", b"a\xff", b"a\x01", b"\xc3\xa4", b"12345678", b"123456789", b"1234567", b"12345678\x01", b"-", b"~", b"aaaaaaaab", b"aaaaaaaaa"]
        for name in names:
            with open(os.fsencode(self.folder) + b"/" + name, "wb"):
                pass
        entries = self.q("", path=self.folder).json
        self.assertEqual([entry["name"] for entry in entries], [name.decode("utf-8", "replace") for name in sorted(names)])

    def test_entries_that_vanish_while_listed(self):
        ended = threading.Event()

        def change():
            while not ended.is_set():
                for i in range(0, 4000, 3):
                    open(f"{self.folder}/moving-{i:06}", "w").close()
                    os.unlink(f"{self.folder}/moving-{i:06}")
        for i in range(4000):
            open(f"{self.folder}/staying-{i:06}", "w").close()
        changer = threading.Thread(target=change)
        changer.start()
        try:
            for _ in range(10):
                names = [entry["name"] for entry in self.q("", path=self.folder).json]
                self.assertEqual([name for name in names if name[0] == "s"], [f"staying-{i:06}" for i in range(4000)])
                self.assertEqual(names, sorted(names))
        finally:
            ended.set()
            changer.join()

    def test_huge_directory(self):
        for i in range(20_000):
            os.close(os.open(f"{self.folder}/file-{i:06}", os.O_CREAT | os.O_WRONLY))
        entries = self.q("", path=self.folder).json
        self.assertEqual([entry["name"] for entry in entries], [f"file-{i:06}" for i in range(20_000)])
        # Others are served meanwhile.
        self.assertEqual(len(self.q("/search", path=self.folder, pattern="*1").json["files"]), 2_000)
        self.assertEqual(self.q("", "DELETE", path=self.folder, recursive="true").status, 204)

    def test_folder(self):
        self.assertEqual(self.q("/folder", "POST", path=self.folder + "/x/y", mode="700").status, 201)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/x/y").st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/x").st_mode), 0o755)
        self.assertEqual(self.q("/folder", "POST", path=self.folder + "/x/y").status, 201)
        self.put("f")
        self.check_error(self.q("/folder", "POST", path=self.folder + "/f"), 400, "INVALID_FILE_PATH")
        for mode in ("9", "x", "-1", "77777"):
            self.check_error(self.q("/folder", "POST", path=self.folder + "/z", mode=mode), 400)

    def test_delete(self):
        self.put("d/e/f")
        self.check_error(self.q("", "DELETE", path=self.folder + "/d"), 400, None, "recursive")
        os.symlink(self.folder + "/d", self.folder + "/link")
        self.assertEqual(self.q("", "DELETE", path=self.folder + "/link").status, 204)
        self.assertTrue(os.path.exists(self.folder + "/d/e/f"))
        answer = self.q("", "DELETE", path=self.folder + "/d", recursive="true")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.check_error(self.q("", "DELETE", path=self.folder + "/d", recursive="true"), 404, "FILE_NOT_FOUND")
        for path in ("/", "//", "/tmp/..", "/tmp/."):
            self.check_error(self.q("", "DELETE", path=path, recursive="true"), 400, "INVALID_FILE_PATH")

    def test_move(self):
        self.put("a", b"1")
        self.put("b", b"2")
        self.check_error(self.q("/move", "POST", source=self.folder + "/a", destination=self.folder + "/b"), 409, "CONFLICT")
        self.check_error(self.q("/move", "POST", source=self.folder + "/nope", destination=self.folder + "/c"), 404, "FILE_NOT_FOUND")
        self.check_error(self.q("/move", "POST", source=self.folder + "/a", destination=self.folder + "/no/c"), 404, "FILE_NOT_FOUND")
        self.check_error(self.q("/move", "POST", source=self.folder, destination=self.folder + "/inside"), 400)
        answer = self.q("/move", "POST", source=self.folder + "/a", destination=self.name + "/c")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.read("c"), b"1")
        self.check_error(self.q("/move", "POST", source=self.folder), 400)

    def test_move_between_file_systems(self):
        self.put("tree/x/y", b"1")
        os.symlink("x", self.folder + "/tree/l")
        target = tempfile.mkdtemp(dir="/dev/shm")
        try:
            self.assertEqual(self.q("/move", "POST", source=self.folder + "/tree", destination=target + "/moved").status, 200)
            self.assertFalse(os.path.exists(self.folder + "/tree"))
            with open(target + "/moved/l/y") as file:
                self.assertEqual(file.read(), "1")
            self.assertEqual(os.listdir(target), ["moved"])
        finally:
            shutil.rmtree(target)

    def test_move_of_anything_between_file_systems(self):
        tree = self.folder + "/tree"
        self.put("tree/f", b"1")
        os.chmod(tree + "/f", 0o4750)
        os.symlink("f", tree + "/l")
        os.mkfifo(tree + "/pipe", 0o640)
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(tree + "/socket")
        if os.geteuid() == 0:
            for name in ("", "/f", "/l", "/pipe"):
                os.chown(tree + name, NOBODY, NOBODY - 1, follow_symlinks=False)
            os.chmod(tree + "/f", 0o4750)
            os.mknod(tree + "/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))

        def seen(top):
            statuses = {name: os.lstat(os.path.join(top, name)) for name in ["", *os.listdir(top)]}
            return {name: (status.st_mode, status.st_uid, status.st_gid, status.st_rdev) for name, status in statuses.items()}
        before = seen(tree)
        target = tempfile.mkdtemp(dir="/dev/shm")
        try:
            self.assertEqual(self.q("/move", "POST", source=tree, destination=target + "/moved").status, 200)
            self.assertFalse(os.path.exists(tree))
            self.assertEqual(seen(target + "/moved"), before)
        finally:
            shutil.rmtree(target)

    def test_move_of_a_deep_tree_between_file_systems(self):
        """As deep as it can be copied, or refused with nothing left behind: no end of the worker half-way."""
        target = tempfile.mkdtemp(dir="/dev/shm")
        try:
            for levels, status in ((1800, 200), (2200, 400)):
                top = f"{self.folder}/deep{levels}"
                os.mkdir(top)
                below = os.open(top, os.O_RDONLY)
                for _ in range(levels):
                    os.mkdir("d", dir_fd=below)
                    above, below = below, os.open("d", os.O_RDONLY, dir_fd=below)
                    os.close(above)
                os.close(below)
                answer = self.q("/move", "POST", source=top, destination=target + "/moved")
                self.assertEqual(answer.status, status, answer.body)
                self.assertEqual(os.listdir(target), ["moved"] if status == 200 else [])
                self.assertEqual(os.path.exists(top), status != 200)
                if status == 200:
                    self.assertEqual(self.q("", "DELETE", path=target + "/moved", recursive="true").status, 204)
            self.assertEqual(self.q("", "DELETE", path=top, recursive="true").status, 204)
        finally:
            subprocess.run(["rm", "-rf", target], check=True)

    def test_permissions(self):
        path = self.put("a")
        answer = self.q("/permissions", "POST", path=path, mode="0600", owner=str(os.geteuid()), group=str(os.getegid()))
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.check_error(self.q("/permissions", "POST", path=path, owner="no-such-user"), 400, None, "invalid owner")
        self.check_error(self.q("/permissions", "POST", path=path, group="no-such-group"), 400, None, "invalid group")
        self.check_error(self.q("/permissions", "POST", path=path, mode="8"), 400)
        self.check_error(self.q("/permissions", "POST", path="nope", mode="600"), 404, "FILE_NOT_FOUND")

    def test_download(self):
        path = self.put("a \"b\".txt", b"0123456789")
        answer = self.q("/download", path=path)
        self.assertEqual((answer.status, answer.body), (200, b"0123456789"))
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        self.assertEqual(answer.headers["content-disposition"],
                         'attachment; filename="a \\"b\\".txt"; filename*=utf-8\'\'a%20%22b%22.txt')
        self.assertEqual(answer.headers["content-length"], "10")
        url = "/files/download?path=" + quote(path)
        for header, status, body, content_range in (("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=8-", 206, b"89", "bytes 8-9/10"),
                                                    ("bytes=-2", 206, b"89", "bytes 8-9/10"),
                                                    ("bytes=1-2,4-5", 200, b"0123456789", None), ("nonsense", 200, b"0123456789", None)):
            answer = self.toolbox.get(url, headers={"Range": header})
            self.assertEqual((answer.status, answer.body, answer.headers.get("content-range")), (status, body, content_range))
        beyond = self.toolbox.get(url, headers={"Range": "bytes=99-"})
        self.check_error(beyond, 416, "BAD_REQUEST", "10 bytes")
        self.assertEqual(beyond.headers["content-range"], "bytes */10")
        modified = self.toolbox.get(url).headers["last-modified"]
        self.assertEqual(self.toolbox.get(url, headers={"Range": "bytes=1-1", "If-Range": modified}).status, 206)
        self.assertEqual(self.toolbox.get(url, headers={"Range": "bytes=1-1", "If-Range": "Mon, 01 Jan 2001 00:00:00 GMT"}).status, 200)
        connection = self.toolbox.connect()
        connection.sendall(f"HEAD {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertIn(b"Content-Length: 10\r\n", connection.recv(65536))
        connection.close()

    def test_download_of_names_with_control_characters(self):
        name = "a\x01\t\x1b\x7f\nb"
        path = self.put(name, b"data")
        answer = self.q("/download", path=path)
        self.assertEqual((answer.status, answer.body), (200, b"data"))
        self.assertEqual(answer.headers["content-disposition"],
                         'attachment; filename="a_____b"; filename*=utf-8\'\'a%01%09%1B%7F%0Ab')
        answer = self.toolbox.post("/files/bulk-download", {"paths": [path]})
        self.assertIn(f'filename="{self.folder}/a_____b"; filename*=utf-8'.encode(), answer.body)

    def test_large_downloads(self):
        data = os.urandom(3 * (1 << 20) + 123)  # much more than a pipe holds
        path = self.put("large", data)
        url = "/files/download?path=" + quote(path)
        connection = self.toolbox.connect()
        for first, last in ((0, len(data) - 1), (1, 524288), (0, 524286), (4095, 2_000_001), (len(data) - 600_000, len(data) - 1)):
            answer = self.toolbox.get(url, headers={"Range": f"bytes={first}-{last}"}, connection=connection)
            self.assertEqual((answer.status, len(answer.body)), (206, last - first + 1))
            self.assertTrue(answer.body == data[first:last + 1], (first, last))
        connection.close()
        other = self.put("other", data[::-1])
        answer = self.toolbox.post("/files/bulk-download", {"paths": [path, other, path]})
        self.assertEqual((answer.body.count(data), answer.body.count(data[::-1])), (2, 1))
        for taken in (1, 100_000):  # leaves in the middle: nothing of it comes to the next one
            connection = self.toolbox.connect()
            connection.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(taken)
            connection.close()
            self.assertTrue(self.q("/download", path=other).body == data[::-1])
        old = subprocess.run(["curl", "-s", "--http1.0", "--unix-socket", self.toolbox.path, "http://x" + url], capture_output=True)
        self.assertTrue(old.stdout == data)

    def test_download_of_what_is_no_plain_file(self):
        os.mkfifo(self.folder + "/fifo")
        for path in (self.folder + "/fifo", "/dev/zero", "/dev/null", self.folder):
            begin = time.monotonic()
            self.check_error(self.q("/download", path=path), 400, "INVALID_FILE_PATH")
            self.assertLess(time.monotonic() - begin, 20)
        self.assertTrue(self.q("/download", path="/proc/self/status").body.startswith(b"Name:\t"))
        page = "/sys/kernel/mm/transparent_hugepage/enabled"  # claims a page, has a line
        if os.path.exists(page):
            with open(page, "rb") as file:
                self.assertEqual(self.q("/download", path=page).body, file.read())
        sparse = self.put("sparse", b"")
        os.truncate(sparse, 50_000_000)
        self.assertEqual(len(self.q("/download", path=sparse).body), 50_000_000)

    def test_the_daemon_is_out_of_reach(self):
        # What serves files is another program than the daemon, whose layout and descriptors stay unknown.
        daemon = self.toolbox.process.pid
        self.assertNotEqual(self.q("/download", path="/proc/self/status").body, self.q("/download", path=f"/proc/{daemon}/status").body)

    def test_download_of_a_file_that_shrinks(self):
        path = self.put("shrinks", b"x" * 40_000_000)
        connection = self.toolbox.connect()
        connection.sendall(f"GET /files/download?path={path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(1000)
        os.truncate(path, 1000)
        with self.assertRaises(EOFError):
            read_answer(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
        connection.close()

    @ROOT_ONLY
    def test_a_disk_that_hangs_holds_up_nobody_else(self):
        os.mkdir(self.folder + "/slow")
        with SlowFile(self.folder + "/slow", 16 << 20, quick=6 << 20, seconds=60) as slow:
            connection = self.toolbox.connect()
            connection.sendall(f"GET /files/download?path={slow.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            # Slower than the disk at first, so that some of the file waits in the daemon's hands when the disk hangs.
            taker = threading.Thread(target=lambda: [time.sleep(0.002) for _ in iter(lambda: connection.recv(16384), b"")])
            taker.start()
            self.assertTrue(slow.waiting.wait(30))
            for _ in range(20):
                begin = time.monotonic()
                self.assertEqual(self.toolbox.get("/version").status, 200)
                self.assertLess(time.monotonic() - begin, 10)
                time.sleep(0.05)
            connection.shutdown(socket.SHUT_RDWR)
            taker.join()
            connection.close()

    def test_bulk_download(self):
        self.put("a.txt", b"A")
        self.put("empty", b"")
        names = [self.name + "/a.txt", "nope", self.folder + "/empty", "a\0b", self.folder]
        answer = self.toolbox.post("/files/bulk-download", {"paths": names})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "multipart/form-data; boundary=DAYTONA-FILE-BOUNDARY")
        parts = answer.body.split(b"--DAYTONA-FILE-BOUNDARY")
        self.assertEqual((parts[0], parts[-1]), (b"", b"--\r\n"))
        self.assertEqual(parts[1], f'\r\nContent-Disposition: form-data; name="file"; filename="{names[0]}"; '
                         f"filename*=utf-8''{quote(names[0], safe='')}\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         "Content-Length: 1\r\n\r\nA\r\n".encode())
        kinds = [re.search(rb'name="(\w+)"', part).group(1) for part in parts[1:-1]]
        self.assertEqual(kinds, [b"file", b"error", b"file", b"error", b"error"])
        error = json.loads(parts[2].split(b"\r\n\r\n", 1)[1])
        self.assertEqual((error["statusCode"], error["code"]), (404, "FILE_NOT_FOUND"))
        for body in ({"paths": []}, {}):
            self.check_error(self.toolbox.post("/files/bulk-download", body), 400)
        for body in (b"{", {"paths": "x"}, {"paths": [1]}):
            self.check_error(self.toolbox.post("/files/bulk-download", body), 400, "INVALID_REQUEST_BODY")

    def test_upload(self):
        path = self.folder + "/new/dir/a.bin"
        data = os.urandom(3_000_000)
        body, headers = multipart([("other", None, b"x"), ("file", "f", data)])
        answer = self.toolbox.post("/files/upload?path=" + path, body, headers=headers)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.read("new/dir/a.bin"), data)
        answer = self.toolbox.post("/files/upload-v2?path=" + self.name + "/b", body, headers=headers)
        self.assertEqual(answer.json, {"name": "b", "path": self.folder + "/b", "type": "file"})
        answer = self.toolbox.post("/files/upload-v2?path=" + self.name + "/c", data, headers={"Content-Type": "application/octet-stream"})
        self.assertEqual(answer.status, 200)
        self.assertEqual((self.read("b"), self.read("c")), (data, data))
        self.assertEqual(sorted(os.listdir(self.folder)), ["b", "c", "new"])

    def test_replacing_keeps_mode(self):
        path = self.put("a", b"old")
        os.chmod(path, 0o751)
        self.assertEqual(self.toolbox.post("/files/upload-v2?path=" + path, b"new").status, 200)
        self.assertEqual((self.read("a"), stat.S_IMODE(os.stat(path).st_mode)), (b"new", 0o751))

    def test_bad_uploads_change_nothing(self):
        path = self.put("a", b"old")
        good, headers = multipart([("file", "f", b"new")])
        for body, head in ((good[:-6], headers), (b"", headers), (b"nonsense", headers), (good, {"Content-Type": "text/plain"}),
                           (good, {"Content-Type": "multipart/form-data"}), (multipart([("wrong", "f", b"new")])[0], headers)):
            self.check_error(self.toolbox.post("/files/upload?path=" + path, body, headers=head), 400)
            self.assertEqual(os.listdir(self.folder), ["a"])
            self.assertEqual(self.read("a"), b"old")
        for target, code in ((self.folder, "INVALID_FILE_PATH"), (path + "/x", "INVALID_FILE_PATH"), ("/dev/null", "INVALID_FILE_PATH"),
                             ("a\0b", "INVALID_FILE_PATH")):
            self.check_error(self.toolbox.post("/files/upload-v2?path=" + quote(target), b"new"), 400, code)
        self.check_error(self.toolbox.post("/files/upload", good, headers=headers), 400)

    def test_upload_that_breaks_off(self):
        path = self.put("a", b"old")
        for chunked in (False, True):
            connection = self.toolbox.connect()
            framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000"
            data = b"ff\r\n" + b"x" * 255 + b"\r\n" if chunked else b"x" * 50_000
            connection.sendall(b"POST /files/upload-v2?path=%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (path.encode(), framing) + data)
            time.sleep(0.1)
            connection.close()
        time.sleep(0.3)
        eventually(lambda: os.listdir(self.folder) == ["a"])
        self.assertEqual(self.read("a"), b"old")

    def test_bulk_upload(self):
        data = os.urandom(700_000)
        parts = [("files[0].path", None, (self.folder + "/x/1").encode()), ("files[0].file", "1", data),
                 ("files[1].path", None, (self.name + "/2").encode()), ("files[1].file", "2", b"")]
        body, headers = multipart(parts)
        answer = self.toolbox.post("/files/bulk-upload", body, headers=headers)
        self.assertEqual((answer.status, answer.json), (200, {"files": [{"path": self.folder + "/x/1", "bytes": 700_000},
                                                                        {"path": self.name + "/2", "bytes": 0}]}))
        self.assertEqual((self.read("x/1"), self.read("2")), (data, b""))
        # Chunked, in pieces that end anywhere.
        connection = self.toolbox.connect()
        connection.sendall(f"POST /files/bulk-upload HTTP/1.1\r\nHost: x\r\nContent-Type: {headers['Content-Type']}\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n".encode())
        chance = random.Random(1)
        while body:
            piece, body = body[:(size := chance.choice((1, 7, 100, 65_536, 300_000)))], body[size:]
            connection.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        self.assertEqual(read_answer(connection).status, 200)
        connection.close()
        self.assertEqual(self.read("x/1"), data)

    def test_bulk_upload_failures(self):
        def post(parts):
            body, headers = multipart(parts)
            return self.toolbox.post("/files/bulk-upload", body, headers=headers)
        good = [("files[1].path", None, (self.folder + "/good").encode()), ("files[1].file", "g", b"good")]
        for bad in ([("files[0].file", "f", b"x")], [("files[0].path", None, self.folder.encode()), ("files[0].file", "f", b"x")],
                    [("files[0].path", None, b""), ("files[0].file", "f", b"x")],
                    [("files[0].path", None, b"a\0b"), ("files[0].file", "f", b"x")]):
            answer = post(bad + good)
            self.assertEqual(answer.status, 400)
            self.assertEqual(list(answer.json), ["errors", "files"])
            self.assertEqual(len(answer.json["errors"]), 1)
            self.assertEqual([file["path"] for file in answer.json["files"]], [self.folder + "/good"])
            self.assertEqual(os.listdir(self.folder), ["good"])
        body, headers = multipart(good)
        answer = self.toolbox.post("/files/bulk-upload", body[:-20], headers=headers)
        self.assertEqual((answer.status, "boundary" in answer.json["errors"][0]), (400, True))
        self.check_error(self.toolbox.post("/files/bulk-upload", b"x"), 400)

    def test_find(self):
        self.put("a.txt", b"one\ntwo needle\nthree\n")
        self.put("d/b.txt", "ä needle\r\n".encode())
        self.put("binary", b"needle\0")
        os.mkfifo(self.folder + "/fifo")
        os.symlink("/", self.folder + "/root")
        os.symlink("loop", self.folder + "/loop")
        answer = self.q("/find", path=self.folder, pattern="needle")
        self.assertEqual(answer.json, [{"file": self.folder + "/a.txt", "line": 2, "content": "two needle"},
                                       {"file": self.folder + "/d/b.txt", "line": 1, "content": "ä needle"}])
        self.assertEqual(self.q("/find", path=self.name, pattern="two").json[0]["file"], self.name + "/a.txt")
        self.assertEqual(self.q("/find", path=self.folder + "/a.txt", pattern="three").json[0]["line"], 3)
        self.assertEqual(self.q("/find", path=self.folder, pattern="t.o").json, [])
        self.check_error(self.q("/find", path=self.folder), 400)
        self.check_error(self.q("/find", path="nope", pattern="x"), 404, "FILE_NOT_FOUND")

    def test_search(self):
        for name in ("a.txt", "b.py", "d/c.txt", "d.txt/x"):
            self.put(name)
        found = self.q("/search", path=self.folder, pattern="*.txt").json
        self.assertEqual(found, {"files": [self.folder + "/" + name for name in ("a.txt", "d/c.txt", "d.txt")]})
        self.assertEqual(self.q("/search", path=self.folder, pattern="*.go").json, {"files": []})
        for pattern in ("[", "a\\"):
            self.check_error(self.q("/search", path=self.folder, pattern=pattern), 400, None, "invalid pattern")

    def test_replace(self):
        self.put("a", b"x needle y needle")
        self.put("b", b"nothing")
        self.put("binary", b"needle\0")
        os.chmod(self.folder + "/a", 0o755)
        files = [self.name + "/a", self.folder + "/b", "nope", self.folder + "/binary", self.folder]
        answer = self.toolbox.post("/files/replace", {"files": files, "pattern": "needle", "newValue": "$1"})
        self.assertEqual([(row["file"], row["success"]) for row in answer.json],
                         [(files[0], True), (files[1], True), (files[2], False), (files[3], False), (files[4], False)])
        self.assertIn("No such file", answer.json[2]["error"])
        self.assertEqual((self.read("a"), self.read("b"), self.read("binary")), (b"x $1 y $1", b"nothing", b"needle\0"))
        self.assertEqual(stat.S_IMODE(os.stat(self.folder + "/a").st_mode), 0o755)
        for body in ({"files": files, "pattern": "", "newValue": "x"}, {"files": [], "pattern": "x", "newValue": "y"}):
            self.check_error(self.toolbox.post("/files/replace", body), 400)
        self.check_error(self.toolbox.post("/files/replace", {"files": files, "pattern": "x"}), 400, "INVALID_REQUEST_BODY")

    def test_large_file_with_little_memory(self):
        size = 300 << 20
        connection = self.toolbox.connect()
        connection.sendall(f"POST /files/upload-v2?path={self.folder}/big HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        block = os.urandom(1 << 20)
        for _ in range(300):
            connection.sendall(block)
        self.assertEqual(read_answer(connection).status, 200)
        self.assertEqual(os.path.getsize(self.folder + "/big"), size)
        connection.sendall(f"GET /files/download?path={self.folder}/big HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        left, first = size, connection.recv(65536)
        left -= len(first.split(b"\r\n\r\n", 1)[1])
        while left > 0:
            left -= len(connection.recv(1 << 20))
        connection.close()
        with open(f"/proc/{self.toolbox.process.pid}/status") as file:
            status = file.read()
        self.assertLess(int(re.search(r"VmHWM:\s+(\d+)", status).group(1)), 120_000)  # the 64 MiB of other tests included

    def test_workers_that_are_killed_or_stopped(self):
        path = self.put("a")

        def is_worker(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as command, open(f"/proc/{pid}/stat") as stat_file:
                    return (command.read().startswith(b"sebring-toolbox\0file-worker") and
                            int(stat_file.read().rsplit(")", 1)[1].split()[1]) == self.toolbox.process.pid)
            except OSError:
                return False

        def workers():
            return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_worker(pid)]
        self.assertEqual(self.q("/info", path=path).status, 200)
        for pid in workers():
            os.kill(pid, 9)
        eventually(lambda: not any(alive(pid) for pid in workers()))
        self.assertEqual(self.q("/info", path=path).status, 200)
        for pid in workers():
            os.kill(pid, 19)
        self.check_error(self.q("/info", path=path), 503, None, "stopped")
        self.assertEqual(self.q("/info", path=path).status, 200)

    def test_many_at_once(self):
        self.put("a", b"x" * 100_000)
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.q("/download", path=self.folder + "/a").status)) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 60)


class Information(ToolboxCase):
    def test_fixed(self):
        self.assertEqual(self.toolbox.get("/version").body, b'{"version":"0.1.0"}')
        self.assertEqual(self.toolbox.get("/work-dir").json, {"dir": self.home})
        self.assertEqual(self.toolbox.get("/user-home-dir").json, self.toolbox.get("/project-dir").json)
        self.check_error(self.toolbox.post("/init", {"token": "x"}), 501, "NOT_IMPLEMENTED")
        self.check_error(self.toolbox.post("/computeruse/mouse/click", {"x": 1, "y": 1}), 501, "NOT_IMPLEMENTED")
        self.check_error(self.toolbox.get("/nope"), 404, "NOT_FOUND")
        self.check_error(self.toolbox.get("/%zz"), 400)

    def test_environment(self):
        answer = self.toolbox.post("/env", {"set": {"A": "1", "SECRET": "dtn_x"}})
        self.assertEqual((answer.status, answer.json["A"]), (200, "1"))
        self.assertEqual(self.execute("echo $A").json["result"], "1\n")
        answer = self.toolbox.post("/env", {"unset": ["A", "PATH"], "unsetValuePrefix": "dtn_"})
        self.assertNotIn("A", answer.json)
        self.assertNotIn("SECRET", answer.json)
        self.assertIn("PATH", answer.json)
        for body in ({"set": {"A-": "x"}}, {"unset": ["1"]}, {"set": {"A": "a\0b"}}):
            self.check_error(self.toolbox.post("/env", body), 400)
        for body in ({"set": {"A": 1}}, {"set": []}, {"unset": "A"}, b"{"):
            self.check_error(self.toolbox.post("/env", body), 400, "INVALID_REQUEST_BODY")
        self.check_error(self.toolbox.post("/env", {"set": {"A": "x" * 200_000}}), 413)

    def test_metrics(self):
        metrics = self.toolbox.get("/system/metrics").json
        self.assertEqual(set(metrics), {"cpuCount", "cpuUsedPct", "memTotal", "memUsed", "memCache", "diskTotal", "diskUsed",
                                        "diskFree", "timestamp", "timestampUnix"})
        self.assertGreater(metrics["memTotal"], metrics["memUsed"])
        self.assertGreaterEqual(metrics["diskTotal"], metrics["diskUsed"])

    def test_ports_and_proxy(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    data = b""
                    while (size := int(self.rfile.readline(), 16)) > 0:
                        data += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.dumps([self.command, self.path, self.headers["Host"], self.headers.get("X-Mine"), len(data)]).encode()
                self.send_response(207)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Theirs", "y")
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, *_):
                pass
        for port in range(4000, 5000):
            try:
                server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
                break
            except OSError:
                continue
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            self.assertIn(port, self.toolbox.get("/port").json["ports"])
            self.assertEqual(self.toolbox.get(f"/port/{port}/in-use").json, {"isInUse": True})
            answer = self.toolbox.request("PUT", f"/proxy/{port}/a%20b/c?x=%2F", b"12345", headers={"X-Mine": "m"})
            self.assertEqual((answer.status, answer.headers["x-theirs"]), (207, "y"))
            self.assertEqual(answer.json, ["PUT", "/a%20b/c?x=%2F", f"localhost:{port}", "m", 5])
            for path, expected in (("", "/"), ("/", "/"), ("?a=b", "/?a=b")):
                self.assertEqual(self.toolbox.get(f"/proxy/{port}{path}").json[1], expected)
            connection = self.toolbox.connect()
            connection.sendall(f"POST /proxy/{port}/up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".encode())
            self.assertEqual(read_answer(connection).json[4], 3)
            connection.close()
        finally:
            server.shutdown()
            server.server_close()
        self.check_error(self.toolbox.get(f"/proxy/{port}/"), 502, "BAD_GATEWAY", str(port))
        self.assertEqual(self.toolbox.get(f"/port/{port}/in-use").json, {"isInUse": False})
        for bad in ("0", "65536", "x", "-1"):
            self.check_error(self.toolbox.get(f"/proxy/{bad}/"), 400)
        for bad in ("80", "2999", "10000", "x"):
            self.check_error(self.toolbox.get(f"/port/{bad}/in-use"), 400)

    def test_proxy_upgrade(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def serve():
            peer, _ = listener.accept()
            data = b""
            while b"\r\n\r\n" not in data:
                data += peer.recv(4096)
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst")
            while piece := peer.recv(4096):
                peer.sendall(piece.upper())
            peer.sendall(b"last")
            peer.close()
        threading.Thread(target=serve, daemon=True).start()
        connection = self.toolbox.connect()
        connection.sendall(f"GET /proxy/{port}/ws HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n".encode())
        data = b""
        while not data.endswith(b"first"):
            data += connection.recv(4096)
        self.assertTrue(data.startswith(b"HTTP/1.1 101 "))
        connection.sendall(b"hello")
        self.assertEqual(connection.recv(4096), b"HELLO")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.recv(4096), b"last")
        self.assertEqual(connection.recv(4096), b"")
        connection.close()
        listener.close()


@ROOT_ONLY
class OtherUser(ToolboxCase):
    """The daemon is root, commands and files are nobody's."""
    settings = {"user": "nobody"}

    def setUp(self):
        os.chown(self.home, NOBODY, NOBODY)

    def test_identity(self):
        self.assertEqual(self.execute("id -u; id -g; id -G; grep CapEff /proc/self/status").json["result"],
                         f"{NOBODY}\n{NOBODY}\n{NOBODY}\nCapEff:\t0000000000000000\n")
        status = self.toolbox.get("/files/download?path=/proc/self/status").text
        self.assertRegex(status, rf"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n")
        self.assertRegex(status, r"CapEff:\t0000000000000000\n")

    def test_files_are_the_users(self):
        self.assertEqual(self.toolbox.post("/files/upload-v2?path=d/mine", b"x").status, 200)
        self.assertEqual(os.stat(self.home + "/d/mine").st_uid, NOBODY)
        self.check_error(self.toolbox.get("/files/download?path=/etc/shadow"), 403, "FILE_ACCESS_DENIED")
        closed = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, closed)
        self.check_error(self.toolbox.get("/files?path=" + closed), 403, "FILE_ACCESS_DENIED")
        self.check_error(self.toolbox.post("/files/upload-v2?path=/etc/x", b"x"), 403, "FILE_ACCESS_DENIED")
        self.check_error(self.toolbox.delete("/files?path=/etc/passwd"), 403, "FILE_ACCESS_DENIED")
        self.check_error(self.toolbox.post("/files/permissions?path=/etc/passwd&mode=777"), 403, "FILE_ACCESS_DENIED")
        daemon = self.toolbox.process.pid
        for secret in ("environ", "maps", "mem", "fd/0"):
            self.assertIn(self.toolbox.get(f"/files/download?path=/proc/{daemon}/{secret}").status, (403, 400))
        self.check_error(self.toolbox.get(f"/files?path=/proc/{daemon}/fd"), 403, "FILE_ACCESS_DENIED")

    def test_file_of_the_user_in_a_directory_of_roots(self):
        folder = self.home + "/roots"
        os.mkdir(folder)
        with open(folder + "/f", "w") as file:
            file.write("needle and a long rest")
        os.chown(folder + "/f", NOBODY, NOBODY)
        answer = self.toolbox.post("/files/replace", {"files": [folder + "/f"], "pattern": "needle", "newValue": "pin"})
        self.assertTrue(answer.json[0]["success"], answer.json)
        with open(folder + "/f") as file:
            self.assertEqual(file.read(), "pin and a long rest")
        self.assertEqual(self.toolbox.post(f"/files/upload-v2?path={folder}/f", b"short").status, 200)
        with open(folder + "/f") as file:
            self.assertEqual(file.read(), "short")

    def test_what_nothing_can_be_renamed_onto_is_written_itself(self):
        # One file is mounted, another is somebody else's where only owners replace.
        folder = self.home + "/sticky"
        os.mkdir(folder)
        os.chmod(folder, 0o1777)
        for name in ("mounted", "behind", "shared"):
            with open(f"{folder}/{name}", "w") as file:
                file.write("old and longer")
            os.chmod(f"{folder}/{name}", 0o666)
        os.chown(folder + "/mounted", NOBODY, NOBODY)
        os.chown(folder + "/behind", NOBODY, NOBODY)
        subprocess.run(["mount", "--bind", folder + "/behind", folder + "/mounted"], check=True)
        self.addCleanup(subprocess.run, ["umount", folder + "/mounted"], check=True)
        for name, real in (("mounted", "behind"), ("shared", "shared")):
            before = os.stat(f"{folder}/{real}")
            for data in (b"new", b"", b"x" * 300_000):
                self.assertEqual(self.toolbox.post(f"/files/upload-v2?path={folder}/{name}", data).status, 200)
                with open(f"{folder}/{real}", "rb") as file:
                    self.assertEqual(file.read(), data)
            body, headers = multipart([("files[0].path", None, f"{folder}/{name}".encode()), ("files[0].file", "f", b"needle")])
            self.assertEqual(self.toolbox.post("/files/bulk-upload", body, headers=headers).status, 200)
            answer = self.toolbox.post("/files/replace", {"files": [f"{folder}/{name}"], "pattern": "needle", "newValue": "pin"})
            self.assertTrue(answer.json[0]["success"], answer.json)
            with open(f"{folder}/{real}") as file:
                self.assertEqual(file.read(), "pin")
            after = os.stat(f"{folder}/{real}")
            self.assertEqual((before.st_ino, before.st_uid, before.st_mode), (after.st_ino, after.st_uid, after.st_mode))
        self.assertEqual(sorted(os.listdir(folder)), ["behind", "mounted", "shared"])


@ROOT_ONLY
class FullDisk(ToolboxCase):
    def setUp(self):
        self.disk = self.home + "/disk"
        os.makedirs(self.disk, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", self.disk], check=True)

    def tearDown(self):
        # A worker may still be about to close what it has answered for.
        eventually(lambda: subprocess.run(["umount", self.disk]).returncode == 0)

    def test_upload(self):
        with open(self.disk + "/f", "w") as file:
            file.write("old")
        for path in ("/f", "/new"):
            self.check_error(self.toolbox.post("/files/upload-v2?path=" + self.disk + path, b"x" * 5_000_000), 503, None, "No space left")
            body, headers = multipart([("file", "f", b"x" * 5_000_000)])
            self.check_error(self.toolbox.post("/files/upload?path=" + self.disk + path, body, headers=headers), 503, None, "No space left")
        body, headers = multipart([("files[0].path", None, (self.disk + "/f").encode()), ("files[0].file", "f", b"x" * 5_000_000)])
        answer = self.toolbox.post("/files/bulk-upload", body, headers=headers)
        self.assertEqual((answer.status, "No space left" in answer.json["errors"][0]), (400, True))
        self.assertEqual(os.listdir(self.disk), ["f"])
        with open(self.disk + "/f") as file:
            self.assertEqual(file.read(), "old")
        self.assertEqual(self.toolbox.post(f"/files/upload-v2?path={self.disk}/small", b"x").status, 200)

    def test_read_only(self):
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        self.check_error(self.toolbox.post(f"/files/upload-v2?path={self.disk}/f", b"x"), 403, "FILE_ACCESS_DENIED", "Read-only")
        self.check_error(self.toolbox.post(f"/files/folder?path={self.disk}/f"), 403, "FILE_ACCESS_DENIED")


@ROOT_ONLY
class ForeignRoot(unittest.TestCase):
    """A root with one static shell and nothing else: no passwd, no shells file, no C library."""

    def setUp(self):
        shell = next((path for path in ("/bin/busybox", "/bin/mksh-static", "/usr/lib/klibc/bin/sh") if os.path.exists(path)), None)
        if not shell:
            self.skipTest("SKIP: no static shell here")
        self.root = tempfile.mkdtemp(prefix="sebring-root-test-")
        os.chmod(self.root, 0o755)
        for name in ("bin", "dev", "proc", "tmp"):
            os.mkdir(self.root + "/" + name)
        shutil.copy(shell, self.root + "/bin/sh")
        shutil.copy(os.environ.get("SEBRING_TOOLBOX") or os.path.join(os.path.dirname(__file__), "../../build/sebring-toolbox"),
                    self.root + "/toolbox")

    def tearDown(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, user):
        with open(self.root + "/configuration.json", "w") as file:
            json.dump({"sandboxId": "s", "user": user, "logDir": "/logs"}, file)
        script = (f"mount --bind /dev {self.root}/dev && mount -t proc none {self.root}/proc && "
                  f"exec chroot {self.root} /toolbox serve --listen /socket --configuration /configuration.json")
        self.process = subprocess.Popen(["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", script], start_new_session=True)
        eventually(self.is_listening)

    def stop(self):
        # The toolbox too: what its parent asked the kernel to do when it dies does not always reach it.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def is_listening(self):
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(self.root + "/socket") == 0

    def ask(self, method, path, body=b""):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.root + "/socket")
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = read_answer(connection)
        connection.close()
        return answer

    def test_bare_root(self):
        for user, uid in (("", 0), ("root", 0), ("1234:5", 1234)):
            with self.subTest(user=user):
                self.start(user)
                try:
                    answer = self.ask("POST", "/process/execute", b'{"command":"echo hi $HOME; pwd; exit 4"}')
                    home = "/root" if uid == 0 else "/"  # which does not exist: the root directory stands in for it
                    self.assertEqual(answer.json, {"exitCode": 4, "result": f"hi {home}\n/\n"})
                    answer = self.ask("POST", "/process/code-run", b'{"code":"x","language":"python"}')
                    self.assertEqual(answer.json["exitCode"], 127)
                    self.assertIn("bin", [entry["name"] for entry in self.ask("GET", "/files?path=/").json])
                    self.assertEqual(self.ask("POST", "/files/upload-v2?path=/tmp/x", b"x").status, 200 if uid == 0 else 403)
                finally:
                    self.stop()
                    os.unlink(self.root + "/socket")

    def test_no_shell_at_all(self):
        os.unlink(self.root + "/bin/sh")
        self.start("")
        try:
            answer = self.ask("POST", "/process/execute", b'{"command":"echo hi","cwd":"/"}')
            self.assertEqual(answer.json["exitCode"], -1)
            self.assertIn("No such file", answer.json["result"])
        finally:
            self.stop()


@ROOT_ONLY
@unittest.skipUnless(os.path.isdir("/sys/fs/cgroup/memory"), "SKIP: no version 1 memory cgroup")
class MemoryLimit(unittest.TestCase):
    def test_cause_is_told(self):
        group = f"/sys/fs/cgroup/memory/sebring-test-{os.getpid()}"
        os.mkdir(group)
        try:
            with open(group + "/memory.limit_in_bytes", "w") as file:
                file.write(str(32 << 20))
            directory = tempfile.mkdtemp()
            with open(directory + "/c.json", "w") as file:
                json.dump({"sandboxId": "s", "logDir": directory + "/logs", "workDir": "/"}, file)
            binary = os.environ.get("SEBRING_TOOLBOX") or os.path.join(os.path.dirname(__file__), "../../build/sebring-toolbox")
            process = subprocess.Popen([binary, "serve", "--listen", directory + "/s", "--configuration", directory + "/c.json",
                                        "--user-cgroup", group + "/tasks", "--memory-cgroup", group])
            try:
                def run(command):
                    connection = socket.socket(socket.AF_UNIX)
                    eventually(lambda: connection.connect_ex(directory + "/s") == 0)  # there before it listens
                    body = json.dumps({"command": command}).encode()
                    connection.sendall(b"POST /process/execute HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    answer = read_answer(connection).json
                    connection.close()
                    return answer
                self.assertEqual(run("kill -9 $$"), {"exitCode": 137, "result": ""})
                # The kernel takes the pipe, never the shell: it may kill once more before a victim's memory is free.
                spared = "echo -1000 > /proc/$$/oom_score_adj; "
                eat = "(echo 1000 > /proc/self/oom_score_adj; head -c 200000000 /dev/zero | tail -c 100000000 | wc -c); exit 5"
                os.setxattr(group, "user.sebring.oom", b"7 old")  # as the runner notes it, of a kill before
                answer = run(spared + eat)
                self.assertEqual(answer["exitCode"], 5)
                self.assertEqual(answer["outOfMemory"]["limitBytes"], 32 << 20)
                self.assertGreater(answer["outOfMemory"]["peakBytes"], 30 << 20)
                self.assertIn("out of memory: a process was killed at the sandbox's memory limit of 32.0 MiB", answer["result"])
                self.assertNotIn("victim", answer["outOfMemory"])
                noter = threading.Thread(target=lambda: (eventually(lambda: os.path.exists(directory + "/begun")),
                                                         os.setxattr(group, "user.sebring.oom", b"8 t\"ail"), open(directory + "/go", "w").close()))
                noter.start()
                answer = run(f"{spared}touch {directory}/begun; until [ -e {directory}/go ]; do sleep 0.01; done; {eat}")
                noter.join()
                self.assertEqual((answer["exitCode"], answer["outOfMemory"]["victim"]), (5, 't"ail'))
                self.assertIn("out of memory: t\"ail was killed at", answer["result"])
                self.assertEqual(run("false"), {"exitCode": 1, "result": ""})
                with open(group + "/memory.max_usage_in_bytes") as file:
                    self.assertGreater(int(file.read()), 30 << 20)
            finally:
                process.kill()
                process.wait()
                shutil.rmtree(directory)
        finally:
            def removed():
                try:
                    os.rmdir(group)
                except OSError:
                    return False
                return True
            eventually(removed)


if __name__ == "__main__":
    unittest.main()
