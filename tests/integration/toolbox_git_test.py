"""Every git endpoint of the toolbox against real servers: smart HTTP with authentication, TLS, ssh.

Needs git (with http-backend), openssl and sshd on the machine; the toolbox itself uses none of them.
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from git_rig import (BUILD, PASSWORD, USER, GitHttp, Sshd, Toolbox, commit_to, git, make_certificate,  # noqa: E402
                     make_large_repository, make_repository, scratch)

AUTHOR = {"author": "Ann Other", "email": "ann@test"}


class Case(unittest.TestCase):
    """A toolbox and an HTTP server over `self.root`, fresh for each test."""

    maxDiff = None

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.root = stack.enter_context(scratch())
        self.served = self.root / "served"
        self.served.mkdir()
        make_repository(self.served / "r.git")
        self.http = stack.enter_context(GitHttp(self.served))
        self.toolbox = stack.enter_context(Toolbox(self.root, self.environment()))
        self.home = self.toolbox.home
        self.stack = stack

    def environment(self):
        return {}

    def ok(self, answer, status=200):
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def fails(self, answer, status, code, text=""):
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertIn(text, answer.json["message"])
        self.assertEqual(answer.json["source"], "DAYTONA_DAEMON")

    def post(self, endpoint, **fields):
        return self.toolbox.post("/git/" + endpoint, **fields)

    def clone(self, name="r", **more):
        self.ok(self.post("clone", url=f"{self.http.url}/r.git", path=name, **more))
        return self.home / name

    def status(self, name="r"):
        return self.ok(self.toolbox.get(f"/git/status?path={name}"))

    def states(self, name="r"):
        return {f["name"]: (f["staging"], f["worktree"]) for f in self.status(name)["fileStatus"]}

    def commit_file(self, name, text, repository="r", message="change"):
        target = self.home / repository / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        self.ok(self.post("add", path=repository, files=[name]))
        return self.ok(self.post("commit", path=repository, message=message, **AUTHOR))["hash"]

    def head(self, repository="r"):
        return git("rev-parse", "HEAD", cwd=self.home / repository)


class CloneTest(Case):
    def test_plain(self):
        r = self.clone()
        self.assertEqual((r / "README.md").read_text(), "hello\n")
        self.assertEqual(git("status", "--porcelain=v2", "--branch", cwd=r).splitlines()[1:],
                         ["# branch.head main", "# branch.upstream origin/main", "# branch.ab +0 -0"])
        git("fsck", "--strict", cwd=r)

    def test_branch_tag_and_commit(self):
        git("branch", "dev", "main", cwd=self.served / "r.git")
        first = git("rev-parse", "main", cwd=self.served / "r.git")
        second = commit_to(self.served / "r.git", "dev.txt", "dev\n", branch="dev")
        git("tag", "v1", first, cwd=self.served / "r.git")
        self.clone("dev", branch="dev")
        self.assertEqual(self.head("dev"), second)
        self.assertEqual(self.status("dev")["upstream"], "origin/dev")
        self.clone("tag", branch="v1")
        self.assertEqual(self.head("tag"), first)
        self.assertTrue(self.status("tag")["detached"])
        self.clone("commit", branch="dev", commit_id=first[:10])
        self.assertEqual(self.head("commit"), first)
        self.assertEqual(self.status("commit")["currentBranch"], "HEAD")
        self.assertFalse((self.home / "commit/dev.txt").exists())
        self.assertEqual(self.states("commit"), {})

    def test_depth(self):
        for i in range(5):
            last = commit_to(self.served / "r.git", "n", str(i))
        first = git("rev-parse", "main~4", cwd=self.served / "r.git")
        git("branch", "other", "main~2", cwd=self.served / "r.git")
        r = self.clone(depth=2)
        self.assertEqual(git("rev-list", "--count", "HEAD", cwd=r), "2")
        self.assertEqual(git("branch", "-r", cwd=r).split()[-1], "origin/main")
        self.assertEqual(len(self.ok(self.toolbox.get("/git/history?path=r"))), 2)
        newer = commit_to(self.served / "r.git", "n", "newer")
        self.ok(self.post("pull", path="r"))
        self.assertEqual(self.head(), newer)
        self.clone("old", depth=1, commit_id=first)  # not in the one commit, but the server gives it
        self.assertEqual(self.head("old"), first)
        self.assertNotEqual(first, last)

    def test_default_branch_of_the_server(self):
        make_repository(self.served / "t.git", branch="trunk")
        self.ok(self.post("clone", url=f"{self.http.url}/t.git", path="t"))
        self.assertEqual(self.status("t")["currentBranch"], "trunk")

    def test_empty_repository(self):
        git("init", "-q", "--bare", "-b", "main", str(self.served / "e.git"))
        git("config", "http.receivepack", "true", cwd=self.served / "e.git")
        self.ok(self.post("clone", url=f"{self.http.url}/e.git", path="e"))
        self.commit_file("a", "1", "e")
        self.ok(self.post("push", path="e", set_upstream=True))
        branch = self.status("e")["currentBranch"]
        self.assertEqual(git("rev-parse", branch, cwd=self.served / "e.git"), self.head("e"))
        self.fails(self.post("clone", url=f"{self.http.url}/e.git", path="x", branch="nope"), 404, "GIT_BRANCH_NOT_FOUND")

    def test_authentication(self):
        url = f"{self.http.url}/private/r.git"
        self.fails(self.post("clone", url=url, path="a"), 401, "GIT_AUTH_FAILED")
        wrong = self.post("clone", url=url, path="a", username=USER, password="wrong-Word")
        self.fails(wrong, 401, "GIT_AUTH_FAILED")
        self.assertNotIn("wrong-Word", wrong.text)
        in_url = url.replace("http://", f"http://{USER}:nope-secret@")
        refused = self.post("clone", url=in_url, path="a")
        self.fails(refused, 401, "GIT_AUTH_FAILED")
        self.assertNotIn("nope-secret", refused.text)
        self.assertFalse((self.home / "a").exists())
        self.ok(self.post("clone", url=url, path="a", username=USER, password=PASSWORD))
        self.assertNotIn(PASSWORD, (self.home / "a/.git/config").read_text())
        self.ok(self.post("clone", url=url.replace("http://", f"http://{USER}:{PASSWORD}@"), path="b"))
        remotes = self.ok(self.toolbox.get("/git/remotes?path=b"))["remotes"]
        self.assertEqual(remotes, [{"name": "origin", "url": url.replace("http://", f"http://{USER}@")}])

    def test_password_is_in_no_process_table(self):
        self.http.drip = 0.2
        for i in range(40):
            commit_to(self.served / "r.git", f"f{i}", os.urandom(20000).hex()) if i < 3 else None
        thread = threading.Thread(target=self.post, args=("clone",), kwargs={
            "url": f"{self.http.url}/private/r.git", "path": "p", "username": USER, "password": PASSWORD})
        thread.start()
        seen = 0
        while thread.is_alive():
            for pid in self.toolbox.helpers():
                with contextlib.suppress(OSError):
                    seen += 1
                    text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                    self.assertNotIn(PASSWORD.encode(), text)
            time.sleep(0.02)
        thread.join()
        self.assertGreater(seen, 0)

    def test_errors(self):
        url = self.http.url
        rows = [
            ({"url": f"{url}/missing.git"}, 404, "GIT_REPO_NOT_FOUND"),
            ({"url": f"{url}/status/404/x"}, 404, "GIT_REPO_NOT_FOUND"),
            ({"url": f"{url}/status/403/x"}, 401, "GIT_AUTH_FAILED"),
            ({"url": f"{url}/status/500/x"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": f"{url}/status/503/x"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": f"{url}/html/x"}, 404, "GIT_REPO_NOT_FOUND"),
            ({"url": f"{url}/cut/x"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "http://127.0.0.1:1/x.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "https://127.0.0.1:1/x.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "git://127.0.0.1:1/x.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "ssh://git@127.0.0.1:1/x.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "http://no-such-host.invalid/x.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": f"https://127.0.0.1:{self.http.port}/r.git"}, 502, "GIT_TRANSPORT_FAILED"),
            ({"url": "/no/such/place"}, 404, "GIT_REPO_NOT_FOUND"),
            ({"url": "file:///no/such/place"}, 404, "GIT_REPO_NOT_FOUND"),
            ({"url": f"{url}/r.git", "branch": "nope"}, 404, "GIT_BRANCH_NOT_FOUND"),
            ({"url": f"{url}/r.git", "commit_id": "0123456789"}, 404, "NOT_FOUND"),
            ({"url": f"{url}/r.git", "commit_id": "0" * 40}, 404, "NOT_FOUND"),
            ({"url": str(self.served / "r.git"), "depth": 1}, 400, "BAD_REQUEST"),
        ]
        for fields, status, code in rows:
            with self.subTest(fields):
                self.fails(self.post("clone", path="x/y", **fields), status, code)
                self.assertFalse((self.home / "x/y").exists())

    def test_bad_requests(self):
        url = f"{self.http.url}/r.git"
        for fields in ({}, {"path": "x"}, {"url": url}, {"url": url, "path": ""}, {"url": "", "path": "x"},
                       {"url": 1, "path": "x"}, {"url": url, "path": ["x"]}, {"url": "ext::sh -c id", "path": "x"},
                       {"url": "ftp://h/x", "path": "x"}, {"url": "../r.git", "path": "x"},
                       {"url": url + "\nx", "path": "x"}, {"url": url, "path": "x", "depth": -1},
                       {"url": url, "path": "x", "depth": "1"}, {"url": url, "path": "x", "commit_id": "HEAD~1"},
                       {"url": url, "path": "x", "branch": "a\nb"}, {"url": url, "path": "x", "insecure_skip_tls": "no"},
                       {"url": url, "path": "x", "username": "a\r\nb"}):
            with self.subTest(fields):
                self.fails(self.post("clone", **fields), 400, "INVALID_REQUEST_BODY")
        for body in ("{", "[]", '{"url":1,"url":2}', '"x"'):
            self.fails(self.toolbox.ask("POST", "/git/clone", body), 400, "INVALID_REQUEST_BODY")
        self.fails(self.post("clone", url=url, path="a\0b"), 400, "INVALID_FILE_PATH")
        self.assertEqual(list(self.home.iterdir()), [])

    def test_target(self):
        url = f"{self.http.url}/r.git"
        (self.home / "full").mkdir()
        (self.home / "full/mine").write_text("mine")
        self.fails(self.post("clone", url=url, path="full"), 409, "CONFLICT")
        self.assertEqual([p.name for p in (self.home / "full").iterdir()], ["mine"])
        (self.home / "file").write_text("")
        self.fails(self.post("clone", url=url, path="file"), 409, "CONFLICT")
        (self.home / "empty").mkdir()
        self.fails(self.post("clone", url=f"{self.http.url}/missing.git", path="empty"), 404, "GIT_REPO_NOT_FOUND")
        self.assertEqual(list((self.home / "empty").iterdir()), [])
        self.ok(self.post("clone", url=url, path="empty"))
        self.ok(self.post("clone", url=url, path="deep/er/r"))
        self.assertTrue((self.home / "deep/er/r/.git").is_dir())
        self.ok(self.post("clone", url=url, path=str(self.home / "a b ü")))
        self.fails(self.post("clone", url=url, path="file/below"), 400, "BAD_REQUEST")

    def test_local_paths(self):
        for name, url in (("a", str(self.served / "r.git")), ("b", f"file://{self.served}/r.git")):
            self.ok(self.post("clone", url=url, path=name))
            self.assertEqual((self.home / name / "README.md").read_text(), "hello\n")

    def test_nothing_of_the_repository_runs(self):
        repository = self.served / "r.git"
        marker = self.root / "ran"
        with scratch() as work:
            git("clone", "-q", str(repository), str(work / "w"))
            (work / "w/.gitattributes").write_text("* filter=evil\n")
            (work / "w/x.txt").write_text("x\n")
            git("add", "-A", cwd=work / "w")
            git("commit", "-q", "-m", "evil", cwd=work / "w")
            git("push", "-q", "origin", "main", cwd=work / "w")
        (self.home / ".gitconfig").write_text(
            f'[filter "evil"]\n\tsmudge = touch {marker}\n\tclean = touch {marker}\n[core]\n\tfsmonitor = touch {marker}\n'
            f'\tsshCommand = touch {marker}\n[credential]\n\thelper = "!touch {marker}"\n')
        r = self.clone()
        for hook in ("post-checkout", "pre-commit", "post-commit", "pre-push"):
            (r / ".git/hooks").mkdir(exist_ok=True)
            (r / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch {marker}\n")
            (r / ".git/hooks" / hook).chmod(0o755)
        self.commit_file("y.txt", "y")
        self.ok(self.post("push", path="r"))
        self.fails(self.post("clone", url=f"{self.http.url}/private/r.git", path="p"), 401, "GIT_AUTH_FAILED")
        self.assertFalse(marker.exists())

    def test_submodules(self):
        make_repository(self.served / "inner.git", {"in.txt": "inner\n"})
        make_repository(self.served / "mid.git", {"mid.txt": "mid\n"})
        make_repository(self.served / "evil.git")

        def add_submodule(outer, url, name):
            with scratch() as work:
                git("clone", "-q", str(self.served / outer), str(work / "w"))
                git("submodule", "add", "-q", str(self.served / "inner.git"), name, cwd=work / "w")
                git("config", "-f", ".gitmodules", f"submodule.{name}.url", url, cwd=work / "w")
                if name == "mid":
                    git("update-index", "--cacheinfo",
                        f"160000,{git('rev-parse', 'main', cwd=self.served / 'mid.git')},mid", cwd=work / "w")
                git("add", ".gitmodules", cwd=work / "w")
                git("commit", "-q", "-m", "submodule", cwd=work / "w")
                git("push", "-q", "origin", "main", cwd=work / "w")
        add_submodule("mid.git", "../inner.git", "deep")
        add_submodule("r.git", f"{self.http.url}/mid.git", "mid")
        r = self.clone("plain")
        self.assertEqual(list((r / "mid").iterdir()), [])
        r = self.clone(submodules=True)
        self.assertEqual((r / "mid/mid.txt").read_text(), "mid\n")
        self.assertEqual((r / "mid/deep/in.txt").read_text(), "inner\n")
        self.assertEqual(self.states(), {})
        add_submodule("evil.git", f"file://{self.served}/inner.git", "mid")
        self.fails(self.post("clone", url=f"{self.http.url}/evil.git", path="e", submodules=True), 400, "BAD_REQUEST",
                   "not allowed in submodules")
        self.assertFalse((self.home / "e").exists())


class RedirectTest(Case):
    def test_allowed(self):
        self.http.redirects["/moved/"] = f"{self.http.url}/"
        self.ok(self.post("clone", url=f"{self.http.url}/moved/r.git", path="a"))
        self.http.redirects["/relative/"] = "/"
        self.ok(self.post("clone", url=f"{self.http.url}/relative/r.git", path="b"))
        other = self.stack.enter_context(GitHttp(self.served))
        self.http.redirects["/other/"] = f"{other.url}/"
        self.ok(self.post("clone", url=f"{self.http.url}/other/r.git", path="c"))

    def test_refused(self):
        targets = {"file": f"file://{self.served}/", "path": "file:///etc/", "ssh": "ssh://git@127.0.0.1/", "ext": "ext::sh/",
                   "loop": f"{self.http.url}/loop/", "git": "git://127.0.0.1/", "junk": "://///", "ftp": "ftp://127.0.0.1/"}
        for name, target in targets.items():
            with self.subTest(name):
                self.http.redirects[f"/{name}/"] = target
                self.fails(self.post("clone", url=f"{self.http.url}/{name}/r.git", path="x"), 502, "GIT_TRANSPORT_FAILED")
                self.assertFalse((self.home / "x").exists())

    def test_not_to_a_nearer_address(self):
        address = next((a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
                        if not a[4][0].startswith("127.")), None)
        if not address:
            with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe, contextlib.suppress(OSError):
                probe.connect(("192.0.2.1", 9))
                address = probe.getsockname()[0]
        if not address:
            self.skipTest("this machine has only loopback addresses")
        outer = self.stack.enter_context(GitHttp(self.served, address=address))
        outer.redirects["/in/"] = f"{self.http.url}/"
        self.ok(self.post("clone", url=f"{outer.url}/r.git", path="a"))
        before = len(self.http.requests)
        self.fails(self.post("clone", url=f"{outer.url}/in/r.git", path="b"), 502, "GIT_TRANSPORT_FAILED", "loopback")
        self.assertEqual(len(self.http.requests), before)

    def test_credentials_stay_with_their_server(self):
        other = self.stack.enter_context(GitHttp(self.served, address="127.0.0.2"))
        self.http.redirects["/away/"] = f"{other.url}/private/"
        answer = self.post("clone", url=f"{self.http.url}/away/r.git", path="a", username=USER, password=PASSWORD)
        self.fails(answer, 401, "GIT_AUTH_FAILED")
        self.assertEqual([r for r in other.requests if r[2]], [])


class TlsTest(Case):
    def test_certificates(self):
        certificate = make_certificate(self.root)
        https = self.stack.enter_context(GitHttp(self.served, certificate))
        self.fails(self.post("clone", url=f"{https.url}/r.git", path="a"), 502, "GIT_TRANSPORT_FAILED", "certificate")
        self.assertFalse((self.home / "a").exists())
        self.ok(self.post("clone", url=f"{https.url}/private/r.git", path="a", insecure_skip_tls=True, username=USER,
                          password=PASSWORD))
        self.fails(self.post("pull", path="a", username=USER, password=PASSWORD), 502, "GIT_TRANSPORT_FAILED")
        self.ok(self.post("config", key="http.sslCAInfo", value=certificate[0]))
        self.ok(self.post("pull", path="a", username=USER, password=PASSWORD))
        self.ok(self.post("config", key="http.sslCAInfo", value="/no/such/file"))
        self.fails(self.post("clone", url=f"{https.url}/r.git", path="b"), 502, "GIT_TRANSPORT_FAILED", "/no/such/file")
        self.ok(self.post("config", key="http.sslVerify", value="false"))
        self.ok(self.post("clone", url=f"{https.url}/r.git", path="c"))

    def test_wrong_name(self):
        certificate = make_certificate(self.root)
        https = self.stack.enter_context(GitHttp(self.served, certificate))
        self.ok(self.post("config", key="http.sslCAInfo", value=certificate[0]))
        url = f"https://localhost:{https.port}/r.git"
        self.fails(self.post("clone", url=url, path="b"), 502, "GIT_TRANSPORT_FAILED")


class EnvironmentCaTest(Case):
    def environment(self):
        self.certificate = make_certificate(self.root)
        return {"SSL_CERT_FILE": self.certificate[0]}

    def test_bundle_named_by_the_environment(self):
        https = self.stack.enter_context(GitHttp(self.served, self.certificate))
        self.ok(self.post("clone", url=f"{https.url}/r.git", path="a"))


class ProxyTest(Case):
    def environment(self):
        return {"http_proxy": self.http.url, "https_proxy": self.http.url, "no_proxy": self.http.url[len("http://"):]}

    def test_https_goes_through_a_tunnel(self):
        https = self.stack.enter_context(GitHttp(self.served, make_certificate(self.root)))
        self.ok(self.post("clone", url=f"{https.url}/private/r.git", path="a", insecure_skip_tls=True, username=USER,
                          password=PASSWORD))
        self.assertIn("CONNECT", [method for method, *_ in self.http.requests])

    def test_proxy_of_the_environment(self):
        self.ok(self.post("clone", url="http://git.invalid/r.git", path="a"))
        self.assertIn("git.invalid", [host for *_, host in self.http.requests])
        answer = self.post("clone", url="http://git.invalid/private/r.git", path="b", username=USER, password=PASSWORD)
        self.ok(answer)
        self.clone("direct")


class GitProtocolTest(Case):
    def test_git_daemon(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        daemon = subprocess.Popen(["git", "-c", "safe.directory=*", "daemon", "--listen=127.0.0.1", f"--port={port}",
                                   f"--base-path={self.served}", "--export-all", "--reuseaddr"], stderr=subprocess.DEVNULL,
                                  env={**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                                       "GIT_CONFIG_VALUE_0": "*"}, start_new_session=True)
        try:
            for _ in range(1000):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            self.ok(self.post("clone", url=f"git://127.0.0.1:{port}/r.git", path="r"))
            self.fails(self.post("clone", url=f"git://127.0.0.1:{port}/nope.git", path="x"), 404, "GIT_REPO_NOT_FOUND")
            self.commit_file("a", "1")
            self.assertIn(self.post("push", path="r").code, ("GIT_REPO_NOT_FOUND", "GIT_TRANSPORT_FAILED", "GIT_REMOTE_REJECTED"))
        finally:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()


@unittest.skipUnless(os.path.exists("/usr/sbin/sshd"), "SKIP: no sshd on this machine")
class SshTest(Case):
    def with_sshd(self, key_type="ed25519"):
        sshd = self.stack.enter_context(Sshd(self.root / f"sshd-{key_type}", key_type))
        (self.home / ".ssh").mkdir(exist_ok=True)
        return sshd

    def test_clone_push_pull(self):
        for key_type in ("ed25519", "ecdsa", "rsa"):
            with self.subTest(key_type):
                sshd = self.with_sshd(key_type)
                url = sshd.url(f"{self.served}/r.git")
                name = f"r-{key_type}"
                self.fails(self.post("clone", url=url, path=name), 502, "GIT_TRANSPORT_FAILED", "known_hosts")
                (self.home / ".ssh/known_hosts").write_text(sshd.known_hosts_line)
                self.fails(self.post("clone", url=url, path=name), 401, "GIT_AUTH_FAILED")
                key = self.home / f".ssh/id_{key_type}"
                shutil.copy(sshd.client_key, key)
                self.ok(self.post("clone", url=url, path=name))
                self.commit_file(f"{key_type}.txt", "x", name)
                self.ok(self.post("push", path=name))
                newer = commit_to(self.served / "r.git", "z", key_type)
                self.ok(self.post("pull", path=name))
                self.assertEqual(self.head(name), newer)
                self.fails(self.post("clone", url=sshd.url("/no/such.git"), path="x"), 404, "GIT_REPO_NOT_FOUND")
                self.assertFalse((self.home / "x").exists())
                key.unlink()

    def test_another_host_key_than_known(self):
        sshd = self.with_sshd()
        other = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.root / "other")], check=True)
        self.assertEqual(other.returncode, 0)
        line = f"[127.0.0.1]:{sshd.port} " + (self.root / "other.pub").read_text()
        (self.home / ".ssh/known_hosts").write_text(line)
        shutil.copy(sshd.client_key, self.home / ".ssh/id_ed25519")
        self.fails(self.post("clone", url=sshd.url(f"{self.served}/r.git"), path="x"), 502, "GIT_TRANSPORT_FAILED",
                   "known_hosts")

    def test_wrong_key(self):
        sshd = self.with_sshd()
        (self.home / ".ssh/known_hosts").write_text(sshd.known_hosts_line)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.home / ".ssh/id_ed25519")], check=True)
        self.fails(self.post("clone", url=sshd.url(f"{self.served}/r.git"), path="x"), 401, "GIT_AUTH_FAILED")


class StatusTest(Case):
    def test_every_state(self):
        r = self.clone()
        for name in ("changed", "staged", "gone", "gone-staged", "old-name"):
            (r / name).write_text(f"{name}\n" * 20)
        (r / ".gitignore").write_text("ignored\n")
        self.ok(self.post("add", path="r", files=["."]))
        self.ok(self.post("commit", path="r", message="files", **AUTHOR))
        self.assertEqual(self.states(), {})
        (r / "changed").write_text("other\n")
        (r / "staged").write_text("other\n")
        (r / "gone").unlink()
        (r / "gone-staged").unlink()
        (r / "old-name").rename(r / "new-name")
        (r / "added").write_text("new\n")
        (r / "both").write_text("new\n")
        (r / "untracked/deep").mkdir(parents=True)
        (r / "untracked/deep/ü").write_text("x")
        (r / "ignored").write_text("x")
        self.ok(self.post("add", path="r", files=["staged", "gone-staged", "old-name", "new-name", "added", "both"]))
        (r / "both").write_text("newer\n")
        self.assertEqual(self.states(), {
            "changed": ("Unmodified", "Modified"), "staged": ("Modified", "Unmodified"),
            "gone": ("Unmodified", "Deleted"), "gone-staged": ("Deleted", "Unmodified"),
            "new-name": ("Renamed", "Unmodified"), "added": ("Added", "Unmodified"), "both": ("Added", "Modified"),
            "untracked/deep/ü": ("Untracked", "Untracked")})
        extra = {f["name"]: f["extra"] for f in self.status()["fileStatus"]}
        self.assertEqual(extra["new-name"], "old-name")
        self.assertEqual(extra["added"], "")

    def test_ahead_behind_and_published(self):
        self.clone()
        self.commit_file("mine", "1")
        self.commit_file("mine", "2")
        commit_to(self.served / "r.git", "theirs", "1")
        self.assertEqual((self.status()["ahead"], self.status()["behind"]), (2, 0))
        git("fetch", "-q", cwd=self.home / "r")
        status = self.status()
        self.assertEqual((status["ahead"], status["behind"], status["branchPublished"]), (2, 1, True))
        self.ok(self.post("branches", path="r", name="fresh"), 201)
        status = self.status()
        self.assertEqual((status["currentBranch"], status["branchPublished"], status["ahead"], status["upstream"]),
                         ("fresh", False, 0, ""))

    def test_before_the_first_commit(self):
        self.ok(self.post("init", path="n", initial_branch="start"), 201)
        (self.home / "n/a").write_text("x")
        status = self.status("n")
        self.assertEqual((status["currentBranch"], status["detached"], status["branchPublished"]), ("start", False, False))
        self.assertEqual(self.states("n"), {"a": ("Untracked", "Untracked")})

    def test_errors(self):
        self.fails(self.toolbox.get("/git/status?path=nope"), 404, "GIT_REPO_NOT_FOUND")
        (self.home / "plain").mkdir()
        self.fails(self.toolbox.get("/git/status?path=plain"), 404, "GIT_REPO_NOT_FOUND")
        self.fails(self.toolbox.get("/git/status"), 400, "INVALID_REQUEST_BODY")
        self.clone()
        (self.home / "r/sub").mkdir()
        self.fails(self.toolbox.get("/git/status?path=r/sub"), 404, "GIT_REPO_NOT_FOUND")
        self.ok(self.post("init", path="bare", bare=True), 201)
        self.fails(self.toolbox.get("/git/status?path=bare"), 400, "BAD_REQUEST")

    @unittest.skipUnless(os.geteuid() == 0, "SKIP: needs root")
    def test_repository_of_another_user(self):
        r = self.clone()
        subprocess.run(["chown", "-R", "1234", str(r)], check=True)
        self.fails(self.toolbox.get("/git/status?path=r"), 403, "FORBIDDEN", "safe.directory")
        self.ok(self.post("config", key="safe.directory", value=str(r)))
        self.status()

    def test_read_only_repository(self):
        r = self.clone()
        (r / ".git/index.lock").write_text("")  # as if another git were at work
        self.assertEqual(self.states(), {})
        self.fails(self.post("add", path="r", files=["."]), 409, "CONFLICT")

    def test_names_that_are_not_utf8(self):
        r = self.clone()
        pathlib.Path(os.fsdecode(bytes(r) + b"/caf\xe9")).write_text("x")
        self.assertEqual(self.states(), {"caf\ufffd": ("Untracked", "Untracked")})


class BranchTest(Case):
    def test_life_of_a_branch(self):
        r = self.clone()
        (r / "README.md").write_text("local change\n")
        self.ok(self.post("branches", path="r", name="feature/x"), 201)
        self.assertEqual(self.ok(self.toolbox.get("/git/branches?path=r")), {"branches": ["feature/x", "main"],
                                                                            "current": "feature/x"})
        self.assertEqual(self.states(), {"README.md": ("Unmodified", "Modified")})
        self.fails(self.post("branches", path="r", name="feature/x"), 409, "GIT_BRANCH_EXISTS")
        self.fails(self.post("branches", path="r", name="main"), 409, "GIT_BRANCH_EXISTS")
        self.fails(self.toolbox.ask("DELETE", "/git/branches", {"path": "r", "name": "feature/x"}), 409, "CONFLICT")
        self.ok(self.post("checkout", path="r", branch="main"))
        answer = self.toolbox.ask("DELETE", "/git/branches", {"path": "r", "name": "feature/x"})
        self.assertEqual((answer.status, answer.text), (204, ""))
        self.fails(self.toolbox.ask("DELETE", "/git/branches", {"path": "r", "name": "feature/x"}), 404,
                   "GIT_BRANCH_NOT_FOUND")
        for name in ("a b", "-x", "a..b", "x.lock", "@{", "a~b", "/a", "a/", "HEAD", ".a"):
            with self.subTest(name):
                self.fails(self.post("branches", path="r", name=name), 400, "BAD_REQUEST")
        self.fails(self.post("branches", path="r", name="a\nb"), 400, "INVALID_REQUEST_BODY")

    def test_checkout(self):
        repository = self.served / "r.git"
        first = git("rev-parse", "main", cwd=repository)
        git("branch", "dev", "main", cwd=repository)
        second = commit_to(repository, "README.md", "dev\n", branch="dev")
        git("tag", "v1", first, cwd=repository)
        r = self.clone()
        self.ok(self.post("checkout", path="r", branch="dev"))  # known from origin only
        self.assertEqual((self.head(), self.status()["upstream"]), (second, "origin/dev"))
        self.ok(self.post("checkout", path="r", branch="main"))
        self.assertEqual((r / "README.md").read_text(), "hello\n")
        for target, hash in ((second, second), (first[:8], first), ("v1", first), ("dev~1", first)):
            self.ok(self.post("checkout", path="r", branch=target))
            self.assertEqual((self.head(), self.status()["detached"]), (hash, True))
            self.assertEqual(self.ok(self.toolbox.get("/git/branches?path=r"))["current"], "")
        self.ok(self.post("checkout", path="r", branch="main"))
        self.fails(self.post("checkout", path="r", branch="nope"), 404, "GIT_BRANCH_NOT_FOUND")
        self.fails(self.post("checkout", path="r", branch="0123456789abcdef"), 404, "GIT_BRANCH_NOT_FOUND")
        (r / "README.md").write_text("mine\n")
        self.fails(self.post("checkout", path="r", branch="dev"), 409, "GIT_DIRTY_WORKTREE", "README.md")
        self.assertEqual((r / "README.md").read_text(), "mine\n")
        self.assertEqual(self.status()["currentBranch"], "main")

    def test_checkout_would_overwrite_an_untracked_file(self):
        git("branch", "dev", "main", cwd=self.served / "r.git")
        commit_to(self.served / "r.git", "new.txt", "theirs\n", branch="dev")
        r = self.clone()
        (r / "new.txt").write_text("mine\n")
        self.fails(self.post("checkout", path="r", branch="dev"), 409, "GIT_DIRTY_WORKTREE", "new.txt")
        self.assertEqual((r / "new.txt").read_text(), "mine\n")
        self.assertEqual(self.ok(self.toolbox.get("/git/branches?path=r"))["branches"], ["main"])


class CommitTest(Case):
    def test_add(self):
        r = self.clone()
        (r / "d/e").mkdir(parents=True)
        for name in ("d/one", "d/e/two", "three.py", "four.py", "[odd]*", "ignored"):
            (r / name).write_text(name)
        (r / ".gitignore").write_text("ignored\n")
        self.ok(self.post("add", path="r", files=["d"]))
        self.assertEqual(self.states()["d/e/two"], ("Added", "Unmodified"))
        self.ok(self.post("add", path="r", files=["*.py"]))
        self.ok(self.post("add", path="r", files=["[odd]*"]))
        self.ok(self.post("add", path="r", files=[str(r / "d/../.gitignore")]))
        self.assertEqual(set(self.states()), {"d/one", "d/e/two", "three.py", "four.py", "[odd]*", ".gitignore"})
        self.ok(self.post("add", path="r", files=["."]))
        self.assertNotIn("ignored", self.states())
        self.ok(self.post("add", path="r", files=["ignored"]))
        self.assertEqual(self.states()["ignored"], ("Added", "Unmodified"))
        self.ok(self.post("commit", path="r", message="all", **AUTHOR))
        shutil.rmtree(r / "d")
        (r / "three.py").unlink()
        self.ok(self.post("add", path="r", files=["d", "three.py"]))
        self.assertEqual(set(self.states().values()), {("Deleted", "Unmodified")})
        for files in ([], [""], ["nope"], ["*.nope"], ["../outside"], ["/etc/passwd"], [1], "README.md", None):
            with self.subTest(files):
                self.assertIn(self.post("add", path="r", files=files).status, (400, 404))

    def test_commit(self):
        r = self.clone()
        hash = self.commit_file("a.txt", "a", message="Subject ü\n\nBody")
        self.assertEqual(self.head(), hash)
        self.assertEqual(git("log", "-1", "--format=%an|%ae|%cn|%B", cwd=r), "Ann Other|ann@test|Ann Other|Subject ü\n\nBody")
        nothing = self.post("commit", path="r", message="m", **AUTHOR)
        self.fails(nothing, 400, "BAD_REQUEST", "nothing to commit")
        empty = self.ok(self.post("commit", path="r", message="m", allow_empty=True, **AUTHOR))["hash"]
        self.assertEqual(git("rev-parse", "HEAD~1", cwd=r), hash)
        self.assertEqual(self.head(), empty)
        for fields in ({"message": ""}, {"author": ""}, {"email": ""}, {"author": "a\nb"}, {"message": None}):
            with self.subTest(fields):
                self.assertEqual(self.post("commit", path="r", **{"message": "m", **AUTHOR, **fields}).status, 400)
        history = self.ok(self.toolbox.get("/git/history?path=r"))
        self.assertEqual([c["hash"] for c in history][:2], [empty, hash])
        self.assertEqual(history[1]["author"], "Ann Other")
        self.assertEqual(history[1]["email"], "ann@test")
        self.assertEqual(history[1]["message"], "Subject ü\n\nBody")
        self.assertRegex(history[1]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")
        git("fsck", "--strict", cwd=r)

    def test_first_commit_and_empty_history(self):
        self.ok(self.post("init", path="n"), 201)
        self.assertEqual(self.ok(self.toolbox.get("/git/history?path=n")), [])
        self.fails(self.post("commit", path="n", message="m", **AUTHOR), 400, "BAD_REQUEST")
        self.commit_file("a", "1", "n")
        self.assertEqual(len(self.ok(self.toolbox.get("/git/history?path=n"))), 1)

    def test_long_history_comes_in_pieces(self):
        self.ok(self.post("init", path="n"), 201)
        stream = "".join(f"commit refs/heads/main\ncommitter T <t@test> {i} +0200\ndata 200\n{str(i).ljust(200, 'x')}\n"
                         for i in range(5000))
        subprocess.run(["git", "-c", "safe.directory=*", "fast-import", "--quiet"], cwd=self.home / "n", input=stream,
                       text=True, check=True)
        (self.home / "n/.git/HEAD").write_text("ref: refs/heads/main\n")
        history = self.ok(self.toolbox.get("/git/history?path=n"))
        self.assertEqual([c["message"][:4].rstrip("x") for c in history], [str(i) for i in reversed(range(5000))])
        self.assertEqual(history[-1]["timestamp"], "1970-01-01T02:00:00+02:00")


class PushPullTest(Case):
    def test_push(self):
        self.clone()
        mine = self.commit_file("mine", "1")
        self.ok(self.post("push", path="r"))
        self.assertEqual(git("rev-parse", "main", cwd=self.served / "r.git"), mine)
        self.assertEqual(self.status()["ahead"], 0)
        self.ok(self.post("push", path="r"))  # nothing new
        self.ok(self.post("branches", path="r", name="feature"), 201)
        feature = self.commit_file("f", "1")
        self.ok(self.post("push", path="r"))
        self.assertEqual(git("rev-parse", "feature", cwd=self.served / "r.git"), feature)
        status = self.status()
        self.assertEqual((status["branchPublished"], status["upstream"]), (True, ""))
        self.ok(self.post("push", path="r", set_upstream=True))
        self.assertEqual(self.status()["upstream"], "origin/feature")
        self.ok(self.post("push", path="r", branch="main", remote="origin"))

    def test_push_with_authentication(self):
        self.ok(self.post("clone", url=f"{self.http.url}/private/r.git", path="r", username=USER, password=PASSWORD))
        mine = self.commit_file("mine", "1")
        self.fails(self.post("push", path="r"), 401, "GIT_AUTH_FAILED")
        self.fails(self.post("push", path="r", username=USER, password="no"), 401, "GIT_AUTH_FAILED")
        self.ok(self.post("push", path="r", username=USER, password=PASSWORD))
        self.assertEqual(git("rev-parse", "main", cwd=self.served / "r.git"), mine)
        self.fails(self.post("pull", path="r"), 401, "GIT_AUTH_FAILED")
        self.ok(self.post("pull", path="r", username=USER, password=PASSWORD))

    def test_push_errors(self):
        r = self.clone()
        self.commit_file("mine", "1")
        commit_to(self.served / "r.git", "theirs", "1")
        self.fails(self.post("push", path="r"), 409, "GIT_PUSH_REJECTED")
        git("fetch", "-q", cwd=r)
        self.fails(self.post("push", path="r"), 409, "GIT_PUSH_REJECTED")
        self.ok(self.post("reset", path="r", mode="hard", target="origin/main"))
        self.commit_file("mine", "2")
        hook = self.served / "r.git/hooks/pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho the rules forbid it >&2\nexit 1\n")
        hook.chmod(0o755)
        self.fails(self.post("push", path="r"), 422, "GIT_REMOTE_REJECTED", "the rules forbid it")
        hook.unlink()
        self.fails(self.post("push", path="r", branch="nope"), 404, "GIT_BRANCH_NOT_FOUND")
        self.fails(self.post("push", path="r", remote="nope"), 404, "NOT_FOUND")
        self.ok(self.post("remotes", path="r", name="ro", url=f"{self.http.url}/readonly/r.git"), 201)
        self.fails(self.post("push", path="r", remote="ro"), 401, "GIT_AUTH_FAILED")
        self.ok(self.post("remotes", path="r", name="dead", url="http://127.0.0.1:1/x.git"), 201)
        self.fails(self.post("push", path="r", remote="dead"), 502, "GIT_TRANSPORT_FAILED")
        self.ok(self.post("checkout", path="r", branch=self.head()))
        self.fails(self.post("push", path="r"), 404, "GIT_BRANCH_NOT_FOUND", "detached")

    def test_pull_fast_forward(self):
        r = self.clone()
        self.ok(self.post("pull", path="r"))
        newer = commit_to(self.served / "r.git", "theirs", "1")
        (r / "untracked").write_text("mine")
        self.ok(self.post("pull", path="r"))
        self.assertEqual((self.head(), (r / "theirs").read_text()), (newer, "1"))
        self.assertEqual(self.states(), {"untracked": ("Untracked", "Untracked")})
        (r / "theirs").write_text("local")
        commit_to(self.served / "r.git", "theirs", "2")
        self.fails(self.post("pull", path="r"), 409, "GIT_DIRTY_WORKTREE", "theirs")
        self.assertEqual((r / "theirs").read_text(), "local")

    def test_pull_other_branch_and_remote(self):
        self.clone()
        git("branch", "dev", "main", cwd=self.served / "r.git")
        dev = commit_to(self.served / "r.git", "dev", "1", branch="dev")
        self.fails(self.post("pull", path="r", branch="nope"), 404, "GIT_BRANCH_NOT_FOUND")
        self.fails(self.post("pull", path="r", remote="nope"), 404, "NOT_FOUND")
        self.ok(self.post("pull", path="r", remote="origin", branch="dev"))
        self.assertEqual(self.head(), dev)
        self.assertEqual(self.status()["currentBranch"], "main")

    def test_pull_merges(self):
        r = self.clone()
        mine = self.commit_file("mine", "1")
        theirs = commit_to(self.served / "r.git", "theirs", "1")
        self.fails(self.post("pull", path="r"), 400, "BAD_REQUEST", "user.name")
        self.ok(self.post("config/user", name="Ann", email="ann@test"))
        self.ok(self.post("pull", path="r"))
        self.assertEqual(git("log", "-1", "--format=%P|%an", cwd=r), f"{mine} {theirs}|Ann")
        self.assertEqual(self.states(), {})
        self.assertEqual(((r / "mine").read_text(), (r / "theirs").read_text()), ("1", "1"))

    def test_merge_conflict_and_both_ways_out(self):
        self.ok(self.post("config/user", name="Ann", email="ann@test"))
        r = self.clone()
        mine = self.commit_file("README.md", "mine\n")
        theirs = commit_to(self.served / "r.git", "README.md", "theirs\n")
        self.fails(self.post("pull", path="r"), 409, "GIT_MERGE_CONFLICT", "README.md")
        self.assertEqual(self.states(), {"README.md": ("Updated but unmerged", "Updated but unmerged")})
        self.assertIn("<<<<<<<", (r / "README.md").read_text())
        self.fails(self.post("commit", path="r", message="m", **AUTHOR), 409, "GIT_MERGE_CONFLICT")
        self.fails(self.post("pull", path="r"), 409, "GIT_MERGE_CONFLICT")
        self.ok(self.post("reset", path="r", mode="merge"))
        self.assertEqual(((r / "README.md").read_text(), self.states(), self.head()), ("mine\n", {}, mine))
        self.fails(self.post("pull", path="r"), 409, "GIT_MERGE_CONFLICT")
        (r / "README.md").write_text("both\n")
        self.ok(self.post("add", path="r", files=["README.md"]))
        self.ok(self.post("commit", path="r", message="merged", **AUTHOR))
        self.assertEqual(git("log", "-1", "--format=%P", cwd=r), f"{mine} {theirs}")
        self.assertFalse((r / ".git/MERGE_HEAD").exists())
        self.ok(self.post("push", path="r"))

    def test_pull_into_dirty_files_that_merge(self):
        self.ok(self.post("config/user", name="Ann", email="ann@test"))
        r = self.clone()
        self.commit_file("mine", "1")
        commit_to(self.served / "r.git", "README.md", "theirs\n")
        (r / "README.md").write_text("dirty\n")
        self.fails(self.post("pull", path="r"), 409, "GIT_DIRTY_WORKTREE")
        self.assertEqual((r / "README.md").read_text(), "dirty\n")
        self.assertEqual(self.states(), {"README.md": ("Unmodified", "Modified")})
        self.assertFalse((r / ".git/MERGE_HEAD").exists())

    def test_fast_forward_only(self):
        self.clone()
        self.ok(self.post("config", key="pull.ff", value="only", scope="local", path="r"))
        self.commit_file("mine", "1")
        commit_to(self.served / "r.git", "theirs", "1")
        self.fails(self.post("pull", path="r"), 409, "CONFLICT")


class InitRemoteConfigTest(Case):
    def test_init(self):
        self.ok(self.post("init", path="deep/n", initial_branch="trunk"), 201)
        self.assertEqual((self.home / "deep/n/.git/HEAD").read_text(), "ref: refs/heads/trunk\n")
        self.fails(self.post("init", path="deep/n"), 409, "CONFLICT")
        self.ok(self.post("init", path="b.git", bare=True), 201)
        self.assertTrue((self.home / "b.git/HEAD").exists())
        (self.home / "used").mkdir()
        (self.home / "used/mine").write_text("x")
        self.ok(self.post("init", path="used"), 201)
        self.assertEqual(self.states("used"), {"mine": ("Untracked", "Untracked")})
        self.fails(self.post("init", path="x", initial_branch="a b"), 400, "BAD_REQUEST")
        self.assertFalse((self.home / "x").exists())
        self.ok(self.post("config", key="init.defaultBranch", value="base"))
        self.ok(self.post("init", path="y"), 201)
        self.assertEqual(self.status("y")["currentBranch"], "base")

    def test_remotes(self):
        self.ok(self.post("init", path="n"), 201)
        self.assertEqual(self.ok(self.toolbox.get("/git/remotes?path=n")), {"remotes": []})
        url = f"{self.http.url}/r.git"
        self.ok(self.post("remotes", path="n", name="origin", url=url, fetch=True), 201)
        self.assertEqual(git("rev-parse", "origin/main", cwd=self.home / "n"), git("rev-parse", "main", cwd=self.served / "r.git"))
        self.fails(self.post("remotes", path="n", name="origin", url=url), 409, "CONFLICT")
        self.ok(self.post("remotes", path="n", name="origin", url="https://u:pw@example.test/x", overwrite=True), 201)
        self.assertEqual(self.ok(self.toolbox.get("/git/remotes?path=n"))["remotes"],
                         [{"name": "origin", "url": "https://u@example.test/x"}])
        self.fails(self.post("remotes", path="n", name="a b", url=url), 400, "BAD_REQUEST")
        self.fails(self.post("remotes", path="n", name="x", url="ext::sh -c id"), 400, "INVALID_REQUEST_BODY")
        self.fails(self.post("remotes", path="n", name="x", url=f"{self.http.url}/missing.git", fetch=True), 404,
                   "GIT_REPO_NOT_FOUND")
        self.fails(self.toolbox.get("/git/remotes?path=nope"), 404, "GIT_REPO_NOT_FOUND")

    def test_config(self):
        def get(key, **more):
            query = "&".join(f"{k}={v}" for k, v in {"key": key, **more}.items())
            return self.ok(self.toolbox.get(f"/git/config?{query}"))["value"]
        self.ok(self.post("init", path="n"), 201)
        self.assertIsNone(get("user.name"))
        self.ok(self.post("config", key="user.name", value="Ann Ü"))
        self.assertEqual(get("user.name", scope="global"), "Ann Ü")
        self.assertEqual(git("config", "--global", "user.name", HOME=str(self.home)), "Ann Ü")
        self.assertIsNone(get("user.name", scope="local", path="n"))
        self.ok(self.post("config/user", name="Loc", email="l@test", scope="local", path="n"))
        self.assertEqual((get("user.name", scope="local", path="n"), get("user.name")), ("Loc", "Ann Ü"))
        self.ok(self.post("config", key="url.https://h/.insteadOf", value="h:"))
        self.assertEqual(get("url.https://h/.insteadof"), "h:")
        subprocess.run(["git", "config", "--global", "--add", "user.name", "Second"], env={**os.environ, "HOME": str(self.home)},
                       check=True)
        self.ok(self.post("config", key="user.name", value=""))
        self.assertEqual(get("user.name"), "")
        for fields in ({"key": "name", "value": "x"}, {"key": "", "value": "x"}, {"key": "a.", "value": "x"},
                       {"key": "a.b c", "value": "x"}, {"key": "a.b"}, {"key": "a.b", "value": "x", "scope": "worktree"},
                       {"key": "a.b", "value": "x", "scope": "local"}, {"key": "a.b\n", "value": "x"},
                       {"key": "a.b", "value": 1}, {"key": ".b", "value": "x"}):
            with self.subTest(fields):
                self.assertEqual(self.post("config", **fields).status, 400)
        self.fails(self.post("config", key="a.b", value="x", scope="local", path="nope"), 404, "GIT_REPO_NOT_FOUND")
        self.fails(self.toolbox.get("/git/config"), 400, "INVALID_REQUEST_BODY")

    def test_credentials(self):
        url = f"{self.http.url}/private/r.git"
        host = f"127.0.0.1:{self.http.port}"
        self.ok(self.post("credentials", username=USER, password="old", protocol="http", host=host))
        self.fails(self.post("clone", url=url, path="r"), 401, "GIT_AUTH_FAILED")
        self.ok(self.post("credentials", username=USER, password=PASSWORD, protocol="http", host=host))
        store = self.home / ".git-credentials"
        self.assertEqual(store.stat().st_mode & 0o777, 0o600)
        self.assertEqual(store.read_text(), f"http://{USER}:{PASSWORD}@{host}\n")
        self.assertEqual(git("config", "--global", "--get-all", "credential.helper", HOME=str(self.home)), "store")
        self.ok(self.post("clone", url=url, path="r"))
        self.commit_file("a", "1")
        self.ok(self.post("push", path="r"))
        self.ok(self.post("pull", path="r"))
        # git itself finds them too
        git("ls-remote", url, HOME=str(self.home), GIT_TERMINAL_PROMPT="0")
        self.ok(self.post("credentials", username="x", password="y@/:"))
        self.assertTrue(store.read_text().startswith("https://x:y%40%2F%3A@github.com\n"))
        for fields in ({"username": "x"}, {"password": "x"}, {"username": "", "password": "x"},
                       {"username": "x", "password": "a\nb"}, {"username": "x", "password": "y", "protocol": "ssh"},
                       {"username": "x", "password": "y", "host": "a/b"}, {"username": "x", "password": "y", "host": "a@b"},
                       {"username": "x", "password": "y", "host": "h\nhttps://a:b@evil"}):
            with self.subTest(fields):
                self.fails(self.post("credentials", **fields), 400, "INVALID_REQUEST_BODY")


class ResetRestoreTest(Case):
    def prepare(self):
        r = self.clone()
        self.first = self.commit_file("f", "1")
        self.second = self.commit_file("f", "2")
        self.commit_file("g", "g")
        return r

    def reset(self, **fields):
        return self.post("reset", path="r", **fields)

    def test_soft_mixed_hard(self):
        r = self.prepare()
        self.ok(self.reset(mode="soft", target=self.first))
        self.assertEqual(self.states(), {"f": ("Modified", "Unmodified"), "g": ("Added", "Unmodified")})
        self.ok(self.reset())
        self.assertEqual(self.states(), {"f": ("Unmodified", "Modified"), "g": ("Untracked", "Untracked")})
        self.ok(self.reset(mode="hard", target=self.second[:9]))
        self.assertEqual(((r / "f").read_text(), self.head(), self.states()),
                         ("2", self.second, {"g": ("Untracked", "Untracked")}))
        self.ok(self.reset(mode="hard", target="HEAD~1"))
        self.assertEqual(self.head(), self.first)
        self.fails(self.reset(target="nope"), 404, "NOT_FOUND")
        self.fails(self.reset(mode="wild"), 400, "INVALID_REQUEST_BODY")
        self.fails(self.reset(mode="hard", files=["f"]), 400, "INVALID_REQUEST_BODY")
        self.ok(self.post("init", path="n"), 201)
        self.fails(self.post("reset", path="n", mode="hard"), 404, "NOT_FOUND")

    def test_files(self):
        r = self.prepare()
        for name in ("f", "g", "d/h"):
            (r / name).parent.mkdir(exist_ok=True)
            (r / name).write_text("staged")
        self.ok(self.post("add", path="r", files=["."]))
        self.ok(self.reset(files=["f", "d"]))
        self.assertEqual(self.states(), {"f": ("Unmodified", "Modified"), "g": ("Modified", "Unmodified"),
                                         "d/h": ("Untracked", "Untracked")})
        self.ok(self.reset(files=["."], mode="mixed"))
        self.assertEqual(self.states()["g"], ("Unmodified", "Modified"))
        self.ok(self.reset(files=["f"], target=self.first))
        self.assertEqual(self.states()["f"], ("Modified", "Modified"))

    def test_keep_and_merge_against_git(self):
        """The same situations, once with git and once with the toolbox: files, index and HEAD must be the same."""
        changes = {
            "clean": lambda r: None,
            "unstaged in a file that stays": lambda r: (r / "README.md").write_text("local"),
            "unstaged in a file that moves": lambda r: (r / "f").write_text("local"),
            "staged in a file that stays": lambda r: ((r / "README.md").write_text("local"), git("add", "README.md", cwd=r)),
            "staged in a file that moves": lambda r: ((r / "f").write_text("local"), git("add", "f", cwd=r)),
            "staged and changed again": lambda r: ((r / "README.md").write_text("a"), git("add", "README.md", cwd=r),
                                                   (r / "README.md").write_text("b")),
            "added": lambda r: ((r / "new").write_text("n"), git("add", "new", cwd=r)),
            "deleted": lambda r: (r / "README.md").unlink(),
            "staged deletion": lambda r: git("rm", "-q", "README.md", cwd=r),
            "untracked": lambda r: (r / "u").write_text("u"),
        }
        self.prepare()
        differences = []
        for mode in ("keep", "merge"):
            for target in ("HEAD", "HEAD~1", "HEAD~2"):
                for name, change in changes.items():
                    results = []
                    for who in ("git", "toolbox"):
                        work = self.home / "work"
                        shutil.rmtree(work, ignore_errors=True)
                        shutil.copytree(self.home / "r", work, symlinks=True)
                        git("status", cwd=work)
                        change(work)
                        if who == "git":
                            try:
                                git("reset", "-q", f"--{mode}", target, cwd=work)
                                done = True
                            except AssertionError:
                                done = False
                        else:
                            done = self.post("reset", path="work", mode=mode, target=target).status == 200
                        files = {str(p.relative_to(work)): p.read_text() for p in work.iterdir() if p.is_file()}
                        results.append((done, git("rev-parse", "HEAD", cwd=work), git("ls-files", "-s", cwd=work), files))
                    if results[0] != results[1]:
                        differences.append((mode, target, name, results))
        self.assertEqual(differences, [])

    def test_restore(self):
        r = self.prepare()
        (r / "f").write_text("changed")
        (r / "g").unlink()
        self.ok(self.post("restore", path="r", files=["f", "g"]))
        self.assertEqual(((r / "f").read_text(), (r / "g").read_text(), self.states()), ("2", "g", {}))
        (r / "f").write_text("staged")
        (r / "new").write_text("new")
        self.ok(self.post("add", path="r", files=["f", "new"]))
        self.ok(self.post("restore", path="r", files=["f", "new"], staged=True))
        self.assertEqual(self.states(), {"f": ("Unmodified", "Modified"), "new": ("Untracked", "Untracked")})
        self.ok(self.post("add", path="r", files=["f"]))
        self.ok(self.post("restore", path="r", files=["f"], staged=True, worktree=True))
        self.assertEqual(((r / "f").read_text(), "f" in self.states()), ("2", False))
        self.ok(self.post("restore", path="r", files=["f"], source=self.first))
        self.assertEqual(((r / "f").read_text(), self.states()["f"]), ("1", ("Unmodified", "Modified")))
        self.ok(self.post("restore", path="r", files=["g"], source=self.first, staged=True, worktree=True))
        self.assertEqual(((r / "g").exists(), self.states()["g"]), (False, ("Deleted", "Unmodified")))
        self.ok(self.post("restore", path="r", files=["."], staged=True, worktree=True))
        self.assertEqual(self.states(), {"new": ("Untracked", "Untracked")})
        for fields, status in (({"files": []}, 400), ({"files": ["nope"]}, 404), ({"files": ["new"]}, 404),
                               ({"files": ["f"], "source": "nope"}, 404), ({"files": ["../x"]}, 400),
                               ({"files": ["f"], "staged": False, "worktree": False}, 400),
                               ({"files": ["f"], "staged": False}, 400), ({}, 400)):
            with self.subTest(fields):
                self.assertEqual(self.post("restore", path="r", **fields).status, status)

    def test_restore_directories_and_links(self):
        r = self.clone()
        (r / "d/e").mkdir(parents=True)
        (r / "d/e/x").write_text("x")
        (r / "d/y").write_text("y")
        os.symlink("y", r / "d/link")
        self.ok(self.post("add", path="r", files=["d"]))
        self.ok(self.post("commit", path="r", message="d", **AUTHOR))
        shutil.rmtree(r / "d")
        self.ok(self.post("restore", path="r", files=["d"]))
        self.assertEqual(((r / "d/e/x").read_text(), os.readlink(r / "d/link"), self.states()), ("x", "y", {}))
        # A tracked directory has become a link to somewhere else: nothing there may be removed.
        outside = self.root / "outside"
        outside.mkdir()
        (outside / "x").write_text("precious")
        shutil.rmtree(r / "d/e")
        os.symlink(outside, r / "d/e")
        self.ok(self.post("restore", path="r", files=["d"], source="HEAD~1", staged=True, worktree=True))
        self.assertEqual((outside / "x").read_text(), "precious")


class EndTest(Case):
    """What happens when somebody stops waiting, and when the helper dies."""

    def big_repository(self):
        make_repository(self.served / "big.git", {f"f{i}": os.urandom(40_000).hex() for i in range(40)})
        self.http.drip = 0.2

    def wait_until(self, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, "did not happen in time")
            time.sleep(0.02)

    def start_clone(self, path):
        connection = self.toolbox.connect()
        body = '{"url": "%s/big.git", "path": "%s"}' % (self.http.url, path)
        connection.request("POST", "/git/clone", body, {"Content-Type": "application/json"})
        self.wait_until(lambda: list((self.home / path).glob(".git/objects/pack/*")))
        return connection

    def test_client_goes_away(self):
        self.big_repository()
        connection = self.start_clone("gone")
        self.assertEqual(len(self.toolbox.helpers()), 1)
        connection.close()
        self.wait_until(lambda: not self.toolbox.helpers() and not (self.home / "gone").exists())
        (self.home / "empty").mkdir()
        connection = self.start_clone("empty")
        connection.close()
        self.wait_until(lambda: not self.toolbox.helpers() and not list((self.home / "empty").iterdir()))
        self.clone()  # the next request works

    def test_helper_is_killed(self):
        self.big_repository()
        connection = self.start_clone("killed")
        os.kill(self.toolbox.helpers()[0], signal.SIGKILL)
        response = connection.getresponse()
        self.assertEqual(response.status, 500)
        self.assertIn(b"signal 9", response.read())
        self.assertFalse((self.home / "killed").exists())

    def test_client_goes_away_from_a_local_operation(self):
        r = self.clone()
        for turn in range(10):  # it may be done before anybody has looked
            for i in range(3000):
                (r / f"n{i}").write_text(f"{turn} {i}")
            connection = self.toolbox.connect()
            connection.request("POST", "/git/add", '{"path": "r", "files": ["."]}', {"Content-Type": "application/json"})
            done = lambda: bool(select.select([connection.sock], [], [], 0)[0])  # noqa: E731
            self.wait_until(lambda: (r / ".git/index.lock").exists() or self.toolbox.helpers() or done())
            was_done = done()
            connection.close()
            if not was_done:
                break
        self.assertFalse(was_done)
        self.wait_until(lambda: not self.toolbox.helpers())
        self.assertFalse((r / ".git/index.lock").exists())
        self.ok(self.post("add", path="r", files=["."]))

    @unittest.skipUnless(os.geteuid() == 0, "SKIP: needs root")
    def test_disk_full(self):
        self.big_repository()
        self.http.drip = 0
        small = self.home / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "sebring-git-test", small], check=True)
        try:
            self.fails(self.post("clone", url=f"{self.http.url}/big.git", path="small/r"), 503, "SERVICE_UNAVAILABLE",
                       "No space left")
            self.assertEqual(list(small.iterdir()), [])
            self.ok(self.post("clone", url=f"{self.http.url}/r.git", path="small/r"))
        finally:
            subprocess.run(["umount", small], check=True)

    def test_many_at_once(self):
        self.clone()
        results = []

        def ask():
            results.append(self.toolbox.get("/git/status?path=r").status)
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [200] * 12)


@unittest.skipUnless(os.geteuid() == 0, "SKIP: needs root")
class UserTest(unittest.TestCase):
    def test_everything_is_done_as_the_user(self):
        with scratch() as root:
            (root / "served").mkdir()
            make_repository(root / "served/r.git")
            with GitHttp(root / "served") as http, Toolbox(root, user="nobody") as toolbox:
                answer = toolbox.post("/git/clone", url=f"{http.url}/r.git", path="r")
                self.assertEqual(answer.status, 200, answer)
                owners = {path.lstat().st_uid for path in (toolbox.home / "r").rglob("*")}
                self.assertEqual(owners, {65534})
                self.assertEqual(toolbox.get("/git/status?path=r").status, 200)
                for fields in ({"path": "/root/x"}, {"path": "/etc/x"}):
                    refused = toolbox.post("/git/clone", url=f"{http.url}/r.git", **fields)
                    self.assertEqual((refused.status, refused.code), (403, "FORBIDDEN"), refused)
                refused = toolbox.post("/git/config", key="a.b", value="c", scope="system")
                self.assertEqual((refused.status, refused.code), (403, "FORBIDDEN"), refused)
                refused = toolbox.post("/git/init", path="/usr/x")
                self.assertEqual((refused.status, refused.code), (403, "FORBIDDEN"), refused)


class HelperTest(unittest.TestCase):
    """The helper by itself: what it makes of nonsense on its stdin."""

    def run_helper(self, text, **environment):
        done = subprocess.run([BUILD / "sebring-toolbox-git"], input=text, capture_output=True, text=True, timeout=20,
                              env=environment)
        return done.returncode, done.stdout, done.stderr

    def test_nonsense(self):
        for text in ("", "{", "[]", "{}", '{"operation":"status"}', '{"operation":"nope","fields":{}}',
                     '{"operation":"status","fields":{}}', '{"operation":"status","fields":[]}', "\0", "x" * 100000):
            with self.subTest(text[:50]):
                code, out, errors = self.run_helper(text)
                self.assertEqual((code, errors), (0, ""))
                self.assertTrue(out.startswith('{"error":{"code":"invalid_argument"'), out)

    def test_without_home(self):
        with scratch() as root:
            git("init", "-q", str(root / "r"))
            for environment in ({}, {"HOME": ""}, {"HOME": "/nonexistent"}, {"HOME": "/dev/null"}):
                code, out, _ = self.run_helper('{"operation":"status","fields":{"path":"%s"}}' % (root / "r"), **environment)
                self.assertEqual(code, 0)
                self.assertTrue(out.startswith('{"done":true}\n{"currentBranch"'), out)


class MemoryTest(unittest.TestCase):
    LIMIT_MB = 256  # half of the smallest sandbox

    def peak_mb(self, job):
        process = subprocess.Popen([BUILD / "sebring-toolbox-git"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={"HOME": "/nonexistent"})
        with process.stdin, process.stdout:
            process.stdin.write(json.dumps(job).encode())
            process.stdin.close()
            out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        self.assertEqual(status, 0)
        self.assertIn(b'{"done":true}\n', out)
        return usage.ru_maxrss / 1024

    def test_50000_files(self):
        with scratch("/dev/shm") as root:  # 100,000 files on a busy disk take minutes
            make_large_repository(root / "r.git")
            with GitHttp(root) as http:
                fields = {"url": f"{http.url}/r.git", "path": str(root / "out")}
                self.assertLess(self.peak_mb({"operation": "clone", "fields": fields}), self.LIMIT_MB)
            for i in range(0, 50_000, 2):
                (root / f"out/d{i // 200:03}/f{i:05}").write_text("changed")
                (root / f"out/new{i}").write_text("new")
            path = {"path": str(root / "out")}
            for job in ({"operation": "status", "fields": path}, {"operation": "add", "fields": {**path, "files": ["."]}},
                        {"operation": "commit", "fields": {**path, "message": "m", **AUTHOR}},
                        {"operation": "reset", "fields": {**path, "mode": "hard", "target": "HEAD~1"}}):
                with self.subTest(job["operation"]):
                    self.assertLess(self.peak_mb(job), self.LIMIT_MB)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("cc"), "SKIP: needs root and a C compiler")
class ForeignRootTest(unittest.TestCase):
    """The helper under the root of an image that tries to get its code into it."""

    def test_no_code_of_the_image_is_loaded(self):
        with scratch() as root, GitHttp(root / "served") as http:
            (root / "served").mkdir()
            make_repository(root / "served/r.git")
            image = root / "image"
            for directory in ("etc", "tmp", "lib/x86_64-linux-gnu", "usr/lib/ssl", "usr/lib/x86_64-linux-gnu/gconv"):
                (image / directory).mkdir(parents=True)
            (image / "etc/hosts").write_text("127.0.0.1 git.image.test\n")
            (image / "etc/nsswitch.conf").write_text("hosts: evil files dns\npasswd: evil compat files\n")
            (image / "usr/lib/ssl/openssl.cnf").write_text(
                "openssl_conf = a\n[a]\nengines = b\nproviders = p\n[b]\nevil = c\n[c]\ndynamic_path = /lib/libnss_evil.so.2\n"
                "init = 1\n[p]\nevil = q\n[q]\nmodule = /lib/libnss_evil.so.2\nactivate = 1\n")
            (root / "evil.c").write_text(
                "#include <fcntl.h>\n__attribute__((constructor)) static void run(void) { creat(\"/tmp/ran\", 0600); }\n")
            subprocess.run(["cc", "-shared", "-fPIC", "-o", image / "lib/libnss_evil.so.2", root / "evil.c"], check=True)
            shutil.copy(image / "lib/libnss_evil.so.2", image / "lib/x86_64-linux-gnu/")
            shutil.copy(image / "lib/libnss_evil.so.2", image / "usr/lib/")
            shutil.copy(BUILD / "sebring-toolbox-git", image / "helper")
            for url, done in ((f"http://git.image.test:{http.port}/r.git", True), (f"https://git.image.test:{http.port}/r.git", False),
                              (f"ssh://git@git.image.test:{http.port}/r.git", False), ("https://nothing.invalid/r.git", False)):
                job = {"operation": "clone", "fields": {"url": url, "path": "/tmp/out"}}
                result = subprocess.run([shutil.which("chroot"), image, "/helper"], input=json.dumps(job), capture_output=True, text=True,
                                        env={"HOME": "/tmp"}, timeout=60)
                self.assertEqual(result.returncode, 0, url)
                self.assertEqual('{"done":true}' in result.stdout, done, result.stdout)
                self.assertFalse((image / "tmp/ran").exists(), url)


if __name__ == "__main__":
    unittest.main()
