#!/usr/bin/env python3
"""clang-tidy over all sources but tests, each only when it or something it includes has changed since it was last clean.

    scripts/tidy.py [FILE...]      needs a finished build in build/; remembers clean files in ${SEBRING_CACHE}/tidy
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
CACHE = pathlib.Path(os.environ.get("SEBRING_CACHE", "/var/cache/sebring")) / "tidy"
TOOL = "clang-tidy-19"


def dependencies():
    """Object file -> headers and sources of this project, as the build recorded them."""
    found, current = {}, None
    for line in subprocess.run(["ninja", "-t", "deps"], cwd=BUILD, capture_output=True, text=True, check=True).stdout.splitlines():
        if line and not line[0].isspace():
            current = found.setdefault(line.split(":")[0], [])
        elif line.strip():
            path = (BUILD / line.strip()).resolve()
            if path.is_relative_to(ROOT) and not path.is_relative_to(BUILD):
                current.append(path)
    return found


def digest(path, known={}):
    if path not in known:
        known[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "-"
    return known[path]


def key(entry, deps):
    text = [digest(ROOT / ".clang-tidy"), entry["command"].replace(str(ROOT), "")]
    text += sorted(f"{path.relative_to(ROOT)} {digest(path)}" for path in deps)
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def check(entry, mark):
    done = subprocess.run([TOOL, "-quiet", "-p", str(BUILD), entry["file"]], capture_output=True, text=True)
    if done.returncode == 0:
        mark.touch()
    return entry["file"], done.returncode, done.stdout


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    deps = dependencies()
    wanted = {str(pathlib.Path(name).resolve()) for name in sys.argv[1:]}
    work, clean = [], 0
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        relative = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
        if not relative.startswith(("src/", "apps/")) or path.stem.endswith(("_src", "_test")) or (wanted and entry["file"] not in wanted):
            continue
        mark = CACHE / key(entry, deps.get(entry.get("output", ""), [path]) or [path])
        if mark.exists():
            clean += 1
        else:
            work.append((entry, mark))
    # The dearest first, or one of them runs alone at the end. What they include tells more than their own length.
    work.sort(key=lambda item: -len(deps.get(item[0].get("output", ""), [])))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for file, code, text in pool.map(lambda item: check(*item), work):
            if code != 0:
                bad += 1
                print(f"--- {file}\n{text}", flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{clean} clean since last time, {len(work)} checked in {used.ru_utime + used.ru_stime:.0f} s of processor time")
    print(f"{clean + len(work) - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
