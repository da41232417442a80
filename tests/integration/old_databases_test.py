"""Databases that earlier versions left, and one of a later: nothing is lost, and what can not be read is refused."""

import contextlib
import hashlib
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time
import unittest
import uuid

from harness import ROOT, SEBRING, Leftovers, Server, clean_environment, snapshot_directory

# SHA-256 of the steps of src/store/schema.cpp, cut. A step that stands here never changes: databases have taken it.
STEPS = {1: "17e37ae9ad1546c9", 2: "a8d20be20785bf82", 3: "c8cdf10aabfb3f90", 4: "bb3a9cc5bd51b1d6", 5: "ab9d00a03f560e66"}
LATE = ("request_marks", "access_tokens")  # the very first databases lack them


def steps():
    return re.findall(r'R"sql\((.*?)\)sql"', (ROOT / "src/store/schema.cpp").read_text(), re.S)


def connect(path):
    return contextlib.closing(sqlite3.connect(path))


def tables(database):
    return [name for name, in database.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'")]


def columns(database, table):
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def as_of(path, version, without=()):
    """Rewrites the database as that version would have left it, with the rows that it can hold."""
    old = path.with_name("old.db")
    old.unlink(missing_ok=True)
    with connect(old) as database:
        for step in steps()[:version]:
            database.executescript(step)
        for table in without:
            database.execute(f"DROP TABLE {table}")
        database.execute("ATTACH ? AS now", (str(path),))
        for table in tables(database):
            names = ", ".join(columns(database, table))
            database.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
        database.execute(f"PRAGMA main.user_version={version}")
        database.commit()
    for end in ("-wal", "-shm"):
        pathlib.Path(str(path) + end).unlink(missing_ok=True)
    os.chown(old, path.stat().st_uid, path.stat().st_gid)
    os.chmod(old, path.stat().st_mode & 0o777)
    old.rename(path)


class OldDatabases(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.leftovers = Leftovers().__enter__()
        cls.server = Server({"slots": 2}).start()
        cls.path = cls.server.data / "control/sebring.db"

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.leftovers.__exit__(None, None, None)

    def setUp(self):
        if self.server.process is None:
            self.server.start()

    def good(self, method, path, body=None):
        status, answer, _ = self.server.request(method, path, body)
        self.assertIn(status, (200, 201, 204), (method, path, answer))
        return answer

    def seen(self, box):
        """All that clients can read."""
        keys = self.good("GET", "/api/api-keys")
        # Those of the images are noted anew at each start.
        snapshots = [one for one in self.good("GET", "/api/snapshots?limit=100")["items"] if one["name"].startswith("of-")]
        return {"sandbox": self.good("GET", f"/api/sandbox/{box}"),
                "labelled": self.good("GET", "/api/sandbox?labels=%7B%22kind%22:%22old%22%7D")["items"], "snapshots": snapshots, "keys": [{**key, "lastUsedAt": None} for key in keys],
                "organizations": self.good("GET", "/api/organizations"), "key of files": self.good("GET", f"/api/sandbox/{box}/signing-key")}

    def test_steps_that_were_taken_never_change(self):
        now = {number: hashlib.sha256(step.encode()).hexdigest()[:16] for number, step in enumerate(steps(), 1)}
        self.assertEqual(now, STEPS)

    def test_each_version_is_brought_up_to_date(self):
        versions = [(1, LATE), (1, LATE[:1])] + [(version, ()) for version in range(1, len(STEPS) + 1)]
        for number, (version, without) in enumerate(versions):
            with self.subTest(version=version, without=without):
                box = self.server.create(name=f"old-{number}", labels={"kind": "old"}, env={"A": "b"}, autoDeleteInterval=5000,
                                         networkAllowList="10.1.0.0/16")["id"]
                self.server.execute(box, "echo kept > ~/kept")
                self.good("POST", f"/api/sandbox/{box}/stop")
                self.good("POST", f"/api/sandbox/{box}/snapshot", {"name": f"of-{number}"})
                self.good("POST", f"/api/sandbox/{box}/ttl/{5000}")
                self.wait_rests(box)
                link = self.good("GET", f"/api/sandbox/{box}/ports/3000/signed-preview-url?expiresInSeconds=3000")["token"]
                before = self.seen(box)
                self.server.stop()
                as_of(self.path, version, without)
                self.server.start()
                self.assertEqual(self.seen(box), before)
                with connect(self.path) as database:
                    self.assertEqual(database.execute("PRAGMA user_version").fetchone()[0], len(STEPS))
                status, found, _ = self.server.request("GET", f"/api/preview/{link}/3000/sandbox-id")
                if "access_tokens" not in without:
                    self.assertEqual((status, found), (200, box))
                self.good("POST", f"/api/sandbox/{box}/ssh-access")
                self.good("POST", f"/api/sandbox/{box}/start")
                self.assertEqual(self.server.execute(box, "cat ~/kept; echo $A")["result"], "kept\nb\n")
                self.good("DELETE", f"/api/sandbox/{box}")

    def wait_rests(self, box):
        deadline = time.monotonic() + 60
        while self.good("GET", f"/api/sandbox/{box}")["state"] != "stopped":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_a_later_version_is_refused_and_left_alone(self):
        self.server.stop()
        with connect(self.path) as database:
            database.execute("PRAGMA user_version=99")
        self.addCleanup(self.set_version, len(STEPS))
        with connect(self.path) as database:
            before = list(database.iterdump())
        command = [SEBRING, "up", "--data-dir", str(self.server.data), "--listen", f"127.0.0.1:{self.server.port}", "--images",
                   str(snapshot_directory()), "--pool-dir", str(self.server.pool)]
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the database is of version 99, written by a newer release than this one", done.stderr + done.stdout)
        with connect(self.path) as database:
            self.assertEqual(list(database.iterdump()), before)

    def set_version(self, version):
        with connect(self.path) as database:
            database.execute(f"PRAGMA user_version={version}")

    def test_killed_in_the_middle(self):
        box = self.server.create(name="pattern")["id"]
        self.server.stop()
        with connect(self.path) as database:
            names = columns(database, "sandboxes")
            row = dict(zip(names, database.execute("SELECT * FROM sandboxes WHERE id=?", (box,)).fetchone()))
            rows = [{**row, "id": str(uuid.uuid4()), "name": f"many-{i}", "state": "archived", "visible": "archived",
                     "desired": "archived"} for i in range(20_000)]
            database.executemany(f"INSERT INTO sandboxes VALUES ({','.join('?' * len(names))})", [list(one.values()) for one in rows])
            database.commit()
        as_of(self.path, 1)
        kills = 0

        def kill():
            nonlocal kills
            pid = self.server.role_pid("control") if self.server.process else None
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills += 1
        # `up` starts it anew each time, a little later.
        for delay in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2):
            starting = subprocess.Popen([SEBRING, "up", "--data-dir", str(self.server.data), "--listen", f"127.0.0.1:{self.server.port}",
                                         "--images", str(snapshot_directory()), "--pool-dir", str(self.server.pool)], env=clean_environment(),
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
            self.server.process = starting
            deadline = time.monotonic() + 60
            while (pid := self.server.role_pid("control")) is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(delay)  # not to wait for anything: where it is hit differs
            kill()
            self.assertIsNotNone(pid)
            os.kill(starting.pid, signal.SIGKILL)
            starting.wait()
            starting.stdout.close()
            self.server.process = None
            with connect(self.path) as database:
                self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.server.start()
        self.assertGreater(kills, 0)
        with connect(self.path) as database:
            self.assertEqual(database.execute("PRAGMA user_version").fetchone()[0], len(STEPS))
            self.assertEqual(database.execute("SELECT count(*) FROM sandboxes WHERE name LIKE 'many-%'").fetchone()[0], 20_000)
        self.assertEqual(self.server.request("GET", "/api/sandbox/many-77")[0], 200)
        self.server.stop()
        with connect(self.path) as database:  # nothing has to delete them one by one
            database.execute("DELETE FROM sandboxes WHERE name LIKE 'many-%'")
            database.commit()


if __name__ == "__main__":
    unittest.main()
