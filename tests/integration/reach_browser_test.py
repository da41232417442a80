"""The web terminal and previews in real Chromium; skipped where there is none (`scripts/install-packages.sh browser`)."""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

from harness import Leftovers, Server, free_port
from reach_rig import HERE, Reach, eventually

VITE_FILES = {
    "index.html": '<!doctype html><title>vite</title><div id=app></div><script type="module" src="/main.js"></script>',
    "main.js": 'import { text } from "./text.js";\nconst show = (value) => { document.getElementById("app").textContent = value; };\n'
               'show(text);\nif (import.meta.hot) import.meta.hot.accept("./text.js", (next) => show(next.text));\n',
    "text.js": 'export const text = "first";\n',
}


def modules():
    made = subprocess.run([HERE / "env" / "create", "typescript-browser"], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(made.stdout.strip().splitlines()[-1])


def chromium():
    return next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)


def certificate(directory):
    """Files of TLS, which the server's user may read."""
    directory.chmod(0o755)
    files = {end: directory / f"tls.{end}" for end in ("crt", "key")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=test", "-addext", "subjectAltName=DNS:*.preview.localhost", "-keyout", files["key"],
                    "-out", files["crt"]], check=True, capture_output=True)
    for path in files.values():
        with contextlib.suppress(LookupError):
            shutil.chown(path, "sebring")
    return {"tls-certificate": files["crt"], "tls-key": files["key"]}


NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": "import os; print('six times', 6 * 7)",
                       "outputs": [], "execution_count": None}]}


def jupyter_archive():
    """What `pip install jupyterlab` made outside, for the same Python inside; without what a notebook never loads."""
    made = subprocess.run([HERE / "env" / "create", "python-jupyter"], stdout=subprocess.PIPE, text=True, check=True)
    folder = pathlib.Path(made.stdout.strip().splitlines()[-1])
    unused = re.compile(r"/(__pycache__|tests?|debugpy|pip|setuptools)(/|$)|/babel/locale-data/(?!en|root)|\.map$|/galata/")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for source, name in ((next(folder.glob("lib/python3*/site-packages")), "packages"), (folder / "share", "share")):
            archive.add(source, name, filter=lambda entry: None if unused.search("/" + entry.name) else entry)
    return packed.getvalue()


def vite_archive(folder):
    """Vite, what it needs, and a page that it serves."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder / "node_modules", "node_modules",
                    filter=lambda entry: None if re.search("playwright-core|musl", entry.name) else entry)
        for name, text in VITE_FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class Browser(unittest.TestCase):
    @unittest.skipUnless(chromium(), "there is no chromium")
    def test_everything(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(Leftovers())
            directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            tls_port = free_port()
            server = Server({"slots": 4, "tls-listen": f"127.0.0.1:{tls_port}", **certificate(directory)})
            server.settings["public-url"] = public_url = f"http://localhost:{server.port}"
            stack.enter_context(server)
            reach = Reach(server, directory)
            private, public = server.create()["id"], server.create(public=True)["id"]
            reach.app(private)
            reach.app(public)
            folder = modules()
            vite = self.vite(server, reach, public, folder)
            jupyter = self.jupyter(server, reach, private)

            def link(port):
                return server.request("GET", f"/api/sandbox/{private}/ports/{port}/signed-preview-url?expiresInSeconds=3600")[1]["url"]
            environment = dict(
                os.environ, MODULES=str(folder), CHROMIUM=chromium(), TERMINAL=link(22222), SIGNED=link(3000),
                PUBLIC="http://" + reach.host(public), PRIVATE="http://" + reach.host(private), NOTHING="http://" + reach.host(public, 9),
                TOKEN=server.request("GET", f"/api/sandbox/{private}/ports/3000/preview-url")[1]["token"],
                LOGIN=public_url + "/login",
                SECURE=f"https://3000-{public}.preview.localhost:{tls_port}",
                JUPYTER=jupyter, VITE=vite, API=server.url, KEY=server.key, BOX=private, CONTROL_PID=str(server.role_pid("control")))
            # Vite runs in the public sandbox, terminals in the private one.
            environment["VITE_BOX"] = public
            pattern = ["--test-name-pattern=" + os.environ["ONLY"]] if "ONLY" in os.environ else []
            done = subprocess.run([folder / "bin/node", "--test", "--test-force-exit", "--test-concurrency=1", *pattern, HERE / "reach_browser.mjs"],
                                  capture_output=True, text=True, timeout=400, env=environment)
            self.assertEqual(done.returncode, 0, "\n" + done.stdout[-12000:] + done.stderr[-2000:] + server.log()[-2000:])

    def vite(self, server, reach, box, folder):
        if server.execute(box, "command -v node")["exitCode"] != 0:
            return ""
        server.execute(box, "mkdir -p /home/daytona/vite")
        reach.put(box, "/home/daytona/vite.tar", vite_archive(folder))
        done = server.execute(box, "cd /home/daytona/vite && tar xf ../vite.tar && rm ../vite.tar")
        self.assertEqual(done["exitCode"], 0, done)
        reach.run_in_background(box, "cd /home/daytona/vite && node node_modules/vite/bin/vite.js --port 5173 --strictPort >/tmp/vite.log 2>&1")
        up = eventually(lambda: reach.ask(box, 5173)[0] == 200, 90)
        self.assertTrue(up, server.execute(box, "cat /tmp/vite.log")["result"])
        return "http://" + reach.host(box, 5173)

    def jupyter(self, server, reach, box):
        """JupyterLab of the packages' registry, in a private sandbox; told nothing of the proxy before it."""
        server.execute(box, "mkdir -p /home/daytona/jupyter/notebooks")
        reach.put(box, "/home/daytona/jupyter.tar", jupyter_archive())
        reach.put(box, "/home/daytona/jupyter/notebooks/a.ipynb", json.dumps(NOTEBOOK).encode())
        done = server.execute(box, "cd /home/daytona/jupyter && tar xf ../jupyter.tar && rm ../jupyter.tar")
        self.assertEqual(done["exitCode"], 0, done)
        reach.run_in_background(box, "cd /home/daytona/jupyter/notebooks && export PYTHONPATH=/home/daytona/jupyter/packages "
                                "JUPYTER_PATH=/home/daytona/jupyter/share/jupyter && exec python3 -m jupyterlab --no-browser --ip=127.0.0.1 "
                                "--port=8888 --app-dir=/home/daytona/jupyter/share/jupyter/lab --IdentityProvider.token= "
                                ">/tmp/jupyter.log 2>&1")
        up = eventually(lambda: reach.ask(box, 8888, "/api", key=server.key)[0] == 200, 120)
        self.assertTrue(up, server.execute(box, "cat /tmp/jupyter.log")["result"])
        return "http://" + reach.host(box, 8888)


if __name__ == "__main__":
    unittest.main()
