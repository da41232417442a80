"""Interpreter contexts of a stand-alone toolbox, as a client sees them. Run: python3 toolbox_interpreter_test.py [-k name]"""
import json
import os
import select
import statistics
import subprocess
import threading
import time
import unittest

from toolbox_client import Toolbox, WebSocket

COMPLETED = {"type": "control", "text": "completed", "name": "", "value": "", "traceback": ""}
EXECUTE = "/process/interpreter/execute"


class Result:
    def __init__(self, socket, timeout=30):
        self.frames = []
        while (message := socket.receive(timeout)) is not None:
            assert message[0] == WebSocket.TEXT
            self.frames.append(json.loads(message[1]))
            assert list(self.frames[-1]) == ["type", "text", "name", "value", "traceback"], self.frames[-1]
        self.close = socket.close_code
        self.reason = socket.close_reason

    def text(self, kind):
        return "".join(frame["text"] for frame in self.frames if frame["type"] == kind)

    @property
    def out(self):
        return self.text("stdout")

    @property
    def err(self):
        return self.text("stderr")

    @property
    def control(self):
        return self.text("control")

    @property
    def error(self):
        errors = [frame for frame in self.frames if frame["type"] == "error"]
        return errors[0] if errors else None


class InterpreterCase(unittest.TestCase):
    language = "python"
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.toolbox = Toolbox(**cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.toolbox.close()

    def setUp(self):
        self.context = self.create()

    def create(self, language=None, **more):
        answer = self.toolbox.post("/process/interpreter/context", {"language": language or self.language, **more})
        self.assertEqual(answer.status, 200, answer.body)
        self.addCleanup(lambda: self.toolbox.delete("/process/interpreter/context/" + answer.json["id"]))
        return answer.json["id"]

    def begin(self, code, context=None, **more):
        socket = self.toolbox.websocket(EXECUTE)
        socket.send(json.dumps({"code": code, "contextId": context or self.context, **more}))
        return socket

    def run_code(self, code, context=None, **more):
        return Result(self.begin(code, context, **more))

    def wait_for_file(self, name):
        """Lines of Python that go on when touch(name) was called."""
        return f"import os, time\nwhile not os.path.exists({self.toolbox.home + '/' + name!r}): time.sleep(0.01)\n"

    def touch(self, name):
        open(self.toolbox.home + "/" + name, "w").close()
        self.addCleanup(os.unlink, self.toolbox.home + "/" + name)

    def expect_error(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual((answer.json["code"], answer.json["source"]), (code, "DAYTONA_DAEMON"))


class Python(InterpreterCase):
    def test_state_is_kept(self):
        first = self.run_code("import os\nx = 41\ndef f(): return x + 1\nprint(f())")
        self.assertEqual(first.frames, [{"type": "stdout", "text": "42\n", "name": "", "value": "", "traceback": ""}, COMPLETED])
        self.assertEqual((first.close, first.reason), (1000, ""))
        self.assertEqual(self.run_code("x = 1\nprint(f(), os.sep)").out, "2 /\n")

    def test_contexts_are_apart(self):
        other = self.create()
        self.run_code("x = 1")
        self.assertEqual(self.run_code("x", other).error["name"], "NameError")
        socket = self.toolbox.websocket(EXECUTE)
        socket.send(json.dumps({"code": "in_default = 5"}))
        Result(socket)
        self.assertEqual(self.run_code("print(in_default)", "default").out, "5\n")
        self.assertEqual(self.run_code("in_default").error["name"], "NameError")

    def test_errors_as_python_prints_them(self):
        result = self.run_code("def f():\n    raise ValueError('bad')\nprint('before')\nf()")
        self.assertEqual((result.out, result.control, result.close), ("before\n", "completed", 1000))
        self.assertEqual((result.error["name"], result.error["value"]), ("ValueError", "bad"))
        self.assertEqual(result.error["traceback"],
                         'Traceback (most recent call last):\n  File "<python-input-0>", line 4, in <module>\n    f()\n'
                         '  File "<python-input-0>", line 2, in f\n    raise ValueError(\'bad\')\nValueError: bad\n')
        result = self.run_code("if")
        self.assertEqual(result.error["name"], "SyntaxError")
        self.assertTrue(result.error["traceback"].startswith('  File "<python-input-1>", line 1\n    if\n'))
        self.assertEqual(self.run_code("raise SystemExit(3)").error["value"], "3")
        self.assertEqual(self.run_code("class E(Exception):\n  def __str__(self): 1/0\nraise E()").error["name"], "E")
        chained = self.run_code("try:\n  1/0\nexcept Exception as e:\n  raise KeyError('k') from e").error["traceback"]
        self.assertIn("ZeroDivisionError", chained)
        self.assertIn("direct cause", chained)
        self.assertEqual(self.run_code("def r(): r()\nr()").error["name"], "RecursionError")
        self.assertEqual(self.run_code("print('fine')").out, "fine\n")

    def test_streams(self):
        result = self.run_code("import sys\nprint('o1')\nprint('e1', file=sys.stderr)\nprint('o2')\nsys.stderr.write('e2')\nprint('no newline', end='')")
        self.assertEqual([(f["type"], f["text"]) for f in result.frames],
                         [("stdout", "o1\n"), ("stderr", "e1\n"), ("stdout", "o2\n"), ("stdout", "no newline"), ("stderr", "e2"),
                          ("control", "completed")])

    def test_flush_per_line_or_1024(self):
        socket = self.begin(f"print('x' * 1024, end='')\n{self.wait_for_file('go')}print('y')")
        self.assertEqual(socket.receive_json()["text"], "x" * 1024)  # before it goes on
        self.touch("go")
        self.assertEqual(Result(socket).out, "y\n")

    def test_children_print_too(self):
        result = self.run_code("import subprocess, os\nprint('before')\nsubprocess.run(['sh', '-c', 'echo child; echo wrong >&2'])\nos.write(1, b'raw\\xff\\n')\nprint('after')")
        self.assertEqual((sorted(result.out.splitlines()), result.err), (sorted(["before", "child", "raw\ufffd", "after"]), "wrong\n"))

    def test_unusual_output(self):
        self.assertEqual(self.run_code("print('ünï ☃ 😀')").out, "ünï ☃ 😀\n")
        self.assertEqual(self.run_code("print('\\ud800')").out, "\\ud800\n")
        self.assertEqual(self.run_code("import sys\nsys.stdout.buffer.write('é\\n'.encode()[:1])\nsys.stdout.buffer.write('é\\n'.encode()[1:])").out, "é\n")
        self.assertEqual(len(self.run_code("print('x' * 3_000_000)").out), 3_000_001)
        self.assertEqual(self.run_code("for i in range(20000): print(i)").out, "".join(f"{i}\n" for i in range(20000)))
        self.assertEqual(self.run_code("print(repr(input()))").error["name"], "EOFError")

    def test_envs_of_one_run(self):
        self.assertEqual(self.run_code("import os\nprint(os.environ['A'], os.environ['HOME'])", envs={"A": "b c", "HOME": "/x"}).out, "b c /x\n")
        self.assertEqual(self.run_code("print('A' in os.environ, os.environ['HOME'])").out, f"False {self.toolbox.home}\n")

    def test_cwd(self):
        context = self.create(cwd="/tmp")
        self.assertEqual(self.run_code("import os; print(os.getcwd())", context).out, "/tmp\n")
        self.assertEqual(self.run_code("import os; print(os.getcwd())").out, self.toolbox.home + "\n")

    def test_timeout(self):
        self.run_code("kept = 1")
        for code in ("while True: pass", "import time; time.sleep(60)", "import subprocess; subprocess.run(['sleep', '60'])"):
            begin = time.monotonic()
            result = self.run_code(code, timeout=1)
            self.assertEqual((result.close, result.frames), (4008, []))
            self.assertTrue(0.9 < time.monotonic() - begin < 20)
        self.assertEqual(self.run_code("print(kept)").out, "1\n")
        self.assertEqual(self.run_code("import time; time.sleep(0.2); print('in time')", timeout=0).out, "in time\n")
        self.assertEqual(self.run_code("import time; time.sleep(5)", timeout=0.2).close, 4008)

    def test_what_can_not_be_interrupted_is_ended(self):
        self.run_code("lost = 1")
        result = self.run_code("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", timeout=0.3)
        self.assertEqual(result.close, 4008)
        result = self.run_code("print('lost' in globals())")
        self.assertEqual(result.out, "False\n")
        self.assertIn("could not be interrupted", result.err)
        self.assertEqual(self.run_code("print(1)").err, "")

    def test_interrupt(self):
        socket = self.begin("import time\nprint('ready')\ntime.sleep(60)")
        socket.receive()
        socket.send(json.dumps({"interrupt": True}))
        result = Result(socket)
        self.assertEqual((result.control, result.close), ("interrupted", 1000))

    def test_client_that_leaves(self):
        self.run_code("kept = 2")
        socket = self.begin("while True: pass")
        time.sleep(0.2)
        socket.drop()
        begin = time.monotonic()
        self.assertEqual(self.run_code("print(kept)").out, "2\n")
        self.assertLess(time.monotonic() - begin, 20)

    def test_queue(self):
        first = self.begin(f"print('begun')\n{self.wait_for_file('all asked')}order = ['first']; print('one')")
        first.receive()
        others = [self.begin(f"order.append({i}); print(order[-1])") for i in range(5)]
        gone = self.begin("order.append('gone')")
        gone.drop()
        time.sleep(0.5)  # until it is seen that nobody waits for that one
        self.touch("all asked")
        self.assertEqual(Result(first).out, "one\n")
        for i, socket in enumerate(others):
            self.assertEqual(Result(socket).out, f"{i}\n")
        self.assertNotIn("gone", self.run_code("print(order)").out)

    def test_code_that_waits_is_bounded(self):
        first = self.begin(f"print('begun')\n{self.wait_for_file('enough')}")
        first.receive()
        much = "# " + "x" * (15 << 20)
        waiting = [self.begin(much) for _ in range(5)]
        answered = select.select([socket.connection for socket in waiting], [], [], 30)[0]
        self.assertEqual(len(answered), 1)
        refused = waiting.pop([socket.connection for socket in waiting].index(answered[0]))
        self.assertEqual(Result(refused).close, 1013)
        self.touch("enough")
        for socket in [first, *waiting]:
            self.assertEqual(Result(socket).close, 1000)
        self.assertEqual(self.run_code(much).close, 1000)

    def test_death(self):
        rows = [("import os; os._exit(3)", "exited with code 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
                ("import os; os.abort()", "signal 6 (SIGABRT)")]
        for code, text in rows:
            self.run_code("x = 1")
            result = self.run_code("print('before')\n" + code)
            self.assertEqual((result.out, result.close, result.error["name"]), ("before\n", 1000, "InterpreterExited"))
            self.assertIn(text, result.error["value"])
            self.assertEqual(self.run_code("print('x' in globals())").out, "False\n")

    def test_death_between_runs(self):
        pid = int(self.run_code("import os, threading\nthreading.Timer(0.2, lambda: os._exit(1)).start()\nprint(os.getpid())").out)
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{pid}"):  # until the daemon has taken notice
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        result = self.run_code("print('new')")
        self.assertEqual(result.out, "new\n")
        self.assertIn("exited with code 1", result.err)

    def test_what_is_taken_away_or_replaced(self):
        for code in ("import builtins\nfor name in ('compile', 'exec', 'print', 'open'): delattr(builtins, name)",
                     "import json, os\njson.dumps = json.loads = os.write = os.read = os.getpid = lambda *a, **k: None"):
            context = self.create()
            self.assertEqual(self.run_code(code, context).control, "completed")
            result = self.run_code("import sys; sys.stdout.write('still 2\\n')", context)
            self.assertEqual((result.out, result.control), ("still 2\n", "completed"))

    def test_late_output_of_threads(self):
        self.run_code("import threading, time\ndef talk():\n  for i in range(200000): print('late', i)\nthreading.Timer(0.2, talk).start()")
        time.sleep(1)
        self.assertEqual(self.run_code("print('mine')").control, "completed")

    def test_slow_client(self):
        socket = self.begin("for i in range(300000): print('x' * 100)")
        time.sleep(2)  # must not fill our memory
        with open(f"/proc/{self.toolbox.process.pid}/status") as file:
            rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        self.assertLess(rss, 30_000)
        self.assertEqual(len(Result(socket).out), 300000 * 101)

    def test_forks_and_pickles(self):
        code = "import multiprocessing, pickle\ndef f(n): return n * n\nclass C: pass\npickle.loads(pickle.dumps(C()))\nwith multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(f, [1, 2, 3]))"
        self.assertEqual(self.run_code(code).out, "[1, 4, 9]\n")

    def test_forked_children_end_with_the_code(self):
        for last, status in (("print('child')", 0), ("import sys; sys.exit(3)", 3), ("1 / 0", 1)):
            result = self.run_code(f"import os\nif os.fork() == 0:\n    {last}\nelse:\n    print(os.wait()[1] >> 8)")
            self.assertEqual(result.out.split()[-1], str(status))
            self.assertEqual(result.err.count("ZeroDivisionError"), 1 if status == 1 else 0)
            self.assertEqual(result.frames[-1], COMPLETED)
        self.assertEqual({self.run_code("print(os.getpid())").out for _ in range(4)}, {self.run_code("print(os.getpid())").out})

    def test_life_of_contexts(self):
        info = self.toolbox.get("/process/interpreter/context").json
        mine = [c for c in info["contexts"] if c["id"] == self.context][0]
        self.assertEqual(set(mine), {"id", "cwd", "createdAt", "active", "language"})
        self.assertEqual((mine["cwd"], mine["active"], mine["language"]), (self.toolbox.home, True, "python"))
        self.assertNotIn("default", [c["id"] for c in info["contexts"]])
        pid = int(self.run_code("import os; print(os.getpid())").out)
        socket = self.begin("import time; print('begun'); time.sleep(60)")
        socket.receive()
        waiting = self.begin("print(1)")
        waiting.send_frame(WebSocket.PING, b"asked")
        self.assertEqual(waiting.receive(), (WebSocket.PONG, b"asked"))  # what came before it has been read
        answer = self.toolbox.delete("/process/interpreter/context/" + self.context)
        self.assertEqual((answer.status, list(answer.json)), (200, ["message"]))
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        for client in (socket, waiting):
            result = Result(client)
            self.assertEqual((result.error["name"], result.close), ("ContextDeleted", 1000))
        self.expect_error(self.toolbox.delete("/process/interpreter/context/" + self.context), 404, "NOT_FOUND")
        self.expect_error(self.toolbox.delete("/process/interpreter/context/default"), 400, "BAD_REQUEST")

    def test_warm_run_is_quick(self):
        self.run_code("1")
        times = []
        for _ in range(100):
            begin = time.perf_counter()
            self.run_code("print(1)")
            times.append((time.perf_counter() - begin) * 1000)
        print(f"\nPython run, warm, new WebSocket: p50 {statistics.median(times):.2f} ms")


class JavaScript(InterpreterCase):
    language = "javascript"

    def test_state_is_kept(self):
        self.assertEqual(self.run_code("const x = 41; let y = {a: 1}; function f() { return x + 1 }; console.log(f())").out, "42\n")
        self.assertEqual(self.run_code("y.a = 2; console.log(x, y, f())").out, "41 { a: 2 } 42\n")

    def test_await_and_import(self):
        code = "import path, { basename as base } from 'path'\nconst v = await new Promise(r => setTimeout(() => r(7), 20))\nconsole.log(v, base('/a/b'), path.sep)"
        self.assertEqual(self.run_code(code).out, "7 b /\n")
        self.assertEqual(self.run_code("console.log(v, base('/x/y'), require('os').EOL.length)").out, "7 y 1\n")

    def test_errors(self):
        result = self.run_code("console.log('before')\nfunction f() { throw new TypeError('bad') }\nf()")
        self.assertEqual((result.out, result.error["name"], result.error["value"]), ("before\n", "TypeError", "bad"))
        self.assertEqual(result.error["traceback"].splitlines(),
                         ["TypeError: bad", "    at f (<javascript-input-0>:2:22)", "    at <javascript-input-0>:3:1"])
        self.assertEqual(self.run_code("let = ;").error["name"], "SyntaxError")
        self.assertEqual(self.run_code("throw 5").error["value"], "5")
        self.assertEqual(self.run_code("await Promise.reject(new RangeError('r'))").error["name"], "RangeError")
        self.assertEqual(self.run_code("console.log(1)").out, "1\n")

    def test_streams_and_envs(self):
        result = self.run_code("console.log('o', process.env.A); console.error('e'); process.stdout.write('é'.repeat(200000))", envs={"A": "b"})
        self.assertEqual((result.out, result.err), ("o b\n" + "é" * 200000, "e\n"))
        self.assertEqual(self.run_code("console.log(process.env.A)").out, "undefined\n")
        self.assertEqual(self.run_code("require('child_process').execSync('echo child; cat', {stdio: 'inherit'})").out, "child\n")

    def test_interrupts(self):
        self.run_code("const kept = 1")
        for code in ("while (true);", "await new Promise(() => {})", "for (;;) await new Promise(r => setTimeout(r, 1))"):
            self.assertEqual(self.run_code(code, timeout=0.5).close, 4008)
        self.assertEqual(self.run_code("console.log(kept)").out, "1\n")

    def test_errors_that_are_no_text(self):
        error = self.run_code("throw new Error('a\\ud800b')").error
        self.assertEqual((error["name"], error["value"]), ("Error", "a\ufffdb"))

    def test_unhandled_rejections_are_told(self):
        for _ in range(5):
            result = self.run_code("Promise.reject(new Error('nobody')); console.log('out')")
            self.assertEqual((result.out, result.control), ("out\n", "completed"))
            self.assertIn("Uncaught (in promise) Error: nobody", result.err)

    def test_json_of_the_users_own(self):
        self.run_code("JSON.stringify = JSON.parse = () => 1; globalThis.setImmediate = undefined")
        self.assertEqual(self.run_code("console.log('still')").out, "still\n")

    def test_death_and_late_errors(self):
        self.assertEqual(self.run_code("process.exit(4)").error["value"].split(";")[0], "the interpreter exited with code 4")
        self.run_code("var kept = 1; setTimeout(() => { throw new Error('late') }, 1); Promise.reject(new Error('nobody'))")
        time.sleep(0.1)
        self.assertEqual(self.run_code("console.log(kept)").out, "1\n")


class TypeScript(InterpreterCase):
    language = "typescript"

    def setUp(self):
        super().setUp()
        if self.run_code("const probe: number = 1").error:
            self.skipTest("no TypeScript compiler here")

    def test_types(self):
        code = "interface P { name: string }\nimport { join } from 'path'\nimport type { Stats } from 'fs'\nconst p: P = { name: 'x' }\nfunction id<T>(v: T): T { return v }\nconsole.log(id<string>(p.name), join('a', 'b'))"
        result = self.run_code(code)
        self.assertEqual((result.out, result.err, result.error), ("x a/b\n", "", None))
        self.assertEqual(self.run_code("let n: number = (p as P).name.length; console.log(n satisfies number)").out, "1\n")
        self.assertEqual(self.run_code("enum E { A, B }; console.log(E.B)").out, "1\n")

    def test_wrong(self):
        self.assertEqual(self.run_code("const a: = 5").error["name"], "SyntaxError")
        self.assertEqual(self.run_code("throw new Error('e') as unknown").error["value"], "e")


class NothingInstalled(InterpreterCase):
    settings = {"env": {"PATH": "/nonexistent"}}

    def setUp(self):
        pass

    def test_says_what_is_missing(self):
        for language in ("python", "javascript", "typescript"):
            answer = self.toolbox.post("/process/interpreter/context", {"language": language})
            self.assertIn(answer.status, (400, 404, 422), answer.body)
            self.assertIn("python3" if language == "python" else "node", answer.json["message"])
        socket = self.toolbox.websocket(EXECUTE)
        socket.send(json.dumps({"code": "print(1)"}))
        result = Result(socket)
        self.assertEqual((result.close, result.error["name"]), (1011, "InterpreterUnavailable"))
        self.assertEqual(self.toolbox.get("/process/interpreter/context").json, {"contexts": []})


class BadInput(InterpreterCase):
    def test_create(self):
        for body in (b"{", b"[]", {"language": 1}, {"cwd": 1}, {"cwd": ["x"]}):
            with self.subTest(body):
                self.expect_error(self.toolbox.post("/process/interpreter/context", body), 400, "INVALID_REQUEST_BODY")
        for body in ({"language": "ruby"}, {"language": "Python"}, {"language": "py\nthon"}, {"cwd": "/nonexistent"}, {"cwd": "/etc/passwd"}):
            with self.subTest(body):
                self.expect_error(self.toolbox.post("/process/interpreter/context", body), 400, "BAD_REQUEST")
        answer = self.toolbox.post("/process/interpreter/context", b"")
        self.assertEqual((answer.status, answer.json["language"]), (200, "python"))
        self.toolbox.delete("/process/interpreter/context/" + answer.json["id"])

    def test_messages(self):
        rows = [("", 1002), ("{", 1002), ("[]", 1002), ("null", 1002), ("\"x\"", 1002), ("{\"code\":\"a\",\"code\":\"b\"}", 1002),
                ("{}", 1008), ("{\"code\":\"\"}", 1008), ("{\"code\":1}", 1008), ("{\"code\":\"1\",\"contextId\":\"none\"}", 1008),
                ("{\"code\":\"1\",\"contextId\":1}", 1008), ("{\"code\":\"1\",\"timeout\":-1}", 1008), ("{\"code\":\"1\",\"timeout\":\"5\"}", 1008),
                ("{\"code\":\"1\",\"timeout\":1e300}", 1008), ("{\"code\":\"1\",\"envs\":[]}", 1008), ("{\"code\":\"1\",\"envs\":{\"A\":1}}", 1008),
                ("{\"code\":\"1\",\"envs\":{\"A B\":\"1\"}}", 1008), ("{\"code\":\"1\",\"envs\":{\"A\":\"\\u0000\"}}", 1008)]
        for message, code in rows:
            with self.subTest(message):
                socket = self.toolbox.websocket(EXECUTE)
                socket.send(message)
                result = Result(socket)
                self.assertEqual((result.close, result.frames), (code, []))

    def test_odd_code(self):
        self.assertIn(self.run_code("\0").error["name"], ("SyntaxError", "ValueError"))  # 3.12, 3.11
        self.assertEqual(self.run_code("# nothing").control, "completed")
        self.assertEqual(self.run_code("print(len(" + repr("x" * 500_000) + "))").out, "500000\n")
        self.assertEqual(self.run_code("(" * 5000).control, "completed")

    def test_plain_request(self):
        self.expect_error(self.toolbox.get(EXECUTE), 400, "BAD_REQUEST")

    def test_silent_and_leaving_clients(self):
        for _ in range(20):
            self.toolbox.websocket(EXECUTE).drop()
        self.assertEqual(self.run_code("print(1)").out, "1\n")


if __name__ == "__main__":
    unittest.main()
