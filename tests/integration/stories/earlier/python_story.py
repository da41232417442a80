"""What clients of an earlier Python SDK do; its requests differ from today's in places."""

import os
import unittest
import urllib.request
import uuid

from daytona import CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaNotFoundError, SessionExecuteRequest


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daytona = Daytona(DaytonaConfig(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"]))
        cls.label = uuid.uuid4().hex
        cls.sandbox = cls.daytona.create(CreateSandboxFromSnapshotParams(labels={"earlier": cls.label}, env_vars={"A": "b"}))

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.delete()

    def test_commands(self):
        answer = self.sandbox.process.exec("echo $A $B; pwd; exit 3", cwd="/tmp", env={"B": "c"}, timeout=20)
        self.assertEqual((answer.exit_code, answer.result), (3, "b c\n/tmp\n"))
        self.assertEqual(self.sandbox.process.code_run("print(6 * 7)").result, "42\n")
        drawn = self.sandbox.process.code_run("import matplotlib.pyplot as p\np.plot([1, 2])\np.show()")
        self.assertEqual([chart.type.value for chart in drawn.artifacts.charts], ["line"])

    def test_files(self):
        files = self.sandbox.fs
        files.create_folder("/tmp/earlier", "755")
        files.upload_file(b"hey\n", "/tmp/earlier/a")
        self.assertEqual(files.download_file("/tmp/earlier/a"), b"hey\n")
        self.assertEqual([one.name for one in files.list_files("/tmp/earlier")], ["a"])
        self.assertEqual(files.find_files("/tmp/earlier", "hey")[0].line, 1)
        self.assertEqual(files.search_files("/tmp/earlier", "a*").files, ["/tmp/earlier/a"])
        self.assertTrue(files.replace_in_files(["/tmp/earlier/a"], "hey", "ho")[0].success)
        files.set_file_permissions("/tmp/earlier/a", "600", "daytona", "daytona")
        self.assertEqual(files.get_file_info("/tmp/earlier/a").mode, "-rw-------")
        files.move_files("/tmp/earlier/a", "/tmp/earlier/b")
        files.delete_file("/tmp/earlier/b")

    def test_session(self):
        process = self.sandbox.process
        process.create_session("s")
        one = process.execute_session_command("s", SessionExecuteRequest(command="export X=1; cd /tmp; echo hi; echo er >&2"))
        two = process.execute_session_command("s", SessionExecuteRequest(command="echo $X $PWD"))
        self.assertEqual((one.exit_code, one.stdout, one.stderr, two.stdout), (0, "hi\n", "er\n", "1 /tmp\n"))
        logs = process.get_session_command_logs("s", one.cmd_id)
        self.assertEqual((logs.stdout, logs.stderr), ("hi\n", "er\n"))
        process.delete_session("s")

    def test_lists(self):
        self.assertGreater(self.daytona.list().total, 0)
        self.assertEqual([one.id for one in self.daytona.list({"earlier": self.label}).items], [self.sandbox.id])
        self.sandbox.set_labels({"earlier": self.label, "more": "x"})
        self.sandbox.set_autostop_interval(10)

    def test_paused_by_a_later_client(self):
        paused = urllib.request.Request(os.environ["SEBRING_URL"] + f"/api/sandbox/{self.sandbox.id}/pause", method="POST",
                                        headers={"Authorization": "Bearer " + os.environ["SEBRING_KEY"]})
        urllib.request.urlopen(paused, timeout=60).close()
        for seen in (self.daytona.get(self.sandbox.id), *self.daytona.list({"earlier": self.label}).items):
            self.assertEqual(seen.state, "stopped")  # there is no such state as paused for it
        self.sandbox.start()
        self.assertEqual(self.daytona.get(self.sandbox.id).state, "started")

    def test_life(self):
        self.sandbox.process.exec("echo kept > ~/kept")
        self.sandbox.stop()
        self.sandbox.start()
        self.assertEqual(self.sandbox.process.exec("cat ~/kept").result, "kept\n")
        with self.assertRaises(DaytonaNotFoundError):
            self.daytona.get("nope")


if __name__ == "__main__":
    unittest.main()
