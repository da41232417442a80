"""The asynchronous Python SDK: many sandboxes at once."""

import asyncio
import os
import unittest

from daytona import AsyncDaytona, CreateSandboxFromSnapshotParams, DaytonaConfig, DaytonaNotFoundError

CONFIG = dict(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"])


class AsyncStory(unittest.IsolatedAsyncioTestCase):
    async def test_ten_at_once(self):
        async with AsyncDaytona(DaytonaConfig(**CONFIG)) as daytona:
            boxes = await asyncio.gather(*(daytona.create(CreateSandboxFromSnapshotParams(labels={"n": str(i)})) for i in range(10)))
            answers = await asyncio.gather(*(box.process.exec(f"echo {i}") for i, box in enumerate(boxes)))
            self.assertEqual([a.result for a in answers], [f"{i}\n" for i in range(10)])
            await boxes[0].fs.upload_file(b"async", "a.txt")
            self.assertEqual(await boxes[0].fs.download_file("a.txt"), b"async")
            run = await boxes[1].process.code_run("print(6*7)")
            self.assertEqual(run.result, "42\n")
            await asyncio.gather(*(box.delete() for box in boxes))
            with self.assertRaises(DaytonaNotFoundError):
                await daytona.get(boxes[0].id)


if __name__ == "__main__":
    unittest.main()
