"""The shortest whole story, for places where the image has nothing but a shell."""

import os
import unittest

from daytona import CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaNotFoundError


class ShortStory(unittest.TestCase):
    def test_life(self):
        daytona = Daytona(DaytonaConfig(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"]))
        sandbox = daytona.create(CreateSandboxFromSnapshotParams(labels={"short": "yes"}), timeout=300)
        try:
            answer = sandbox.process.exec("echo $((6*7)); exit 3", timeout=60)
            self.assertEqual((answer.exit_code, answer.result), (3, "42\n"))
            sandbox.fs.upload_file(b"kept", "/tmp/kept.txt")
            self.assertEqual(sandbox.fs.download_file("/tmp/kept.txt"), b"kept")
            sandbox.stop(timeout=300)
            sandbox.start(timeout=300)
            self.assertEqual(sandbox.process.exec("cat /tmp/kept.txt", timeout=60).result, "kept")
            self.assertEqual([s.id for s in daytona.list()], [sandbox.id])
        finally:
            sandbox.delete(timeout=300)
        with self.assertRaises(DaytonaNotFoundError):
            daytona.get(sandbox.id)


if __name__ == "__main__":
    unittest.main()
