"""Lists, links and old databases by rows that are written into the database of a server that stands still."""

import contextlib
import hashlib
import json
import sqlite3
import time
import unittest
import urllib.parse
import uuid

from harness import Leftovers, Server, ServerTest

MANY = 5_000
MINUTE_MS = 60_000


class Rows(ServerTest):
    """Rows of sandboxes that rest, made after one that was."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.real = cls.server.create(name="real")["id"]
        cls.server.stop()
        with cls.database() as database:
            cls.fill(database)
        cls.server.start()

    @classmethod
    @contextlib.contextmanager
    def database(cls):
        with contextlib.closing(sqlite3.connect(cls.server.data / "control/sebring.db")) as database:
            database.row_factory = sqlite3.Row
            yield database
            database.commit()

    @classmethod
    def fill(cls, database):
        pattern = dict(database.execute("SELECT * FROM sandboxes WHERE id=?", (cls.real,)).fetchone())
        now, cls.rows = int(time.time() * 1000), []
        labels = []
        for i in range(MANY):
            labelled = {"n": str(i % 1000), "team": f"t{i % 2}"}
            cls.rows.append({**pattern, "id": str(uuid.uuid4()), "name": f"Rest-{i:05}_x", "state": "archived", "visible": "archived",
                             "desired": "archived", "archive": json.dumps({"path": "none", "sha256": "0" * 64, "bytes": 1}),
                             "backup_state": "Completed", "labels": json.dumps(labelled), "auto_delete": -1, "cpu": 1 + i % 3,
                             "created_at": now - i * 10, "last_activity_at": now - (i * 7919 % MANY) * 10})
            labels += [(pattern["organization_id"], key, value, cls.rows[-1]["id"]) for key, value in labelled.items()]
        columns = list(pattern)
        database.executemany(f"INSERT INTO sandboxes ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})",
                             [[row[name] for name in columns] for row in cls.rows])
        database.executemany("INSERT INTO sandbox_labels VALUES (?, ?, ?, ?)", labels)

    def all_pages(self, limit=150, **query):
        """Names of all pages, in order."""
        names, cursor = [], None
        while True:
            asked = urllib.parse.urlencode({"limit": limit, **query, **({"cursor": cursor} if cursor else {})})
            page = self.good("GET", "/api/sandbox?" + asked)
            names += [item["name"] for item in page["items"]]
            cursor = page.get("nextCursor")
            if not cursor:
                return names

    def expected(self, wanted, key, descending=False):
        rows = [row for row in self.rows if wanted(row)]
        return [row["name"] for row in sorted(rows, key=lambda row: (key(row), row["id"]), reverse=descending)]

    def test_lists_by_what_they_choose(self):
        def label(**labels):
            return json.dumps(labels)
        by_name, by_use = {"sort": "name", "order": "asc"}, lambda row: row["last_activity_at"]
        cases = (({"labels": label(n="7")}, lambda row: '"n": "7"' in row["labels"]),
                 ({"labels": label(n="7", team="t1")}, lambda row: '"n": "7"' in row["labels"]),
                 ({"labels": label(n="7", team="t0")}, lambda row: False),
                 ({"labels": label(team="t1")}, lambda row: '"t1"' in row["labels"]),
                 ({"labels": label(team="nobody")}, lambda row: False),
                 ({"name": "rest-0012"}, lambda row: row["name"].startswith("Rest-0012")),
                 ({"name": "Rest-0012_"}, lambda row: False),
                 ({"name": "Rest-"}, lambda row: True),
                 ({"id": self.rows[5]["id"][:3]}, lambda row: row["id"].startswith(self.rows[5]["id"][:3])),
                 ({"states": "archived"}, lambda row: True))
        for query, wanted in cases:
            with self.subTest(query):
                self.assertEqual(self.all_pages(**query, **by_name), self.expected(wanted, lambda row: row["name"]))
                self.assertEqual(self.all_pages(**query, sort="lastActivityAt", order="desc"), self.expected(wanted, by_use, True))
        self.assertEqual(self.all_pages(states="stopped"), ["real"])

    def test_numbered_pages(self):
        query = urllib.parse.urlencode({"labels": json.dumps({"team": "t1"}), "limit": 100, "page": 3, "sort": "name", "order": "asc"})
        page = self.good("GET", "/api/sandbox/paginated?" + query)
        wanted = self.expected(lambda row: '"t1"' in row["labels"], lambda row: row["name"])
        self.assertEqual(([item["name"] for item in page["items"]], page["total"]), (wanted[200:300], MANY // 2))
        page = self.good("GET", "/api/sandbox/paginated?limit=100&page=1")
        self.assertEqual((len(page["items"]), page["total"]), (100, MANY + 1))

    def test_links_are_bounded(self):
        path = f"/api/sandbox/{self.real}/ports/3000/signed-preview-url"
        first = self.good("GET", path)
        self.server.stop()
        now = int(time.time() * 1000)
        with self.database() as database:
            database.executemany("INSERT INTO access_tokens VALUES (?, 'preview', ?, ?, 3000, ?, ?)",
                                 [(hashlib.sha256(b"%d" % i).hexdigest(), str(uuid.uuid4()), self.real, now, now + 600 * MINUTE_MS)
                                  for i in range(999)])
        self.server.start()
        status, error = self.api("GET", path)
        self.assertEqual((status, error["statusCode"]), (429, 429), error)
        self.assertIn("1000 signed preview URLs", error["message"])
        other = self.box()
        self.good("GET", f"/api/sandbox/{other}/ports/3000/signed-preview-url")
        self.good("POST", f"{path}/{first['token']}/expire")
        self.good("GET", path)
        self.assertEqual(self.api("GET", path)[0], 429)
        self.good("POST", f"/api/sandbox/{self.real}/ssh-access")
        self.server.stop()
        with self.database() as database:  # what has expired counts no more
            database.execute("UPDATE access_tokens SET expires_at=? WHERE sandbox_id=? AND kind='preview'", (now - 1, self.real))
        self.server.start()
        self.good("GET", path)


if __name__ == "__main__":
    unittest.main()
