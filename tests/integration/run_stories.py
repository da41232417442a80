"""Runs the stories of official SDKs, each version in its own environment, against one real server."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import Leftovers, Server  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
STORIES = HERE / "stories"
# environment name (env/make NAME prints its path), command with {env}
RUNS = [(name, ["{env}/bin/python", STORIES / script]) for name in ("python-0.190.0", "python-newest")
        for script in sorted(p.name for p in STORIES.glob("python_*.py"))]
RUNS += [(name, ["node", "--test", STORIES / script]) for name in ("typescript-0.189.0", "typescript-newest")
         for script in sorted(p.name for p in STORIES.glob("typescript_*.mjs"))]
RUNS += [("go-0.190.0", ["{env}/story"])]


def environment(name):
    made = subprocess.run([HERE / "env" / "make", name], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.strip().splitlines()[-1]


def main():
    wanted = sys.argv[1:]
    failed = []
    with Leftovers(), Server() as server:
        for name, command in RUNS:
            if wanted and name not in wanted:
                continue
            env = environment(name)
            print(f"--- {name}: {pathlib.Path(str(command[-1])).name}", flush=True)
            done = subprocess.run([str(part).format(env=env) for part in command], cwd=env, timeout=600,
                                  env=dict(os.environ, SEBRING_URL=server.url, SEBRING_KEY=server.key))
            if done.returncode != 0:
                failed.append(name)
        if failed:
            print(server.log()[-6000:])
    print("failed: " + ", ".join(failed) if failed else "all stories passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
