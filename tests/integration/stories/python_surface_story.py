"""Every public method of the official Python SDK, sync and async: it does what it says, or is refused with a 501 that says so.

The classes are watched: a method that no story here calls is a failure, so what a newer SDK adds can not be overlooked.
"""

import asyncio
import functools
import importlib
import inspect
import io
import os
import tempfile
import unittest
import uuid
import warnings

import daytona as sdk
from daytona import (AsyncDaytona, CreateSandboxFromSnapshotParams, Daytona, DaytonaConfig, DaytonaError, DaytonaNotFoundError, FileDownloadRequest,
                     FileUpload, SessionExecuteRequest)
from daytona.common.computer_use import ScreenshotRegion
from daytona.common.pty import PtySize
from daytona.common.volume import Volume

warnings.simplefilter("ignore", DeprecationWarning)  # methods whose day is over are called here, too
CONFIG = dict(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"])
MODULES = ("daytona", "sandbox", "filesystem", "git", "process", "code_interpreter", "lsp_server", "snapshot", "volume", "computer_use", "secret", "warm_pool")
# Not calls to the server: what the SDK derives from its own data.
LOCAL = {"Sandbox.model_post_init", "SnapshotService.process_image_context"}


def surface(package):
    """The classes of the SDK with their own public methods."""
    for name in MODULES:
        try:
            module = importlib.import_module(f"daytona.{package}.{name}")
        except ImportError:  # the oldest has no secrets and warm pools
            continue
        for title, one in inspect.getmembers(module, inspect.isclass):
            if one.__module__ == module.__name__ and not title.startswith("_"):
                yield title.removeprefix("Async"), one, [key for key, value in vars(one).items() if inspect.isfunction(value)
                                                        and (not key.startswith("_") or key.startswith("_experimental"))]


def watch(package, called):
    """Notes the methods that this file calls, not what they call in turn."""
    def watched(name, method):
        @functools.wraps(method)
        def noting(*args, **kwargs):
            if inspect.currentframe().f_back.f_code.co_filename == __file__:
                called.add(name)
            return method(*args, **kwargs)
        return noting
    methods = set()
    for title, one, names in list(surface(package)):
        for name in names:
            methods.add(f"{title}.{name}")
            setattr(one, name, watched(f"{title}.{name}", vars(one)[name]))
    return methods - LOCAL


async def done(value):
    return await value if inspect.isawaitable(value) else value


async def all_of(value):
    value = await done(value)
    return [item async for item in value] if hasattr(value, "__aiter__") else list(value)


class Surface:
    """The stories; the classes below run them with either client."""
    make = None
    package = None

    async def test_surface(self):
        asyncio.get_running_loop().slow_callback_duration = 600  # the sync client blocks it, as it must
        called = set()
        methods = watch(self.package, called)
        self.daytona = self.make(DaytonaConfig(**CONFIG))
        self.box = await done(self.daytona.create(CreateSandboxFromSnapshotParams(env_vars={"DECLARED": "yes"}, public=False)))
        try:
            for story in ("life", "settings", "reach", "files", "processes", "terminals", "interpreters", "git", "languages", "snapshots", "not_yet"):
                with self.subTest(story):
                    await getattr(self, story)()
        finally:
            await done(self.daytona.delete(self.box))
            if hasattr(self.daytona, "close"):
                await done(self.daytona.close())
                called.add("Daytona.close")
        self.assertEqual(sorted(methods - called), [])

    async def refused(self, call, *args):
        """What is not there yet says so, with a status of its own. Some services hand on the error of the client below."""
        with self.assertRaisesRegex(Exception, "not available in this version|Not Implemented") as caught:
            await done(call(*args))
        self.assertEqual(getattr(caught.exception, "status_code", None) or getattr(caught.exception, "status", 501), 501, call)

    async def life(self):
        box = self.box
        self.assertEqual((await done(self.daytona.get(box.id))).id, box.id)
        self.assertIn(box.id, [one.id for one in await all_of(self.daytona.list())])
        await done(self.daytona.stop(box))
        await done(box.wait_for_sandbox_stop())
        await done(self.daytona.start(box))
        await done(box.wait_for_sandbox_start())
        await done(box.stop(force=True))
        await done(box.start())
        await done(box.pause())
        await done(box.start())
        await done(box.refresh_activity())
        await done(box.refresh_data())
        await done(box.resize(sdk.Resources(cpu=2, memory=2)))
        await done(box.wait_for_resize_complete())
        with self.assertRaises(DaytonaError):  # it is well
            await done(box.recover())
        child = await done(box._experimental_fork(name="child-" + uuid.uuid4().hex[:8]))
        await done(child.delete())
        if hasattr(box, "fork"):
            await done((await done(box.fork())).delete(wait=True))
        other = await done(self.daytona.create())
        await done(other.stop())
        await done(other.archive())
        self.assertIn(other.state.value, ("archiving", "archived"))
        await done(other.delete())

    async def settings(self):
        box = self.box
        self.assertEqual(await done(box.get_user_home_dir()), "/home/daytona")
        self.assertEqual(await done(box.get_user_root_dir()), "/home/daytona")
        self.assertEqual(await done(box.get_work_dir()), "/home/daytona")
        self.assertEqual((await done(box.set_labels({"team": "platform"})))["team"], "platform")
        await done(box.set_autostop_interval(60))
        await done(box.set_auto_archive_interval(60))
        await done(box.set_auto_delete_interval(-1))
        await done(box.refresh_data())
        self.assertEqual((box.auto_stop_interval, box.auto_archive_interval, box.auto_delete_interval), (60, 60, -1))
        await done(box.update_network_settings(network_block_all=True))
        self.assertTrue(box.network_block_all)
        await done(box.update_network_settings(network_allow_list="1.1.1.1/32"))
        self.assertEqual((box.network_block_all, box.network_allow_list), (False, "1.1.1.1/32"))
        await done(box.update_network_settings(network_allow_list=""))
        if not hasattr(box, "set_ttl"):
            return
        await done(box.set_autostop_interval(0))
        await done(box.set_auto_pause_interval(30))
        await done(box.set_auto_pause_interval(0))
        await done(box.set_ttl(60))
        await done(box.set_public(True))
        await done(box.refresh_data())
        self.assertTrue(box.public and box.auto_destroy_at)
        await done(box.set_public(False))
        await done(box.set_ttl(0))
        await done(box.update_env({"ADDED": "a b"}, unset=["DECLARED"]))
        self.assertEqual((await done(box.process.exec("echo $ADDED$DECLARED"))).result, "a b\n")
        metrics = await done(box.get_metrics_latest())
        self.assertGreater(metrics.mem_total, 1 << 20)

    async def reach(self):
        box = self.box
        link = await done(box.get_preview_link(3000))
        self.assertIn(f"3000-{box.id}", link.url)
        self.assertEqual(len(link.token), 32)
        signed = await done(box.create_signed_preview_url(3000, 120))
        self.assertIn(f"3000-{signed.token}", signed.url)
        await done(box.expire_signed_preview_url(3000, signed.token))
        access = await done(box.create_ssh_access(10))
        self.assertRegex(access.ssh_command, f"^ssh .*{access.token}@")
        valid = await done(box.validate_ssh_access(access.token))
        self.assertEqual((valid.valid, valid.sandbox_id), (True, box.id))
        await done(box.revoke_ssh_access(access.token))
        self.assertFalse((await done(box.validate_ssh_access(access.token))).valid)
        if hasattr(box, "download_url"):
            self.assertIn("signature=", await done(box.download_url("/tmp/x")))
            self.assertIn("signature=", await done(box.upload_url("/tmp/x")))
            await done(box.rotate_signing_key())

    async def files(self):
        fs = self.box.fs
        await done(fs.create_folder("dir", "755"))
        await done(fs.upload_file(b"hello world\n", "dir/a.txt"))
        await done(fs.upload_files([FileUpload(source=b"1", destination="dir/b"), FileUpload(source=b"2", destination="dir/c")]))
        await done(fs.upload_file_stream(io.BytesIO(b"streamed"), "dir/d"))
        self.assertEqual(b"".join(await all_of(fs.download_file_stream("dir/d"))), b"streamed")
        self.assertEqual(await done(fs.download_file("dir/a.txt")), b"hello world\n")
        with tempfile.TemporaryDirectory() as local:
            got = await done(fs.download_files([FileDownloadRequest(source="dir/b"), FileDownloadRequest(source="dir/none"),
                                                FileDownloadRequest(source="dir/c", destination=local + "/c")]))
            self.assertEqual([(one.source, one.result, bool(one.error)) for one in got],
                             [("dir/b", b"1", False), ("dir/none", None, True), ("dir/c", local + "/c", False)])
        self.assertEqual((await done(fs.get_file_info("dir/a.txt"))).size, 12)
        self.assertEqual(sorted(one.name for one in await done(fs.list_files("dir"))), ["a.txt", "b", "c", "d"])
        self.assertEqual((await done(fs.find_files("dir", "world")))[0].line, 1)
        self.assertEqual(len((await done(fs.search_files("dir", "*.txt"))).files), 1)
        self.assertTrue((await done(fs.replace_in_files(["dir/a.txt"], "world", "there")))[0].success)
        await done(fs.set_file_permissions("dir/a.txt", mode="600", owner="daytona", group="daytona"))
        await done(fs.move_files("dir/a.txt", "dir/z.txt"))
        await done(fs.delete_file("dir", recursive=True))

    async def processes(self):
        process = self.box.process
        self.assertEqual((await done(process.code_run("print(6 * 7)"))).result, "42\n")
        self.assertEqual((await done(process.exec("exit 3"))).exit_code, 3)
        await done(process.create_session("s"))
        self.assertEqual((await done(process.get_session("s"))).session_id, "s")
        self.assertIn("s", [one.session_id for one in await done(process.list_sessions())])
        ran = await done(process.execute_session_command("s", SessionExecuteRequest(command="read x; echo got $x; echo bad >&2", run_async=True)))
        await done(process.send_session_command_input("s", ran.cmd_id, "it"))
        out, err = [], []
        await process.get_session_command_logs_async("s", ran.cmd_id, out.append, err.append)
        self.assertEqual(("".join(out)[-7:], "".join(err)), ("got it\n", "bad\n"))
        self.assertEqual((await done(process.get_session_command_logs("s", ran.cmd_id))).stderr, "bad\n")
        self.assertEqual((await done(process.get_session_command("s", ran.cmd_id))).exit_code, 0)
        await done(process.delete_session("s"))
        entry = await done(process.get_entrypoint_session())
        self.assertEqual((entry.session_id, [one.command for one in entry.commands]), ("entrypoint", ["sleep infinity"]))
        self.assertEqual((await done(process.get_entrypoint_logs())).stdout, "")
        # It follows for as long as the entrypoint runs. Not cancelled: the client that reads in a thread can not leave it.
        follow = asyncio.create_task(process.get_entrypoint_logs_async(out.append, err.append))
        await asyncio.sleep(0.5)
        self.assertFalse(follow.done())
        await done(self.box.stop())
        await asyncio.wait({follow}, timeout=30)
        self.assertTrue(follow.done())
        follow.exception()  # how the end of its sandbox reads is each client's own
        await done(self.box.start())

    async def terminals(self):
        process = self.box.process
        seen = []
        extra = {"on_data": lambda data: seen.append(data)} if self.package == "_async" else {}
        handle = await done(process.create_pty_session("t", pty_size=PtySize(rows=30, cols=100), **extra))
        self.assertEqual((await done(process.get_pty_session_info("t"))).cols, 100)
        self.assertEqual([one.id for one in await done(process.list_pty_sessions())], ["t"])
        self.assertEqual((await done(process.resize_pty_session("t", PtySize(rows=40, cols=120)))).cols, 120)
        again = await done(process.connect_pty_session("t", **extra))
        await done(process.kill_pty_session("t"))
        self.assertEqual((await done(handle.wait())).exit_code, 137)
        await done(again.disconnect())
        await done(handle.disconnect())

    async def interpreters(self):
        interpreter = self.box.code_interpreter
        context = await done(interpreter.create_context(cwd="/tmp"))
        self.assertEqual((await done(interpreter.run_code("import os; print(os.getcwd())", context=context))).stdout, "/tmp\n")
        self.assertIn(context.id, [one.id for one in await done(interpreter.list_contexts())])
        await done(interpreter.delete_context(context))

    async def git(self):
        git = self.box.git
        run = self.box.process.exec
        self.assertEqual((await done(run("git init -q --bare -b main /tmp/served.git && git clone -q /tmp/served.git seed && cd seed && "
                                         "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first && git push -q origin HEAD:main"))).exit_code, 0)
        await done(run("git daemon --base-path=/tmp --export-all --enable=receive-pack --detach --listen=127.0.0.1 --port=9418"))
        await done(git.clone("git://127.0.0.1/served.git", "r"))
        await done(git.create_branch("r", "feature"))
        await done(git.checkout_branch("r", "feature"))
        await done(self.box.fs.upload_file(b"x", "r/f"))
        await done(git.add("r", ["f"]))
        await done(git.commit("r", "work", "Ada", "ada@example.com"))
        await done(git.push("r"))
        await done(git.pull("r"))
        self.assertEqual((await done(git.status("r"))).current_branch, "feature")
        await done(git.checkout_branch("r", "main"))
        await done(git.delete_branch("r", "feature"))
        self.assertEqual((await done(git.branches("r"))).branches, ["main"])
        if not hasattr(git, "init"):
            return
        await done(git.init("n", initial_branch="trunk"))
        await done(git.remote_add("n", "origin", "git://127.0.0.1/served.git", fetch=True))
        self.assertEqual([one.name for one in (await done(git.remotes("n"))).remotes], ["origin"])
        self.assertEqual(await done(git.remote_get("n", "origin")), "git://127.0.0.1/served.git")
        await done(git.set_config("core.editor", "true", scope="local", path="n"))
        self.assertEqual(await done(git.get_config("core.editor", scope="local", path="n")), "true")
        await done(git.configure_user("Ada", "ada@example.com", scope="local", path="n"))
        await done(git.reset("r", mode="hard", target="HEAD"))
        await done(self.box.fs.upload_file(b"x", "r/g"))
        await done(git.add("r", ["g"]))
        await done(git.restore("r", ["g"], staged=True, worktree=False))
        await done(git.dangerously_authenticate("ada", "secret", host="example.com"))
        await done(git.push("r", branch="main", remote="origin", set_upstream=True))
        await done(git.clone("git://127.0.0.1/served.git", "shallow", depth=1))
        self.assertEqual((await done(run("git -C shallow rev-parse --is-shallow-repository"))).result, "true\n")

    async def languages(self):
        await done(self.box.fs.upload_file(b"class Greeter:\n    def greet(self):\n        return 'hi'\n\nGreeter().gr\n", "p/main.py"))
        server = await done(self.box.create_lsp_server("python", "/home/daytona/p"))
        await done(server.start())
        await done(server.did_open("/home/daytona/p/main.py"))
        self.assertIn("greet", {one.name for one in await done(server.document_symbols("/home/daytona/p/main.py"))})
        await done(server.sandbox_symbols("greet"))
        await done(server.workspace_symbols("greet"))
        self.assertTrue((await done(server.completions("/home/daytona/p/main.py", sdk.LspCompletionPosition(4, 12)))).items)
        await done(server.did_close("/home/daytona/p/main.py"))
        await done(server.stop())

    async def snapshots(self):
        service, name = self.daytona.snapshot, "snap-" + uuid.uuid4().hex[:8]
        await done(self.box._experimental_create_snapshot(name))
        if hasattr(self.box, "create_snapshot"):
            await done(self.box.create_snapshot(name + "-b"))
            await done(service.delete(await done(service.get(name + "-b"))))
        snapshot = await done(service.get(name))
        self.assertIn(name, [one.name for one in (await done(service.list(page=1, limit=100))).items])
        with self.assertRaisesRegex(Exception, "already active"):  # these SDKs hand on the error of the client below
            await done(service.activate(snapshot))
        await done(service.delete(snapshot))
        with self.assertRaises(DaytonaNotFoundError):
            await done(service.get(name))

    async def not_yet(self):
        client, box = self.daytona, self.box
        await self.refused(client.create, sdk.CreateSandboxFromImageParams(image="debian:12.9"))
        await self.refused(client.snapshot.create, sdk.CreateSnapshotParams(name="n", image="debian:12.9"))
        for name, args in (("list", ()), ("get", ("v",)), ("create", ("v",)), ("delete", (Volume.model_construct(id=str(uuid.uuid4()), name="v"),))):
            await self.refused(getattr(client.volume, name), *args)
        if hasattr(client, "secret"):
            for name, args in (("list", ()), ("get", ("s",)), ("create", (sdk.CreateSecretParams(name="S", value="v"),)),
                               ("update", ("s", sdk.UpdateSecretParams(value="v"))), ("delete", ("s",))):
                await self.refused(getattr(client.secret, name), *args)
            for name, args in (("list", ()), ("create", ("daytona-small", 1)), ("update", ("w", 1)), ("delete", ("w",))):
                await self.refused(getattr(client.warm_pool, name), *args)
            await self.refused(box.update_secrets, {"A": "b"})
            await self.refused(box.get_metrics)
        desk = box.computer_use
        for part in (desk, desk.mouse, desk.keyboard, desk.screenshot, desk.display, desk.recording, desk.accessibility):
            for name, method in inspect.getmembers(type(part), inspect.isfunction):
                if not name.startswith("_"):
                    await self.refused(getattr(part, name), *required_values(method))


def required_values(method):
    known = {"region": ScreenshotRegion(x=0, y=0, width=1, height=1), "direction": "up", "local_path": "/nowhere"}
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty and one.name != "self"]
    return [known.get(one.name, 1 if "int" in str(one.annotation) else "x") for one in needed]


class SyncSurface(Surface, unittest.IsolatedAsyncioTestCase):
    make, package = Daytona, "_sync"


class AsyncSurface(Surface, unittest.IsolatedAsyncioTestCase):
    make, package = AsyncDaytona, "_async"


if __name__ == "__main__":
    unittest.main()
