"""Keys of another organization against every endpoint: its sandboxes, snapshots, tokens and events are nobody else's."""

import hashlib
import json
import pathlib
import re
import sqlite3
import tempfile
import time
import unittest
import uuid

from harness import Leftovers, Server, free_port
from reach_rig import Reach
from ws import WebSocket

PLACEHOLDER = re.compile(r"\{([^}]+)\}")


def add_organization(name):
    """There is no call that makes one yet; the key of a person in it."""
    key = "dtn_" + uuid.uuid4().hex * 2
    now = int(time.time() * 1000)
    database = sqlite3.connect(server.data / "control/sebring.db", timeout=30)
    with database:
        region, permissions = database.execute("SELECT o.default_region_id, k.permissions FROM organizations o, api_keys k").fetchone()
        organization, user = str(uuid.uuid4()), str(uuid.uuid4())
        database.execute("INSERT INTO users VALUES (?, ?, ?, ?)", (user, name, name + "@example.com", now))
        database.execute("INSERT INTO organizations VALUES (?, ?, ?, 1, ?, ?, ?)", (organization, name, user, region, now, now))
        database.execute("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                         (organization, user, name, hashlib.sha256(key.encode()).hexdigest(), key[:3], key[-3:], permissions, now))
    database.close()
    return key, organization


def setUpModule():
    global leftovers, server, reach, stranger, box, snapshot, directory
    leftovers = Leftovers().__enter__()
    directory = tempfile.TemporaryDirectory()
    server = Server({"slots": 2, "ssh-listen": f"127.0.0.1:{free_port()}"}).start()
    reach = Reach(server, pathlib.Path(directory.name))
    stranger, _ = add_organization("strangers")
    box = server.create(name="private-box", labels={"secret": "label-of-a"})
    server.execute(box["id"], "echo kept > /home/daytona/kept")
    status, snapshot, _ = server.request("POST", f"/api/sandbox/{box['id']}/snapshot", {"name": "private-snapshot"})
    assert status == 200, snapshot


def tearDownModule():
    server.__exit__(None, None, None)
    directory.cleanup()
    leftovers.__exit__(None, None, None)


def values():
    """What stands for each placeholder of a path: something that is there, and is the other organization's."""
    listed = server.request("GET", "/api/snapshots")[1]["items"]
    own = next(item for item in listed if item["name"] == "private-snapshot")
    return {"sandbox": (box["id"], box["name"]), "snapshot": (own["id"], own["name"])}


class Strangers(unittest.TestCase):
    def operations(self):
        status, document, _ = server.request("GET", "/api-json")
        self.assertEqual(status, 200)
        for path, item in document["paths"].items():
            for method in item:
                if method in ("get", "post", "put", "patch", "delete"):
                    yield method.upper(), path if path.startswith(("/api", "/toolbox")) else "/api" + path

    def targets(self, path, named):
        """The path with the ids and the names of what belongs to the other organization."""
        for number in (0, 1):
            def fill(match, number=number):
                name = match.group(1).lower()
                if "organization" in name:
                    return self.organization
                if name == "port":
                    return "3000"
                if "snapshot" in name or (name in ("id", "idorname") and "/snapshots" in path):
                    return named["snapshot"][number]
                if "sandbox" in name or name in ("id", "idorname"):
                    return named["sandbox"][number]
                return {"ispublic": "true", "interval": "1", "minutes": "1"}.get(name, "1")
            yield PLACEHOLDER.sub(fill, path)

    def test_every_operation(self):
        self.organization = box["organizationId"]
        named = values()
        secrets = [box["id"], box["name"], named["snapshot"][0], "private-snapshot", "label-of-a"]
        asked = 0
        bodies = ({}, {"labels": {}}, {"name": "taken"}, {"isPublic": True}, {"cpu": 1}, {"command": "id"}, {"networkBlockAll": True})
        for method, path in self.operations():
            if not PLACEHOLDER.search(path):
                continue
            for target in self.targets(path, named):
                for body in bodies if method not in ("GET", "DELETE") else (None,):
                    status, answer, _ = server.request(method, target, body, key=stranger, timeout=60)
                    text = json.dumps(answer)
                    asked += 1
                    with self.subTest(method=method, target=target, body=body):
                        self.assertNotIn(status, (500, 503), answer)
                        if status < 300:
                            self.assertFalse([one for one in secrets if one in text], text[:500])
                            self.assertNotIn("private", target, answer)
                            self.assertFalse([one for one in secrets if one in target], answer)
        self.assertGreater(asked, 100)
        status, now, _ = server.request("GET", f"/api/sandbox/{box['id']}")
        self.assertEqual((status, now["state"], now["name"], now["labels"], now["public"], now["autoStopInterval"]),
                         (200, "started", box["name"], box["labels"], box["public"], box["autoStopInterval"]))
        self.assertEqual(server.execute(box["id"], "cat /home/daytona/kept")["result"], "kept\n")
        self.assertEqual(server.request("GET", "/api/snapshots/private-snapshot")[1]["state"], "active")

    def test_lists_and_names(self):
        for path in ("/api/sandbox", "/api/sandbox/paginated", "/api/snapshots", "/api/api-keys", "/api/sandbox?labels={}",
                     "/api/sandbox?name=private"):
            status, answer, _ = server.request("GET", path, key=stranger)
            if status != 404:
                self.assertEqual(status, 200, (path, answer))
                self.assertNotIn("private", json.dumps(answer), path)
                self.assertNotIn(box["id"], json.dumps(answer), path)
        status, answer, _ = server.request("POST", "/api/sandbox", {"snapshot": "private-snapshot"}, key=stranger)
        self.assertIn(status, (400, 404), answer)
        status, answer, _ = server.request("POST", "/api/sandbox", {"linkedSandbox": box["id"], "autoDeleteInterval": 0}, key=stranger)
        self.assertIn(status, (400, 404), answer)
        status, mine, _ = server.request("POST", "/api/sandbox", {"name": "private-box"}, key=stranger)  # names are per organization
        self.assertEqual(status, 200, mine)
        self.assertEqual(server.request("GET", "/api/sandbox/private-box", key=stranger)[1]["id"], mine["id"])
        self.assertEqual(server.request("GET", "/api/sandbox/private-box")[1]["id"], box["id"])
        self.assertEqual(server.request("DELETE", "/api/sandbox/private-box", key=stranger)[0], 200)
        self.assertEqual(server.request("GET", "/api/sandbox/private-box")[1]["id"], box["id"])

    def test_toolbox_and_previews(self):
        reach.app(box["id"])
        for label in (box["id"], box["name"]):
            for method, rest, body in (("POST", "/process/execute", {"command": "id"}), ("GET", "/files?path=/", None),
                                       ("GET", "/files/download?path=/etc/passwd", None), ("POST", "/process/session", {"sessionId": "x"}),
                                       ("GET", "/process/session", None), ("GET", "/version", None), ("GET", "/proxy/3000/", None)):
                for prefix in ("/toolbox/{}", "/api/toolbox/{}/toolbox"):
                    status, answer, _ = server.request(method, prefix.format(label) + rest, body, key=stranger)
                    self.assertIn(status, (401, 403, 404), (prefix, label, rest, answer))
            status, _, page = reach.ask(label, key=stranger)
            self.assertIn(status, (401, 403, 404), page)
        status, _, headers = server.request("GET", f"/api/preview/{box['id']}/access", key=stranger)
        self.assertIn(status, (401, 403, 404))

    def test_tokens(self):
        token = reach.access(box["id"])
        for method, path in (("POST", f"/api/sandbox/{box['id']}/ssh-access"), ("DELETE", f"/api/sandbox/{box['id']}/ssh-access"),
                             ("DELETE", f"/api/sandbox/{box['id']}/ssh-access?token={token}")):
            self.assertIn(server.request(method, path, key=stranger)[0], (403, 404), path)
        status, told, _ = server.request("GET", f"/api/sandbox/ssh-access/validate?token={token}", key=stranger)
        if status == 200:
            self.assertFalse(told["valid"], told)
        self.assertEqual(reach.ssh(token, "echo in").stdout, b"in\n")  # still good
        signed = server.request("GET", f"/api/sandbox/{box['id']}/ports/3000/signed-preview-url")[1]
        path = f"/api/sandbox/{box['id']}/ports/3000/signed-preview-url/{signed['token']}/expire"
        self.assertIn(server.request("POST", path, key=stranger)[0], (403, 404))

    def events(self, key):
        socket = WebSocket("127.0.0.1", server.port, "/api/socket.io/?EIO=4&transport=websocket", {})
        self.assertEqual(socket.status, 101)
        self.assertTrue(socket.receive().startswith("0"))
        socket.send("40" + json.dumps({"token": key}))
        return socket

    def test_events(self):
        mine, others = self.events(server.key), self.events(stranger)
        self.assertTrue(mine.receive().startswith("40"))
        self.assertTrue(others.receive().startswith("40"))
        made = server.create()
        own = server.request("POST", "/api/sandbox", {}, key=stranger)[1]
        server.request("DELETE", f"/api/sandbox/{made['id']}")
        server.request("DELETE", f"/api/sandbox/{own['id']}", key=stranger)

        def until(socket, wanted):
            seen = ""
            while wanted not in seen or '"destroyed"' not in seen:
                text = socket.receive()
                if text == "2":
                    socket.send("3")
                seen += text
            return seen
        self.assertNotIn(own["id"], until(mine, made["id"]))
        self.assertNotIn(made["id"], until(others, own["id"]))


if __name__ == "__main__":
    unittest.main()
