"""Language servers of a stand-alone toolbox, as a client sees them. The real ones are used where they are installed
(SEBRING_TEST_PATH adds directories). Run: python3 toolbox_lsp_test.py [-k name]"""
import os
import shutil
import socket
import stat
import threading
import time
import unittest
from urllib.parse import quote, urlencode

from toolbox_client import Toolbox, more_tools

SEARCH = more_tools().get("PATH", os.environ["PATH"])

# A server of our own, whose behaviour the file `mode` in the project decides.
FAKE = r'''#!/usr/bin/env python3
import json, os, subprocess, sys, time
def mode():
    try: return open("mode").read().strip()
    except OSError: return ""
def send(message, raw=None):
    data = json.dumps(message).encode() if raw is None else raw
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(data) + data); sys.stdout.buffer.flush()
def read():
    length = 0
    while True:
        line = sys.stdin.buffer.readline()
        if not line: sys.exit(0)
        if line == b"\r\n": return json.loads(sys.stdin.buffer.read(length))
        if line.lower().startswith(b"content-length:"): length = int(line.split(b":")[1])
if mode() == "no start": print("broken installation", file=sys.stderr); sys.exit(3)
helper = subprocess.Popen(["sleep", "4321"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
open("helper", "w").write(str(helper.pid)); open("pid", "w").write(str(os.getpid()))
log = open("log", "a")
while True:
    message = read()
    log.write(json.dumps(message) + "\n"); log.flush()
    method = message.get("method")
    if method == "initialize":
        send({"jsonrpc": "2.0", "id": 900, "method": "workspace/configuration", "params": {"items": [{}, {}]}})
        send({"jsonrpc": "2.0", "id": "text", "method": "unknown/request"})
        send({"jsonrpc": "2.0", "method": "window/logMessage", "params": {"message": "hello"}})
        send({"jsonrpc": "2.0", "id": message["id"], "result": {"capabilities": {"workspaceSymbolProvider": True}}})
    elif method == "textDocument/completion":
        now = mode()
        if now == "crash": print("segmentation", file=sys.stderr); os._exit(7)
        if now == "garbage": sys.stdout.buffer.write(b"no protocol\r\n\r\n"); sys.stdout.buffer.flush(); continue
        if now == "huge": sys.stdout.buffer.write(b"Content-Length: 99999999999\r\n\r\n"); sys.stdout.buffer.flush(); continue
        if now == "asks":  # and reads nothing
            while True: send({"jsonrpc": "2.0", "id": "x" * 1000, "method": "workspace/configuration", "params": {"items": [{}] * 1000}})
        if now == "error": send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -1, "message": "no idea"}}); continue
        if now == "null": send({"jsonrpc": "2.0", "id": message["id"], "result": None}); continue
        if now == "not json": send(None, b"{nonsense"); send({"jsonrpc": "2.0", "id": 12345678, "result": 1})
        send({"jsonrpc": "2.0", "id": message["id"], "result": [{"label": "one", "kind": 3, "data": {"x": 1}, "textEdit": {}}]})
    elif method == "textDocument/documentSymbol":
        span = {"start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 4}}
        send({"jsonrpc": "2.0", "id": message["id"], "result": [
            {"name": "Outer", "kind": 5, "range": span, "selectionRange": span, "children": [{"name": "inner", "kind": 6, "range": span, "selectionRange": span}]}]})
    elif method == "workspace/symbol":
        send({"jsonrpc": "2.0", "id": message["id"], "result": [{"name": "Found", "kind": 5, "location": {"uri": "file:///x"}}]})
    elif method == "shutdown":
        if mode() == "hang": time.sleep(100)
        send({"jsonrpc": "2.0", "id": message["id"], "result": None})
    elif method == "exit":
        sys.exit(0)
'''


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class LspCase(unittest.TestCase):
    language = "python"
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.toolbox = Toolbox(env=cls.environment)

    @classmethod
    def tearDownClass(cls):
        cls.toolbox.close()

    def setUp(self):
        self.project = f"{self.toolbox.home}/{self._testMethodName}"
        os.mkdir(self.project)

    def write(self, name, text):
        path = os.path.join(self.project, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def body(self, **more):
        return {"languageId": self.language, "pathToProject": self.project, **more}

    def post(self, what, status=200, **more):
        answer = self.toolbox.post("/lsp/" + what, self.body(**more))
        self.assertEqual(answer.status, status, answer.body)
        if status == 200 and what != "completions":
            self.assertEqual(answer.body, b"")
        return answer

    def start(self):
        self.post("start")
        self.addCleanup(lambda: self.toolbox.post("/lsp/stop", self.body()))

    def completions(self, path, line, character, status=200, **more):
        return self.post("completions", status, uri="file://" + path, position={"line": line, "character": character}, **more).json

    def symbols(self, what="document-symbols", status=200, **more):
        answer = self.toolbox.get(f"/lsp/{what}?" + urlencode(self.body(**more)))
        self.assertEqual(answer.status, status, answer.body)
        return answer.json

    def expect_error(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual((answer.json["code"], answer.json["source"]), (code, "DAYTONA_DAEMON"))


class FakeServer(LspCase):
    @classmethod
    def setUpClass(cls):
        cls.environment = {"PATH": "/nonexistent"}
        super().setUpClass()
        cls.toolbox.close()
        tools = "/tmp/sebring-fake-lsp"
        os.makedirs(tools, exist_ok=True)
        with open(tools + "/pylsp", "w") as file:
            file.write(FAKE)
        os.chmod(tools + "/pylsp", 0o755)
        cls.environment = {"PATH": tools + ":" + os.environ["PATH"]}
        super().setUpClass()

    def pid(self, name):
        with open(f"{self.project}/{name}") as file:
            return int(file.read())

    def log(self):
        with open(f"{self.project}/log") as file:
            return file.read()

    def test_answers(self):
        path = self.write("a b.py", "x = 1\n")
        self.start()
        self.post("did-open", uri="file://" + path)
        self.assertEqual(self.completions(path, 0, 1, context={"triggerKind": 2, "triggerCharacter": "."}),
                         {"isIncomplete": False, "items": [{"label": "one", "kind": 3}]})
        span = {"start": {"line": 1, "character": 2}, "end": {"line": 3, "character": 4}}
        location = {"range": span, "uri": "file://" + quote(path)}
        self.assertEqual(self.symbols(uri="file://" + path),
                         [{"kind": 5, "location": location, "name": "Outer"}, {"kind": 6, "location": location, "name": "inner"}])
        zero = {"line": 0, "character": 0}
        self.assertEqual(self.symbols("workspacesymbols", query="F"),
                         [{"kind": 5, "location": {"uri": "file:///x", "range": {"start": zero, "end": zero}}, "name": "Found"}])
        self.post("did-close", uri="file://" + path)
        self.post("did-close", uri="file://" + path)
        self.symbols("workspacesymbols", query="F")  # answered behind what was only told
        log = self.log()
        self.assertIn('"triggerCharacter": "."', log)
        self.assertIn('"result": [null, null]', log)
        self.assertIn('"code": -32601', log)
        self.assertEqual(log.count("textDocument/didClose"), 1)

    def test_documents_follow_the_disk(self):
        path = self.write("a.py", "first\n")
        self.start()
        self.completions(path, 0, 0)  # opened without being asked to
        self.write("a.py", "second, longer\n")
        self.completions(path, 0, 0)
        self.completions(path, 0, 0)
        log = self.log()
        self.assertEqual((log.count("textDocument/didOpen"), log.count("textDocument/didChange")), (1, 1))
        self.assertIn("second, longer", log)

    def test_relative_paths(self):
        self.write("src/a.py", "x\n")
        self.start()
        self.post("did-open", uri="file://src/a.py")
        self.post("did-open", uri=f"file://{self._testMethodName}/src/a.py")
        self.post("did-open", uri="file://" + quote(self.project + "/src/a.py"))
        deadline = time.monotonic() + 10  # the server writes its log behind our answers
        while self.log().count(f"file://{quote(self.project)}/src/a.py") < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.log().count(f"file://{quote(self.project)}/src/a.py"), 3 + 2)  # two closings between

    def test_stop_leaves_nothing(self):
        for mode in ("", "hang"):
            with self.subTest(mode):
                self.write("mode", mode)
                self.post("start")
                pids = [self.pid("pid"), self.pid("helper")]
                self.assertTrue(all(map(alive, pids)))
                begin = time.monotonic()
                self.post("stop")
                self.assertLess(time.monotonic() - begin, 20)
                self.assertFalse(any(map(alive, pids)))
                self.assertIn('"method": "shutdown"', self.log())

    def test_crash(self):
        path = self.write("a.py", "x\n")
        self.write("mode", "crash")
        self.start()
        self.post("did-open", uri="file://" + path)
        helper = self.pid("helper")
        answer = self.post("completions", 502, uri="file://" + path, position={"line": 0, "character": 0})
        self.expect_error(answer, 502, "BAD_GATEWAY")
        self.assertIn("exited with code 7: segmentation", answer.json["message"])
        time.sleep(2.2)  # the pause before it may be started again
        deadline = time.monotonic() + 30
        while alive(helper):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.write("mode", "")
        self.assertEqual(len(self.completions(path, 0, 0)["items"]), 1)
        self.assertEqual(self.log().count('"method": "initialize"'), 2)

    def test_start_after_a_crash_waits_for_no_pause(self):
        path = self.write("a.py", "x\n")
        self.write("mode", "crash")
        self.start()
        where = {"uri": "file://" + path, "position": {"line": 0, "character": 0}}
        self.expect_error(self.post("completions", 502, **where), 502, "BAD_GATEWAY")
        self.write("mode", "")
        self.post("start")
        self.assertEqual(len(self.completions(path, 0, 0)["items"]), 1)

    def test_nonsense(self):
        path = self.write("a.py", "x\n")
        for mode in ("garbage", "huge", "asks"):
            self.write("mode", mode)
            self.start()
            self.expect_error(self.post("completions", 502, uri="file://" + path, position={"line": 0, "character": 0}), 502, "BAD_GATEWAY")
            self.post("stop")
        self.start()
        self.write("mode", "error")
        answer = self.post("completions", 502, uri="file://" + path, position={"line": 0, "character": 0})
        self.assertIn("no idea", answer.json["message"])
        self.write("mode", "null")
        self.assertEqual(self.completions(path, 0, 0), {"isIncomplete": False, "items": []})
        self.write("mode", "not json")
        self.assertEqual(len(self.completions(path, 0, 0)["items"]), 1)

    def test_no_start(self):
        self.write("mode", "no start")
        answer = self.post("start", 502)
        self.assertIn("broken installation", answer.json["message"])
        self.expect_error(self.post("stop", 400), 400, "LSP_SERVER_NOT_INITIALIZED")

    def test_many_at_once(self):
        paths = [self.write(f"{i}.py", "x\n") for i in range(20)]
        threads = [threading.Thread(target=lambda: self.post("start")) for _ in range(5)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.addCleanup(lambda: self.toolbox.post("/lsp/stop", self.body()))
        self.assertEqual(self.log().count('"method": "initialize"'), 1)
        results = []
        threads = [threading.Thread(target=lambda p=p: results.append(self.completions(p, 0, 0))) for p in paths]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(len(results), 20)

    def test_bad_input(self):
        path = self.write("a.py", "x\n")
        self.start()
        uri = "file://" + path
        where = {"line": 0, "character": 0}
        for what in ("start", "stop", "did-open", "did-close", "completions"):
            for body in (b"", b"{", b"[]", {}, {"languageId": "python"}, {"pathToProject": "/x"}, {"languageId": 1, "pathToProject": "/x"},
                         {"languageId": "", "pathToProject": ""}):
                with self.subTest(what=what, body=body):
                    self.expect_error(self.toolbox.post("/lsp/" + what, body), 400, "INVALID_REQUEST_BODY")
            more = {"uri": uri, "position": where}
            self.expect_error(self.toolbox.post("/lsp/" + what, {"languageId": "cobol", "pathToProject": "/x", **more}), 400, "BAD_REQUEST")
            if what != "start":
                answer = self.toolbox.post("/lsp/" + what, {"languageId": "python", "pathToProject": "/other", **more})
                self.expect_error(answer, 400, "LSP_SERVER_NOT_INITIALIZED")
        for more in ({"uri": ""}, {"uri": 1}, {}):
            for what in ("did-open", "did-close", "completions"):
                self.expect_error(self.post(what, 400, position=where, **more), 400, "INVALID_REQUEST_BODY")
        for position in (None, 1, {}, {"line": 0}, {"line": -1, "character": 0}, {"line": "0", "character": 0}, {"line": 0.5, "character": 0}):
            with self.subTest(position):
                self.expect_error(self.post("completions", 400, uri=uri, position=position), 400, "INVALID_REQUEST_BODY")
        for context in ({}, {"triggerKind": 0}, {"triggerKind": "1"}, {"triggerKind": 1, "triggerCharacter": 1}):
            with self.subTest(context):
                self.expect_error(self.post("completions", 400, uri=uri, position=where, context=context), 400, "INVALID_REQUEST_BODY")
        self.expect_error(self.post("did-open", 400, uri="http://x/a.py"), 400, "BAD_REQUEST")
        self.expect_error(self.post("did-open", 400, uri="file:///a%00b"), 400, "BAD_REQUEST")
        self.expect_error(self.post("did-open", 404, uri="file:///nonexistent.py"), 404, "FILE_NOT_FOUND")
        self.expect_error(self.post("did-open", 400, uri="file://" + self.project), 400, "INVALID_FILE_PATH")
        os.mkfifo(self.project + "/fifo.py")
        self.expect_error(self.post("did-open", 400, uri="file://fifo.py"), 400, "INVALID_FILE_PATH")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.project + "/socket.py")
        self.expect_error(self.post("did-open", 400, uri="file://socket.py"), 400, "INVALID_FILE_PATH")
        for query in ("", "languageId=python", "languageId=python&pathToProject=" + self.project, "languageId=cobol&pathToProject=/x&uri=/x"):
            self.assertEqual(self.toolbox.get("/lsp/document-symbols?" + query).status, 400)
        self.assertEqual(self.toolbox.get("/lsp/workspacesymbols?query=x").status, 400)
        self.symbols(uri="file:///nonexistent.py", status=404)
        self.expect_error(self.toolbox.post("/lsp/start", self.body(pathToProject="/nonexistent")), 422, "UNPROCESSABLE_ENTITY")


class NothingInstalled(LspCase):
    environment = {"PATH": "/nonexistent"}

    def test_says_so(self):
        for self.language in ("python", "typescript", "javascript"):
            answer = self.post("start", 422)
            self.assertIn("pylsp" if self.language == "python" else "typescript-language-server", answer.json["message"])


@unittest.skipUnless(shutil.which("pylsp", path=SEARCH), "no pylsp here")
class RealPython(LspCase):
    def test_python(self):
        path = self.write("main.py", "import os\n\nclass Greeter:\n    def greet(self, name):\n        return 'hello ' + name\n\nos.pa\n")
        self.write("pkg/other.py", "def greet_all(): pass\n")
        self.start()
        self.post("did-open", uri="file://" + path)
        labels = [item["label"] for item in self.completions(path, 6, 5)["items"]]
        self.assertTrue(any(label.startswith("path") for label in labels), labels)
        names = {symbol["name"]: symbol for symbol in self.symbols(uri="file://" + path)}
        self.assertIn("Greeter", names)
        self.assertEqual(names["Greeter"]["location"]["range"]["start"]["line"], 2)
        found = {symbol["name"] for symbol in self.symbols("workspacesymbols", query="GREET")}
        self.assertEqual(found, {"Greeter", "greet", "greet_all"})


@unittest.skipUnless(shutil.which("typescript-language-server", path=SEARCH), "no typescript-language-server here")
class RealTypeScript(LspCase):
    language = "typescript"

    def test_typescript(self):
        path = self.write("src/index.ts", "export class Greeter {\n  greet(name: string) { return 'hello ' + name }\n}\nnew Greeter().gr\n")
        self.write("tsconfig.json", "{}")
        self.start()
        self.assertIn("Greeter", {symbol["name"] for symbol in self.symbols("workspacesymbols", query="Greet")})
        self.post("did-open", uri="file://src/index.ts")
        items = self.completions(path, 3, 16)["items"]
        self.assertEqual([item["label"] for item in items], ["greet"])
        symbols = {symbol["name"]: symbol for symbol in self.symbols(uri="file://" + path)}
        self.assertEqual(set(symbols) >= {"Greeter", "greet"}, True, symbols)
        self.assertTrue(symbols["greet"]["location"]["uri"].endswith("/src/index.ts"))
        self.language = "javascript"
        script = self.write("plain.js", "const answer = 42\nansw")
        self.assertIn("answer", [item["label"] for item in self.completions(script, 1, 4)["items"]])


if __name__ == "__main__":
    unittest.main()
