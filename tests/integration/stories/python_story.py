"""A user's day with the official Python SDK, sync. Runs unchanged with the oldest and the newest supported version.

SEBRING_URL and SEBRING_KEY name the server; the SDK is whatever the interpreter's environment has.
"""

import os
import sys
import time
import unittest
import uuid

from daytona import (CodeRunParams, CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaError,
                     DaytonaNotFoundError, FileUpload, ListSandboxesQuery, SessionExecuteRequest)

try:  # the newest SDK has more precise classes, the oldest one for all
    from daytona import DaytonaAuthenticationError, DaytonaConflictError, DaytonaValidationError
except ImportError:
    DaytonaAuthenticationError = DaytonaConflictError = DaytonaValidationError = DaytonaError

CONFIG = dict(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"])


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daytona = Daytona(DaytonaConfig(**CONFIG))
        cls.label = uuid.uuid4().hex
        cls.sandbox = cls.daytona.create(CreateSandboxFromSnapshotParams(
            labels={"story": cls.label}, env_vars={"GREETING": "hello"}, auto_stop_interval=30))

    @classmethod
    def tearDownClass(cls):
        cls.daytona.delete(cls.sandbox)

    def test_created(self):
        self.assertEqual(str(getattr(self.sandbox.state, "value", self.sandbox.state)), "started")
        self.assertEqual(self.sandbox.labels["story"], self.label)
        self.assertEqual(self.sandbox.auto_stop_interval, 30)
        again = self.daytona.get(self.sandbox.id)
        self.assertEqual(again.name, self.sandbox.name)

    def test_code_run(self):
        answer = self.sandbox.process.code_run("import sys\nprint(sum(range(10)))\nsys.exit(3)")
        self.assertEqual((answer.exit_code, answer.result), (3, "45\n"))
        answer = self.sandbox.process.code_run("import sys, os; print(sys.argv[1:], os.environ['A'])",
                                               CodeRunParams(argv=["x", "y"], env={"A": "b"}))
        self.assertEqual(answer.result, "['x', 'y'] b\n")

    def test_chart(self):
        answer = self.sandbox.process.code_run(
            "import matplotlib.pyplot as plt\nplt.plot([1,2,3],[4,5,6],label='l')\nplt.title('T')\nplt.show()\nprint('done')")
        self.assertEqual(answer.exit_code, 0, answer.result)
        self.assertIn("done", answer.result)
        chart = answer.artifacts.charts[0]
        self.assertEqual(chart.title, "T")
        self.assertEqual(str(getattr(chart.type, "value", chart.type)), "line")
        self.assertEqual(len(chart.elements[0].points), 3)
        self.assertTrue(chart.png)

    def test_exec(self):
        answer = self.sandbox.process.exec("echo $GREETING; pwd; echo $X >&2; exit 7", cwd="/tmp", env={"X": "err"})
        self.assertEqual(answer.exit_code, 7)
        self.assertEqual(answer.result, "hello\n/tmp\nerr\n")
        start = time.monotonic()
        with self.assertRaises(DaytonaError):
            self.sandbox.process.exec("sleep 30", timeout=1)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(self.sandbox.process.exec("id -un; id -u; pwd").result, "daytona\n1000\n/home/daytona\n")

    def test_files(self):
        fs = self.sandbox.fs
        fs.create_folder("dir", "755")
        fs.upload_file(b"hello world\n", "dir/a.txt")
        fs.upload_files([FileUpload(source=b"\x00\xff" * 1000, destination="dir/sub/b.bin"),
                         FileUpload(source="x = 1\n".encode(), destination="dir/c.py")])
        self.assertEqual(fs.download_file("dir/a.txt"), b"hello world\n")
        self.assertEqual(fs.download_file("dir/sub/b.bin"), b"\x00\xff" * 1000)
        self.assertEqual(sorted(f.name for f in fs.list_files("dir")), ["a.txt", "c.py", "sub"])
        info = fs.get_file_info("dir/a.txt")
        self.assertEqual((info.size, info.is_dir, info.permissions), (12, False, "0644"))
        fs.set_file_permissions("dir/a.txt", mode="600")
        self.assertEqual(fs.get_file_info("dir/a.txt").permissions, "0600")
        self.assertEqual([(m.file.rsplit("/", 1)[-1], m.line) for m in fs.find_files("dir", "world")], [("a.txt", 1)])
        self.assertEqual([f.rsplit("/", 1)[-1] for f in fs.search_files("dir", "*.py").files], ["c.py"])
        self.assertTrue(fs.replace_in_files(["dir/a.txt"], "world", "there")[0].success)
        self.assertEqual(fs.download_file("dir/a.txt"), b"hello there\n")
        fs.move_files("dir/a.txt", "dir/z.txt")
        fs.delete_file("dir/z.txt")
        with self.assertRaises(DaytonaNotFoundError):
            fs.get_file_info("dir/z.txt")
        with self.assertRaises(DaytonaError):
            fs.download_file("dir/z.txt")
        fs.delete_file("dir", recursive=True)

    def test_dirs(self):
        self.assertEqual(self.sandbox.get_user_home_dir(), "/home/daytona")
        self.assertEqual(self.sandbox.get_work_dir(), "/home/daytona")

    def test_list(self):
        found = list(self.daytona.list(ListSandboxesQuery(labels={"story": self.label})))
        self.assertEqual([s.id for s in found], [self.sandbox.id])
        self.assertEqual(list(self.daytona.list(ListSandboxesQuery(labels={"story": "nobody"}))), [])

    def test_labels_and_intervals(self):
        labels = self.sandbox.set_labels({"story": self.label, "more": "x"})
        self.assertEqual(labels["more"], "x")
        self.sandbox.set_autostop_interval(60)
        self.sandbox.refresh_data()
        self.assertEqual(self.sandbox.auto_stop_interval, 60)
        with self.assertRaises(DaytonaError):
            self.sandbox.set_autostop_interval(-1)

    def test_sessions(self):
        process = self.sandbox.process
        process.create_session("s1")
        process.execute_session_command("s1", SessionExecuteRequest(command="cd /tmp && export V=42"))
        answer = process.execute_session_command("s1", SessionExecuteRequest(command="pwd; echo $V; echo err >&2"))
        self.assertEqual((answer.exit_code, answer.stdout, answer.stderr), (0, "/tmp\n42\n", "err\n"))
        answer = process.execute_session_command("s1", SessionExecuteRequest(command="sleep 0.2; echo late", run_async=True))
        for _ in range(100):
            if process.get_session_command("s1", answer.cmd_id).exit_code is not None:
                break
            time.sleep(0.05)
        self.assertEqual(process.get_session_command_logs("s1", answer.cmd_id).stdout, "late\n")
        self.assertEqual(len(process.get_session("s1").commands), 3)
        process.delete_session("s1")
        with self.assertRaises(DaytonaNotFoundError):
            process.get_session("s1")


class Lifecycle(unittest.TestCase):
    def test_stop_start_delete(self):
        daytona = Daytona(DaytonaConfig(**CONFIG))
        sandbox = daytona.create()
        sandbox.fs.upload_file(b"survives", "keep.txt")
        sandbox.stop()
        self.assertEqual(str(getattr(sandbox.state, "value", sandbox.state)), "stopped")
        with self.assertRaises(DaytonaError):
            sandbox.process.exec("true")
        sandbox.start()
        self.assertEqual(sandbox.fs.download_file("keep.txt"), b"survives")
        sandbox.delete()
        with self.assertRaises(DaytonaNotFoundError):
            daytona.get(sandbox.id)

    def test_languages(self):
        daytona = Daytona(DaytonaConfig(**CONFIG))
        for language, code in (("javascript", "console.log([1,2].map(x => x * 2).join())"),
                               ("typescript", "const x: number[] = [1, 2]; console.log(x.map(v => v * 2).join());")):
            sandbox = daytona.create(CreateSandboxFromSnapshotParams(language=language))
            try:
                answer = sandbox.process.code_run(code)
                self.assertEqual((answer.exit_code, answer.result.strip()), (0, "2,4"), language)
            finally:
                sandbox.delete()


class Errors(unittest.TestCase):
    def test_classes(self):
        with self.assertRaises(DaytonaAuthenticationError):
            list(Daytona(DaytonaConfig(api_url=CONFIG["api_url"], api_key="dtn_" + "0" * 64)).list())
        daytona = Daytona(DaytonaConfig(**CONFIG))
        with self.assertRaises(DaytonaNotFoundError):
            daytona.get("nobody")
        with self.assertRaises(DaytonaValidationError) as caught:
            daytona.create(CreateSandboxFromSnapshotParams(snapshot="nosuch"))
        self.assertIn("nosuch not found", str(caught.exception))
        name = "twice-" + uuid.uuid4().hex[:8]
        sandbox = daytona.create(CreateSandboxFromSnapshotParams(name=name))
        try:
            with self.assertRaises(DaytonaConflictError):
                daytona.create(CreateSandboxFromSnapshotParams(name=name))
        finally:
            sandbox.delete()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
