"""Git through the toolbox where symbolic links or untracked files stand in the place of directories, beside what git does."""

import contextlib
import os
import pathlib
import shutil
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from git_rig import commit_to, git  # noqa: E402
from toolbox_git_test import AUTHOR, Case  # noqa: E402


class LinkTest(Case):
    """`d`, a directory that git knows, has been replaced with a link to a directory outside."""

    def setUp(self):
        super().setUp()
        self.tree = self.clone()
        for name, text in (("d/f", "1\n"), ("d/g", "2\n")):
            self.commit_file(name, text)
        git("branch", "with", cwd=self.tree)
        git("rm", "-rq", "d", cwd=self.tree)
        self.commit_file("other", "x\n")
        git("branch", "without", cwd=self.tree)
        git("reset", "-q", "--hard", "with", cwd=self.tree)
        self.outside = self.home / "outside"
        self.outside.mkdir()
        for name in ("f", "g", "h"):
            (self.outside / name).write_text("precious\n")
        self.link()

    def link(self):
        directory = self.tree / "d"
        shutil.rmtree(directory) if directory.is_dir() and not directory.is_symlink() else directory.unlink(missing_ok=True)
        directory.symlink_to(self.outside)

    def outside_is_whole(self):
        self.assertEqual({path.name: path.read_text() for path in self.outside.iterdir()},
                         {name: "precious\n" for name in ("f", "g", "h")})

    def test_forced_checkouts_replace_the_link(self):
        for endpoint, fields in (("reset", {"mode": "hard"}), ("restore", {"files": ["."]}), ("restore", {"files": ["d"]}),
                                 ("restore", {"files": ["d/f", "d/g"], "source": "HEAD"})):
            with self.subTest(endpoint, **fields):
                self.link()
                self.ok(self.post(endpoint, path="r", **fields))
                self.outside_is_whole()
                self.assertFalse((self.tree / "d").is_symlink())
                self.assertEqual((self.tree / "d/f").read_text(), "1\n")
                self.assertEqual(self.states(), {})

    def test_a_link_that_nothing_replaces_stays(self):
        self.ok(self.post("reset", path="r", mode="hard", target="without"))
        self.outside_is_whole()
        self.assertTrue((self.tree / "d").is_symlink())
        self.assertEqual((self.tree / "other").read_text(), "x\n")

    def test_other_paths_leave_the_link_alone(self):
        (self.tree / "README.md").write_text("changed\n")
        self.ok(self.post("restore", path="r", files=["README.md"]))
        self.assertTrue((self.tree / "d").is_symlink())
        self.outside_is_whole()

    def test_careful_checkouts_refuse(self):
        self.fails(self.post("checkout", path="r", branch="without"), 409, "GIT_DIRTY_WORKTREE")
        for mode in ("keep", "merge"):
            self.fails(self.post("reset", path="r", mode=mode, target="without"), 409, "GIT_DIRTY_WORKTREE")
        self.assertTrue((self.tree / "d").is_symlink())
        self.outside_is_whole()

    def test_nothing_is_added_beyond_a_link(self):
        for name in ("d/f", "d/h", str(self.tree / "d/h")):
            self.fails(self.post("add", path="r", files=[name]), 400, "BAD_REQUEST", "beyond a symbolic link")

    def test_a_directory_becomes_a_link_or_a_file(self):
        for make in (self.link, lambda: (self.tree / "d").write_text("now a file\n")):
            (self.tree / "d").unlink()
            make()
            self.ok(self.post("add", path="r", files=["d"]))
            self.assertEqual(git("ls-files", "d", cwd=self.tree), "d")
            self.ok(self.post("commit", path="r", message="no directory", **AUTHOR))
            self.assertEqual(self.states(), {})
            git("reset", "-q", "--hard", "with", cwd=self.tree)
            self.link()


class FileLinkTest(Case):
    """Links and untracked files in the place of files that a checkout writes."""

    def setUp(self):
        super().setUp()
        self.tree = self.clone()
        self.commit_file("f", "1\n")
        git("checkout", "-q", "-b", "more", cwd=self.tree)
        for name in ("new", "deep/new"):
            self.commit_file(name, "new\n")
        (self.tree / "f").unlink()
        (self.tree / "f").symlink_to("README.md")
        git("add", "-A", cwd=self.tree)
        git("commit", "-q", "-m", "f is a link", cwd=self.tree)
        git("checkout", "-q", "main", cwd=self.tree)

    def test_nothing_is_written_through_a_link(self):
        outside = self.home / "outside"
        for exists in (False, True):
            for endpoint, fields in (("reset", {"mode": "hard"}), ("restore", {"files": ["f"]}), ("restore", {"files": ["."], "source": "HEAD"})):
                with self.subTest(endpoint, exists=exists, **fields):
                    (self.tree / "f").unlink()
                    (self.tree / "f").symlink_to(outside)
                    outside.write_text("precious\n") if exists else outside.unlink(missing_ok=True)
                    self.ok(self.post(endpoint, path="r", **fields))
                    self.assertEqual(outside.read_text() if outside.exists() else None, "precious\n" if exists else None)
                    self.assertFalse((self.tree / "f").is_symlink())
                    self.assertEqual((self.tree / "f").read_text(), "1\n")
                    self.assertEqual(self.states(), {})

    def test_a_missing_file_that_changes_its_kind(self):
        (self.tree / "f").unlink()
        self.ok(self.post("restore", path="r", files=["f"], source="more", staged=True, worktree=True))
        self.assertTrue((self.tree / "f").is_symlink())
        (self.tree / "f").unlink()
        self.ok(self.post("restore", path="r", files=["f"]))
        self.assertTrue((self.tree / "f").is_symlink())
        self.ok(self.post("reset", path="r", mode="hard"))
        self.assertFalse((self.tree / "f").is_symlink())
        (self.tree / "f").unlink()
        self.ok(self.post("reset", path="r", mode="hard", target="more"))
        self.assertTrue((self.tree / "f").is_symlink())
        self.assertEqual(self.states(), {})

    def test_untracked_files_are_not_overwritten(self):
        def link(path):
            path.symlink_to(self.home)

        def directory(path):
            path.mkdir()
            (path / "mine").write_text("mine\n")

        for put in (lambda path: path.write_text("mine\n"), link, directory):
            for name in ("new", "deep"):
                for mode in ("keep", "merge"):
                    if name == "deep" and put is directory:
                        continue
                    put(self.tree / name)
                    before = self.states()
                    self.fails(self.post("reset", path="r", mode=mode, target="more"), 409, "GIT_DIRTY_WORKTREE", name)
                    self.assertEqual(self.states(), before)
                    self.assertFalse((self.tree / "f").is_symlink())
                    shutil.rmtree(self.tree / name) if put is directory else (self.tree / name).unlink()
        (self.tree / "new").mkdir()
        (self.tree / ".git/info/exclude").write_text("deep\n")
        (self.tree / "deep").mkdir()
        (self.tree / "deep/new").write_text("ignored\n")
        self.ok(self.post("reset", path="r", mode="keep", target="more"))
        self.assertEqual([(self.tree / name).read_text() for name in ("new", "deep/new")], ["new\n", "new\n"])


class PullTest(Case):
    def test_untracked_things_in_the_place_of_a_directory(self):
        for number, (name, put) in enumerate({"file": lambda path: path.write_text("mine\n"),
                                              "link": lambda path: path.symlink_to(self.home)}.items()):
            for diverged in (False, True):
                with self.subTest(name, diverged=diverged):
                    new = f"new-{number}-{diverged}"
                    tree = self.clone(new)
                    commit_to(self.served / "r.git", f"{new}/f", "theirs\n")
                    if diverged:
                        git("config", "user.name", "T", cwd=tree)
                        git("config", "user.email", "t@test", cwd=tree)
                        self.commit_file("mine", "mine\n", repository=new)
                    before = git("rev-parse", "HEAD", cwd=tree)
                    put(tree / new)
                    self.fails(self.post("pull", path=new), 409, "GIT_DIRTY_WORKTREE", new)
                    self.assertEqual(git("rev-parse", "HEAD", cwd=tree), before)
                    (tree / new).unlink()
                    self.ok(self.post("pull", path=new))
                    self.assertEqual((tree / new / "f").read_text(), "theirs\n")
                    self.assertEqual(self.states(new), {})


    def test_untracked_file_in_an_untracked_directory(self):
        for diverged in (False, True):
            with self.subTest(diverged=diverged):
                name = f"r-{diverged}"
                tree = self.clone(name)
                for key, value in (("user.name", "T"), ("user.email", "t@test")):
                    git("config", key, value, cwd=tree)
                commit_to(self.served / "r.git", f"{name}/f", "theirs\n")
                if diverged:
                    self.commit_file("mine", "mine\n", repository=name)
                (tree / name).mkdir()
                (tree / name / "f").write_text("mine\n")
                self.fails(self.post("pull", path=name), 409, "GIT_DIRTY_WORKTREE", f"{name}/f")
                self.assertEqual((tree / name / "f").read_text(), "mine\n")


class NameTest(Case):
    def test_directories_whose_names_are_patterns(self):
        tree = self.clone()
        names = ("#h", "!h", "h*", "[h]", "\\h", " h", "h ?")
        for name in names:
            (tree / name).mkdir()
            (tree / name / "f").write_text("1\n")
        (tree / "hx").write_text("untracked\n")
        for number, name in enumerate(names):
            self.ok(self.post("add", path="r", files=[name]))
            staged = sorted(path for path, state in self.states().items() if state[0] == "Added")
            self.assertEqual(staged, sorted(f"{known}/f" for known in names[:number + 1]))
        for commit in (False, True):
            if commit:
                self.ok(self.post("commit", path="r", message="names", **AUTHOR))
                for name in names:
                    (tree / name / "f").write_text("2\n")
                self.ok(self.post("add", path="r", files=["."]))
            left = set(names)
            for name in names:
                self.ok(self.post("reset", path="r", files=[name]))
                left.remove(name)
                staged = {path.split("/")[0] for path, state in self.states().items() if state[0] in ("Added", "Modified")}
                self.assertEqual(staged - {"hx"}, left)
            if not commit:
                self.ok(self.post("add", path="r", files=list(names)))


    def test_restored_files_whose_names_are_patterns(self):
        tree = self.clone()
        names = ("#h", "!h", "h*", "[h]", "\\h", "h\\", "d\\e/f", "a\\b", "h ", "h ?", "[d]/f")
        for text in ("1\n", "2\n"):
            for name in names:
                (tree / name).parent.mkdir(exist_ok=True)
                (tree / name).write_text(text)
            git("add", "-A", cwd=tree)
            git("commit", "-qm", text, cwd=tree)

        def differing():
            listed = git("-c", "core.quotePath=false", "diff", "--name-only", "-z", "HEAD", cwd=tree)
            return sorted(name for name in listed.split("\0") if name)
        for more in ({}, {"source": "HEAD~1"}):
            for paths in [[name] for name in names] + [["d\\e"], ["[d]"], ["a\\b", "#h"], ["d\\e", "h\\", "!h"]]:
                with self.subTest(paths, **more):
                    git("reset", "-q", "--hard", cwd=tree)
                    meant = {name for name in names for path in paths if name == path or name.startswith(path + "/")}
                    if not more:
                        for name in names:
                            (tree / name).write_text("changed\n")
                    self.ok(self.post("restore", path="r", files=paths, **more))
                    self.assertEqual(differing(), sorted(meant if more else set(names) - meant))
        for mode in ("keep", "merge", "hard"):
            git("reset", "-q", "--hard", "main", cwd=tree)
            git("checkout", "-q", "-B", mode, cwd=tree)
            self.ok(self.post("reset", path="r", mode=mode, target="main~1"))
            self.assertEqual({(tree / name).read_text() for name in names}, {"1\n"})
            self.assertEqual(self.states(), {})


class PipeTest(Case):
    """Pipes in the place of files: whoever opens one waits for ever."""

    def test_any_file_of_a_repository(self):
        tree = self.clone()
        git("pack-refs", "--all", cwd=tree)
        self.commit_file("d/f", "1\n")
        loose = f".git/objects/{self.head()[:2]}/{self.head()[2:]}"
        calls = {"status": lambda: self.toolbox.get("/git/status?path=r"),
                 "history": lambda: self.toolbox.get("/git/history?path=r"),
                 "commit": lambda: self.post("commit", path="r", message="m", allow_empty=True, **AUTHOR),
                 "pull": lambda: self.post("pull", path="r")}
        for name, refused in ((".git/config", set(calls)), (".git/HEAD", set(calls)), (".git/index", {"status", "commit"}),
                              (".git/refs/heads/main", set(calls)), (loose, set(calls)), (".git/packed-refs", {"pull"}),
                              (".git/FETCH_HEAD", {"pull"}), (".git/objects/info/alternates", set(calls)),
                              (".git/logs/HEAD", {"commit"}), (".git/info/exclude", set()), (".gitignore", set()),
                              ("d/f", set())):
            path, kept = tree / name, self.home / "kept"
            if path.exists():
                path.rename(kept)
            os.mkfifo(path)
            for call, ask in calls.items():
                with self.subTest(name, call=call):
                    answer = ask()
                    if call in refused:
                        self.assertIn(answer.status, (400, 404), answer)
                        if name != ".git/HEAD":  # not a repository then
                            self.assertIn(f"{path} is a pipe", answer.json["message"])
                    elif not refused:
                        self.assertEqual(answer.status, 200, answer)
            path.unlink()
            if kept.exists():
                kept.rename(path)
        self.ok(calls["status"]())

    def test_forced_checkouts_replace_it(self):
        tree = self.clone()
        for endpoint, fields in (("reset", {"mode": "hard"}), ("restore", {"files": ["."]}), ("restore", {"files": ["README.md"]})):
            with self.subTest(endpoint, **fields):
                (tree / "README.md").unlink()
                os.mkfifo(tree / "README.md")
                self.ok(self.post(endpoint, path="r", **fields))
                self.assertEqual((tree / "README.md").read_text(), "hello\n")

    def test_configuration_of_the_user(self):
        self.clone()
        os.mkfifo(self.home / ".gitconfig")
        self.fails(self.toolbox.get("/git/status?path=r"), 400, "BAD_REQUEST", f"{self.home}/.gitconfig is a pipe")
        (self.home / ".gitconfig").unlink()
        os.mkfifo(self.home / "pipe")
        (self.home / ".gitconfig").write_text("[include]\n\tpath = pipe\n")
        self.fails(self.toolbox.get("/git/status?path=r"), 400, "BAD_REQUEST", f"{self.home}/pipe is a pipe")


class HardResetTest(Case):
    def test_what_git_leaves_stays(self):
        """Files that only HEAD knows, untracked and ignored ones, and submodules that the target does not have."""
        seen = []
        for number, reset in enumerate((lambda tree: git("reset", "-q", "--hard", "HEAD~1", cwd=tree),
                                        lambda tree: self.ok(self.post("reset", path=tree.name, mode="hard", target="HEAD~1")))):
            tree = self.clone(f"r{number}")
            git("init", "-q", str(tree / "sub"))
            (tree / "sub/x").write_text("x")
            git("add", "-A", cwd=tree / "sub")
            git("commit", "-qm", "s", cwd=tree / "sub")
            (tree / "sub/precious").write_text("x")
            for name in ("unstaged", "d/f", "gone"):
                (tree / name).parent.mkdir(exist_ok=True)
                (tree / name).write_text("1\n")
            git("add", "-A", cwd=tree)
            git("commit", "-qm", "1", cwd=tree)
            git("rm", "-q", "--cached", "unstaged", cwd=tree)
            for name in ("new/f", "new/untracked", "d/untracked", "ignored"):
                (tree / name).parent.mkdir(exist_ok=True)
                (tree / name).write_text("2\n")
            git("add", "new/f", cwd=tree)
            (tree / ".git/info/exclude").write_text("ignored\n")
            (tree / "README.md").chmod(0o755)
            reset(tree)
            seen.append((sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if ".git" not in path.parts),
                         git("status", "--porcelain", cwd=tree), git("rev-parse", "HEAD^{tree}", cwd=tree)))
        self.assertEqual(seen[0], seen[1])
        self.assertIn("sub/precious", seen[1][0])


class ValueTest(Case):
    def test_every_value_is_read_as_it_was_written(self):
        for value in ('C:\\dir "x"', "a;b#c", " before", "after ", "tab\tin", "line\n[core]\n\tbare = true", "", "ü", "end\\", '"', "\b"):
            with self.subTest(value=value):
                self.ok(self.post("config", key="some.value", value=value))
                read = self.ok(self.toolbox.get("/git/config?key=some.value"))
                self.assertEqual(read, {"value": value})
                self.assertEqual(git("config", "--file", str(self.home / ".gitconfig"), "--null", "--list"),
                                 f"some.value\n{value}\0".strip())
        self.ok(self.post("config/user", name='Ann "The\\Best" O', email="ann@test"))
        self.clone()
        self.assertEqual(self.ok(self.toolbox.get("/git/config?key=user.name")), {"value": 'Ann "The\\Best" O'})

    def test_no_repository_in_the_place_of_a_file(self):
        (self.home / "file").write_text("x")
        self.fails(self.post("init", path="file"), 400, "BAD_REQUEST", "no directory")


class TlsTest(Case):
    def test_server_that_ends_the_handshake(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def hang_up():
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = server.accept()
                        connection.recv(1)
                        connection.shutdown(socket.SHUT_WR)
                        self.addCleanup(connection.close)
            thread = threading.Thread(target=hang_up)
            thread.start()
            try:
                answer = self.post("clone", url=f"https://127.0.0.1:{server.getsockname()[1]}/r.git", path="x",
                                   insecure_skip_tls=True)
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()
        self.fails(answer, 502, "GIT_TRANSPORT_FAILED", "TLS")


if __name__ == "__main__":
    unittest.main(verbosity=2)
