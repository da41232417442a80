"""Everything inside a sandbox with the official Python SDK: sessions, terminals, interpreters, git, language servers, signed
addresses, environment. Runs unchanged with the oldest and the newest supported version; what only one has is skipped.
"""

import asyncio
import os
import pathlib
import sys
import time
import unittest
import urllib.error
import urllib.request
import warnings

from daytona import (CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaError, DaytonaNotFoundError, PtySize,
                     SessionExecuteRequest)

CONFIG = dict(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"])
RIG = pathlib.Path(__file__).resolve().parents[1] / "git_rig.py"
# A git server with authentication, inside the sandbox: nothing else is near it.
SERVE = """cd /home/daytona/rig && exec python3 -u -c '
import pathlib, git_rig
root = pathlib.Path("/tmp/served")
root.mkdir()
git_rig.make_repository(root / "r.git", {"README.md": "hello\\n"})
git_rig.GitHttp(root).__enter__()
' & cd /home/daytona/rig"""


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daytona = Daytona(DaytonaConfig(**CONFIG))
        cls.sandbox = cls.daytona.create(CreateSandboxFromSnapshotParams(env_vars={"DECLARED": "yes"}))
        cls.process = cls.sandbox.process

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.delete()

    def need(self, owner, name):
        if not hasattr(owner, name):
            self.skipTest(f"SKIP: this version has no {name}()")
        return getattr(owner, name)

    def eventually(self, check, seconds=30):
        deadline = time.monotonic() + seconds
        while not (found := check()):
            self.assertLess(time.monotonic(), deadline, "did not come true in time")
            time.sleep(0.05)
        return found


class Sessions(Case):
    def follow(self, session, command):
        out, err = [], []
        asyncio.run(self.process.get_session_command_logs_async(session, command, out.append, err.append))
        return "".join(out), "".join(err)

    def test_follow_input_and_end(self):
        self.process.create_session("talk")
        command = self.process.execute_session_command("talk", SessionExecuteRequest(
            command="echo begin; echo warned >&2; read line; echo got $line; exit_with() { return 5; }; exit_with", run_async=True))
        self.eventually(lambda: "begin" in (self.process.get_session_command_logs("talk", command.cmd_id).stdout or ""))
        self.process.send_session_command_input("talk", command.cmd_id, "answer\n")
        out, err = self.follow("talk", command.cmd_id)
        self.assertEqual(out.replace("answer\n", "", 1), "begin\ngot answer\n")  # input is echoed into the log
        self.assertEqual(err, "warned\n")
        self.assertEqual(self.process.get_session_command("talk", command.cmd_id).exit_code, 5)
        self.assertIn("talk", [session.session_id for session in self.process.list_sessions()])
        self.process.delete_session("talk")
        with self.assertRaises(DaytonaNotFoundError):
            self.process.get_session("talk")

    def test_a_daemon_survives(self):
        self.process.create_session("daemons")
        self.process.execute_session_command("daemons", SessionExecuteRequest(command="setsid sleep 4321 >/dev/null 2>&1 & until pgrep -x -f 'sleep 4321' >/dev/null; do sleep 0.05; done"))
        self.process.delete_session("daemons")
        self.assertEqual(self.process.exec("pgrep -c -f '^sleep 4321$'").result, "1\n")

    def test_entrypoint(self):
        try:  # the default image has none; where there is one it has a session and logs
            session = self.process.get_entrypoint_session()
            self.assertEqual(session.session_id, "entrypoint")
            self.process.get_entrypoint_logs()
        except DaytonaNotFoundError:
            with self.assertRaises(DaytonaNotFoundError):
                self.process.get_entrypoint_logs()


class Terminals(Case):
    def run_in(self, handle, *steps):
        """Sends and waits for what is to be seen then: (input, text), one after the other; at last until the end."""
        seen, steps = "", list(steps)
        handle.send_input(steps[0][0])
        for data in handle:
            seen += data.decode(errors="replace")
            while steps and steps[0][1] in seen:
                seen = seen.split(steps.pop(0)[1], 1)[1]
                if steps:
                    handle.send_input(steps[0][0])
        self.assertEqual(steps, [], f"never saw it: {seen[-2000:]!r}")
        handle.disconnect()
        return handle

    def test_shell(self):
        handle = self.process.create_pty_session("t1", cwd="/tmp", envs={"A": "b c"}, pty_size=PtySize(rows=30, cols=100))
        self.assertEqual(self.process.get_pty_session_info("t1").cols, 100)
        self.assertIn("t1", [info.id for info in self.process.list_pty_sessions()])
        self.assertEqual(handle.resize(PtySize(rows=40, cols=120)).rows, 40)
        self.run_in(handle, ('echo "<$A>" $PWD $(stty size) $(echo ünï)\n', "<b c> /tmp 40 120 ünï"), ("exit 3\n", "exit"))
        self.assertEqual(handle.exit_code, 3)

    def test_full_screen_programs(self):
        handle = self.process.create_pty_session("screen", cwd="/tmp", pty_size=PtySize(rows=24, cols=80))
        into, out_of = "\x1b[?1049h", "\x1b[?1049l"  # the alternate screen
        self.run_in(handle, ("vim -u NONE written\n", into), ("ihello from vim\x1b:wq\r", out_of), ("htop\n", into), ("q", out_of),
                    ("echo o''n; exit\n", "on\r\n"))
        self.assertEqual(handle.exit_code, 0)
        self.assertEqual(self.sandbox.fs.download_file("/tmp/written"), b"hello from vim\n")

    def test_second_client_and_kill(self):
        first = self.process.create_pty_session("shared")
        second = self.process.connect_pty_session("shared")
        first.send_input("echo to''both\n")
        for handle in (first, second):
            seen = b""
            for data in handle:
                seen += data
                if b"toboth\r\n" in seen:
                    break
            self.assertIn(b"toboth\r\n", seen)
        second.kill()
        result = first.wait(timeout=20)
        self.assertEqual(result.exit_code, 137)
        first.disconnect()
        second.disconnect()
        with self.assertRaises(DaytonaNotFoundError):
            self.process.get_pty_session_info("shared")


class Interpreters(Case):
    def test_state_streams_and_errors(self):
        run = self.sandbox.code_interpreter.run_code
        pieces = []
        first = run("x = 41\nimport sys\nprint('out')\nprint('err', file=sys.stderr)", on_stdout=lambda message: pieces.append(message.output))
        self.assertEqual((first.stdout, first.stderr, first.error, "".join(pieces)), ("out\n", "err\n", None, "out\n"))
        self.assertEqual(run("import os; print(x + 1, os.environ['E'], os.environ['DECLARED'])", envs={"E": "once"}).stdout, "42 once yes\n")
        failed = run("print('before')\n1/0")
        self.assertEqual((failed.stdout, failed.error.name), ("before\n", "ZeroDivisionError"))
        self.assertIn("line 2, in <module>", failed.error.traceback)

    def test_contexts(self):
        interpreter = self.sandbox.code_interpreter
        one, two = interpreter.create_context(cwd="/tmp"), interpreter.create_context()
        interpreter.run_code("mine = 1", context=one)
        self.assertEqual(interpreter.run_code("import os; print(mine, os.getcwd())", context=one).stdout, "1 /tmp\n")
        self.assertEqual(interpreter.run_code("mine", context=two).error.name, "NameError")
        self.assertLessEqual({one.id, two.id}, {context.id for context in interpreter.list_contexts()})
        interpreter.delete_context(one)
        with self.assertRaises(DaytonaError):
            interpreter.run_code("1", context=one)

    def test_timeout_and_death(self):
        interpreter = self.sandbox.code_interpreter
        context = interpreter.create_context()
        interpreter.run_code("kept = 1", context=context)
        with self.assertRaisesRegex(DaytonaError, "time"):
            interpreter.run_code("while True: pass", context=context, timeout=1)
        self.assertEqual(interpreter.run_code("print(kept)", context=context).stdout, "1\n")
        died = interpreter.run_code("import os; os._exit(3)", context=context)
        self.assertIn("exited with code 3", died.error.value)
        self.assertEqual(interpreter.run_code("print('kept' in globals())", context=context).stdout, "False\n")


class Git(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sandbox.fs.upload_file(str(RIG), "rig/git_rig.py")
        cls.process.create_session("server")
        cls.process.execute_session_command("server", SessionExecuteRequest(command=SERVE))
        deadline = time.monotonic() + 60
        find = "ss -Hltnp | sed -n 's/.*127.0.0.1:\\([0-9]*\\) .*python3.*/\\1/p'"
        while not (port := cls.process.exec(find).result.strip()):
            assert time.monotonic() < deadline, "no git server"
            time.sleep(0.1)
        cls.url = f"http://127.0.0.1:{port}/private/r.git"
        cls.login = dict(username="alice", password="s3cret-Word")

    def test_day_with_a_repository(self):
        git, fs = self.sandbox.git, self.sandbox.fs
        with self.assertRaises(DaytonaError):
            git.clone(self.url, "denied")
        git.clone(self.url, "r", **self.login)
        status = git.status("r")
        self.assertEqual((status.current_branch, status.file_status, status.branch_published), ("main", [], True))
        fs.upload_file(b"new\n", "r/new.txt")
        fs.upload_file(b"changed\n", "r/README.md")
        states = {entry.name: entry.worktree for entry in git.status("r").file_status}
        self.assertEqual({name: str(getattr(state, "value", state)) for name, state in states.items()},
                         {"new.txt": "Untracked", "README.md": "Modified"})
        git.create_branch("r", "feature")
        git.checkout_branch("r", "feature")
        git.add("r", ["."])
        made = git.commit("r", "work", "Ada", "ada@example.com")
        self.assertRegex(made.sha, "^[0-9a-f]{40}$")
        git.push("r", **self.login)
        git.clone(self.url, "again", branch="feature", **self.login)
        self.assertEqual(fs.download_file("again/new.txt"), b"new\n")
        git.clone(self.url, "at", commit_id=made.sha, branch="feature", **self.login)
        git.commit("again", "nothing", "Bob", "bob@example.com", allow_empty=True)
        git.push("again", **self.login)
        git.pull("r", **self.login)
        git.checkout_branch("r", "main")
        git.delete_branch("r", "feature")
        self.assertEqual(git.branches("r").branches, ["main"])

    def test_newer_calls(self):
        git = self.sandbox.git
        self.need(git, "init")("n", initial_branch="trunk")
        git.configure_user("Ada", "ada@example.com", scope="local", path="n")
        self.assertEqual(git.get_config("user.name", scope="local", path="n"), "Ada")
        git.remote_add("n", "origin", self.url)
        self.assertEqual(git.remote_get("n", "origin"), self.url)
        self.sandbox.fs.upload_file(b"1\n", "n/f")
        git.add("n", ["f"])
        first = git.commit("n", "one", "Ada", "ada@example.com").sha
        self.sandbox.fs.upload_file(b"2\n", "n/f")
        git.restore("n", ["f"])
        self.assertEqual(self.sandbox.fs.download_file("n/f"), b"1\n")
        git.commit("n", "two", "Ada", "ada@example.com", allow_empty=True)
        git.reset("n", mode="hard", target=first)
        self.assertEqual(self.process.exec("git -C n rev-parse HEAD").result.strip(), first)
        git.dangerously_authenticate(self.login["username"], self.login["password"], host=self.url.split("/")[2], protocol="http")
        git.clone(self.url, "remembered")
        self.process.exec("rm -f ~/.git-credentials; git config --global --unset-all credential.helper")


class Languages(Case):
    def test_python_and_typescript_at_once(self):
        fs = self.sandbox.fs
        fs.upload_file(b"class Greeter:\n    def greet(self):\n        return 'hi'\n\nGreeter().gr\n", "p/main.py")
        fs.upload_file(b"export class Shouter {\n  shout() { return 'HI' }\n}\nnew Shouter().sh\n", "t/index.ts")
        fs.upload_file(b"{}", "t/tsconfig.json")
        servers = []
        for language, project, path, line, column, label in (("python", "p", "p/main.py", 4, 12, "greet"), ("typescript", "t", "t/index.ts", 3, 16, "shout")):
            server = self.sandbox.create_lsp_server(language, f"/home/daytona/{project}")
            server.start()
            servers.append((server, f"/home/daytona/{path}", line, column, label))
        from daytona import LspCompletionPosition
        for server, path, line, column, label in servers:
            server.did_open(path)
            items = self.eventually(lambda: server.completions(path, LspCompletionPosition(line, column)).items)
            self.assertTrue(any(item.label.startswith(label) for item in items), [item.label for item in items])
            self.assertIn(label, {symbol.name for symbol in server.document_symbols(path)})
            self.assertTrue(any(symbol.name.lower().startswith(label[:4]) for symbol in server.sandbox_symbols(label[:4])))
            server.did_close(path)
        # One that is killed is started again by the next call, or says what happened: then the one after that works.
        self.process.exec("pkill -9 -f pylsp")
        server, path, line, column, label = servers[0]
        try:
            server.completions(path, LspCompletionPosition(line, column))
        except DaytonaError as error:
            self.assertRegex(str(error), "exited|ended|signal|SIGKILL")
        self.assertTrue(server.completions(path, LspCompletionPosition(line, column)).items)
        for server, *_ in servers:
            server.stop()
        self.assertEqual(self.process.exec("pgrep -c -f 'pylsp|typescript-language-server|tsserver'").result, "0\n")


class Doors(Case):
    def fetch(self, url, method="GET", data=None):
        request = urllib.request.Request(url, data, {"Content-Type": "application/octet-stream"} if data else {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def test_signed_addresses(self):
        place = self.need(self.sandbox, "upload_url")("/tmp/by address", ttl_seconds=600)
        self.assertEqual(self.fetch(place, "POST", b"hello")[0], 200)
        source = self.sandbox.download_url("/tmp/by address")
        self.assertEqual(self.fetch(source), (200, b"hello"))
        self.assertEqual(self.fetch(source, "POST", b"x")[0] // 100, 4)  # bound to its method ...
        self.assertEqual(self.fetch(source.replace("by%20address", "other").replace("by+address", "other"))[0], 401)  # ... and its file
        self.assertEqual(self.fetch(self.sandbox.download_url("/tmp/by address", ttl_seconds=0)), (200, b"hello"))
        short = self.sandbox.download_url("/tmp/by address", ttl_seconds=1)
        self.eventually(lambda: self.fetch(short)[0] == 401)
        self.sandbox.rotate_signing_key()
        self.assertEqual(self.fetch(source)[0], 401)
        self.assertEqual(self.fetch(self.sandbox.download_url("/tmp/by address")), (200, b"hello"))

    def test_environment(self):
        self.need(self.sandbox, "update_env")({"ADDED": "a b"}, unset=["DECLARED"])
        self.assertEqual(self.process.exec("echo [$ADDED] [$DECLARED]").result, "[a b] []\n")
        self.sandbox.update_env({"DECLARED": "yes"}, unset=["ADDED"])

    def test_streams(self):
        upload = self.need(self.sandbox.fs, "upload_file_stream")
        block = os.urandom(1 << 16)

        def pieces():
            for _ in range(64):
                yield block
        import io
        upload(io.BytesIO(block * 64), "/tmp/streamed")
        self.assertEqual(b"".join(self.sandbox.fs.download_file_stream("/tmp/streamed")), b"".join(pieces()))

    def test_deprecated_passthrough(self):
        """The way through the control plane, with the client that was generated for it."""
        import daytona_api_client as old
        self.need(old, "ToolboxApi")
        warnings.simplefilter("ignore")  # each call says that it is deprecated
        client = old.ApiClient(old.Configuration(host=CONFIG["api_url"]))
        client.default_headers["Authorization"] = "Bearer " + CONFIG["api_key"]
        tools, box = old.ToolboxApi(client), self.sandbox.id
        self.assertEqual(tools.get_project_dir_deprecated(box).dir, "/home/daytona")
        answer = tools.execute_command_deprecated(box, old.ExecuteRequest(command="echo old; exit 3"))
        self.assertEqual((answer.exit_code, answer.result), (3, "old\n"))
        tools.create_folder_deprecated(box, "/tmp/old", "755")
        tools.upload_file_deprecated(box, "/tmp/old/f", file=("f", b"text to find\n"))
        self.assertEqual([entry.name for entry in tools.list_files_deprecated(box, path="/tmp/old")], ["f"])
        self.assertEqual(tools.get_file_info_deprecated(box, "/tmp/old/f").size, 13)
        self.assertEqual(tools.find_in_files_deprecated(box, "/tmp/old", "find")[0].line, 1)
        self.assertEqual(tools.search_files_deprecated(box, "/tmp/old", "f*").files, ["/tmp/old/f"])
        self.assertEqual(bytes(tools.download_file_deprecated(box, "/tmp/old/f")), b"text to find\n")
        tools.move_file_deprecated(box, "/tmp/old/f", "/tmp/old/g")
        tools.delete_file_deprecated(box, "/tmp/old/g")
        tools.create_session_deprecated(box, old.CreateSessionRequest(session_id="old"))
        ran = tools.execute_session_command_deprecated(box, "old", old.SessionExecuteRequest(command="echo in"))
        self.assertIn("in\n", ran.output)
        self.assertIn("in\n", tools.get_session_command_logs_deprecated(box, "old", ran.cmd_id))
        self.assertEqual(tools.get_session_deprecated(box, "old").session_id, "old")
        tools.delete_session_deprecated(box, "old")
        self.process.exec("git init -q -b main /tmp/old/r")
        self.assertEqual(tools.git_get_status_deprecated(box, "/tmp/old/r").current_branch, "main")


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=1)
