"""Requests made up from the API's own document, right and wrong ones: never a 5xx, and each answer is as documented."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import Leftovers, Server

CREATE = pathlib.Path(__file__).resolve().parent / "env" / "create"
CHECKS = "status_code_conformance,content_type_conformance,response_schema_conformance"

# Served, but for single fields that are a typed 501 (docs/COMPATIBILITY.md).
PARTLY = {"/api/sandbox": "post", "/api/sandbox/{id}/snapshot": "post", "/api/sandbox/{id}/network-settings": "post"}


class ApiFuzz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = subprocess.run([CREATE, "python-fuzz"], check=True, capture_output=True, text=True).stdout
        cls.schemathesis = pathlib.Path(made.splitlines()[-1]) / "bin" / "schemathesis"
        cls.leftovers = Leftovers().__enter__()
        cls.server = Server({"slots": 4}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)
        cls.leftovers.__exit__(None, None, None)

    def test_document(self):
        document = self.server.request("GET", "/api-json")[1]
        # An API key that is deleted here could be the one that the test uses.
        document["paths"] = {path: methods for path, methods in document["paths"].items() if "/api-keys" not in path}
        self.assertGreater(len(document["paths"]), 100)
        for path, methods in document["paths"].items():
            for method, one in methods.items():  # an error is a 4xx; a 501 stands in the document
                one["responses"]["4XX"] = one["responses"].pop("default")
                if PARTLY.get(path) == method:
                    one["responses"]["501"] = one["responses"]["4XX"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(document, file)
            file.flush()
            done = subprocess.run([self.schemathesis, "run", file.name, "--url", self.server.url, "--checks", CHECKS,
                                   "-H", f"Authorization: Bearer {self.server.key}", "--phases", "coverage,fuzzing", "--seed", "1",
                                   "--max-examples", "15", "--request-timeout", "60"],
                                  cwd=self.server.data, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-12000:])
        status, answer, _ = self.server.request("GET", "/api/sandbox?limit=1")
        self.assertEqual((status, isinstance(answer["items"], list)), (200, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
