"""Frameworks of agents that bring their own use of the official Python SDK: their tools, called as a model would."""

import asyncio
import io
import os
import pathlib
import unittest

os.environ["DAYTONA_API_URL"] = os.environ["SEBRING_URL"] + "/api"
os.environ["DAYTONA_API_KEY"] = os.environ["SEBRING_KEY"]

from agents.extensions.sandbox.daytona import DaytonaSandboxClient, DaytonaSandboxClientOptions  # noqa: E402
from agents.sandbox.errors import ExecTimeoutError, WorkspaceReadNotFoundError  # noqa: E402
from daytona import AsyncDaytona, ListSandboxesQuery  # noqa: E402
from pydantic_ai import Agent  # noqa: E402
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart  # noqa: E402
from pydantic_ai.models.function import FunctionModel  # noqa: E402
from pydantic_ai_daytona import DaytonaSandbox, DaytonaSandboxSession  # noqa: E402
from pydantic_ai_daytona._errors import DaytonaSandboxAuthError, DaytonaSandboxTerminalError  # noqa: E402

LIMIT_S = 120  # nothing here takes more than some seconds


def model(calls):
    """Makes the calls one after the other, then says what came of them."""
    left = list(calls)

    def answer(messages, _):
        if left:
            name, arguments = left.pop(0)
            return ModelResponse(parts=[ToolCallPart(tool_name=name, args=arguments)])
        parts = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
        return ModelResponse(parts=[TextPart("\n--\n".join(str(part.content) for part in parts))])

    return FunctionModel(answer)


class PydanticAi(unittest.TestCase):
    def story(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))

    def test_tools_of_an_agent(self):
        async def story():
            sandbox = DaytonaSandbox(env={"A": "b $HOME", "A-B": "c"}, labels={"story": "agents"}, ephemeral=True,
                                     network_block_all=True)
            agent = Agent(model([("run_command", {"command": "echo $A; printenv A-B; echo e >&2; exit 3"}),
                                 ("write_file", {"path": "d/a.txt", "content": "1\n2\n3\n"}),
                                 ("read_file", {"path": "d/a.txt", "offset": 2, "limit": 1}),
                                 ("list_directory", {"path": "d"}),
                                 ("run_command", {"command": "echo before; sleep 60", "timeout_seconds": 1}),
                                 ("read_file", {"path": "none"})]), capabilities=[sandbox], retries=3)
            said = (await agent.run("go")).output.split("\n--\n")
            self.assertEqual(said[0], "[stdout]\nb $HOME\nc\n[stderr]\ne\n[exit code: 3]")
            self.assertTrue(said[2].startswith("2\n"), said)
            self.assertEqual(said[3], "a.txt")
            self.assertEqual(said[4], "[stdout]\nbefore\n[timed out after 1s]")
            async with AsyncDaytona() as daytona:
                self.assertEqual([one.id async for one in daytona.list(ListSandboxesQuery(labels={"story": "agents"}))], [])

        self.story(story())

    def test_stopped_and_gone(self):
        async def story():
            async with AsyncDaytona() as daytona:
                sandbox = await daytona.create()
                async with DaytonaSandboxSession(sandbox_id=sandbox.id) as session:
                    done = await asyncio.gather(*[session.exec(f"sleep 0.2; echo {i}", timeout=60) for i in range(12)])
                    self.assertEqual([one.stdout for one in done], [f"{i}\n" for i in range(12)])
                    await sandbox.stop()
                    with self.assertRaisesRegex(DaytonaSandboxTerminalError, "stopped"):
                        await session.exec("true", timeout=60)
                async with DaytonaSandboxSession(sandbox_id=sandbox.id, workdir="/tmp") as session:  # starts it
                    self.assertEqual((await session.exec("pwd", timeout=60)).stdout, "/tmp\n")
                    await sandbox.delete()
                    with self.assertRaisesRegex(DaytonaSandboxTerminalError, "gone"):
                        await session.list_entries("/")
            with self.assertRaises(DaytonaSandboxAuthError):
                await DaytonaSandboxSession(api_key="dtn_wrong").__aenter__()

        self.story(story())


class OpenAiAgents(unittest.TestCase):
    def test_session(self):
        asyncio.run(asyncio.wait_for(self.story(), LIMIT_S))

    async def story(self):
        client = DaytonaSandboxClient()
        session = await client.create(options=DaytonaSandboxClientOptions(env_vars={"A": "b"}, exposed_ports=(8000,),
                                                                          pause_on_exit=True))
        try:
            await session.start()
            done = await session.exec("echo $A; echo e >&2; exit 3", shell=True)
            self.assertEqual((done.stdout, done.stderr, done.exit_code), (b"b\n", b"e\n", 3))
            with self.assertRaises(ExecTimeoutError):
                await session.exec("sleep 60", timeout=1)
            kept = pathlib.Path("d/kept.txt")
            await session.write(kept, io.BytesIO(b"kept"))
            with self.assertRaises(WorkspaceReadNotFoundError):
                await session.read(pathlib.Path("none"))
            packed = (await session.persist_workspace()).read()
            await session.rm(kept)
            await session.hydrate_workspace(io.BytesIO(packed))
            self.assertEqual((await session.read(kept)).read(), b"kept")
            terminal = await session.pty_exec_start("bash", shell=False, tty=True, yield_time_s=0.5)
            seen = b""
            typed = "echo $((6*7))-seen\n"
            while b"42-seen" not in seen:  # the whole story's limit ends it
                seen += (await session.pty_write_stdin(session_id=terminal.process_id, chars=typed, yield_time_s=0.5)).output
                typed = ""
            await session.pty_terminate_all()
            self.assertIn("8000-", (await session.resolve_exposed_port(8000)).host)
            await session.stop()
            await session.shutdown()
            session = await client.resume(session.state)
            await session.start()
            self.assertEqual((await session.read(kept)).read(), b"kept")
        finally:
            await client.delete(session)
            async with AsyncDaytona() as daytona:
                await (await daytona.get(session.state.sandbox_id)).delete()
            await client.close()


if __name__ == "__main__":
    unittest.main()
