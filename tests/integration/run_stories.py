"""Runs the stories of official SDKs, each version in its own environment, against one real server."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Leftovers, Server  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
STORIES = HERE / "stories"
# environment name (env/create NAME prints its path), command with {env}
RUNS = [(name, ["{env}/bin/python", STORIES / script]) for name in ("python-0.190", "python-newest")
        for script in ("python_story.py", "python_async_story.py", "python_lifecycle_story.py", "python_toolbox_story.py",
                       "python_surface_story.py", "python_contract_story.py")]
RUNS += [(name, ["{env}/bin/node", "--test", "--test-force-exit", STORIES / script]) for name in ("typescript-0.189", "typescript-newest")
         for script in sorted(p.name for p in STORIES.glob("typescript_*.mjs"))]
RUNS += [("go-0.190", ["{story}"])]
# Clients from before 0.190, and products with an SDK inside.
RUNS += [("python-0.160", ["{env}/bin/python", "-W", "ignore", STORIES / "earlier" / "python_story.py"]),
         ("python-integrations", ["{env}/bin/python", "-W", "ignore", STORIES / "earlier" / "products_story.py"]),
         ("python-agents", ["{env}/bin/python", "-W", "ignore", STORIES / "earlier" / "agents_story.py"]),
         ("typescript-0.143", ["{env}/bin/node", "--test", "--test-force-exit", STORIES / "earlier" / "typescript_story.mjs"])]


def environment(name):
    made = subprocess.run([HERE / "env" / "create", name], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip().splitlines()[-1]


def go_story(env, directory):
    """The program, built with the environment's vendored clients."""
    subprocess.run(["bin/go", "build", "-o", f"{directory}/story", *sorted(map(str, (STORIES / "go").glob("*.go")))], cwd=env, check=True,
                   env=dict(os.environ, GOFLAGS="-mod=vendor", GOTOOLCHAIN="local"))
    return f"{directory}/story"


def main():
    wanted = sys.argv[1:]
    failed = []
    with tempfile.TemporaryDirectory() as scratch, Leftovers(), Server() as server:
        for name, command in RUNS:
            if wanted and name not in wanted:
                continue
            env = environment(name)
            print(f"--- {name}: {pathlib.Path(str(command[-1])).name}", flush=True)
            story = go_story(env, scratch) if name.startswith("go-") else ""
            try:
                code = subprocess.run([str(part).format(env=env, story=story) for part in command], cwd=env, timeout=240,
                                      env=dict(os.environ, SEBRING_URL=server.url, SEBRING_KEY=server.key)).returncode
            except subprocess.TimeoutExpired:
                code = "timed out"
            if code != 0:
                print(f"{name}: {code}", flush=True)
                failed.append(name)
        if failed:
            print(server.log()[-6000:])
    print("failed: " + ", ".join(failed) if failed else "all stories passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
