#!/usr/bin/env python3
"""Builds and runs all tests; called by `./dev test [STAGE...]`. The last line is "N passed, N failed, N skipped".

Stages: format unit root toolbox integration browser sdk faults bench-smoke vm-short tidy, and on request vm. Without
arguments all but the last and what SEBRING_SKIP names (comma-separated); tidy runs beside the others. Output of a stage
goes to build/test-logs/ and is shown when it fails.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
ASAN = ROOT / "build-asan"
LOGS = BUILD / "test-logs"
INTEGRATION = ROOT / "tests" / "integration"


class Tally:
    passed = failed = skipped = 0
    problems = []
    tidy = None  # runs beside the others


def sources():
    listed = subprocess.run(["git", "ls-files", "*.cpp", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.split()]


def count(output, failed):
    """Numbers of the runners' closing lines; a run without any counts as one test."""
    passed = skipped = broken = 0
    for total, rest in re.findall(r"^Ran (\d+) tests?[^\n]*\n\n(OK|FAILED)[^\n]*", output, re.M):
        passed += int(total)
    for line in re.findall(r"^(?:OK|FAILED) \((.*)\)$", output, re.M):
        numbers = {name: int(number) for name, number in re.findall(r"(failures|errors|skipped)=(\d+)", line)}
        broken += numbers.get("failures", 0) + numbers.get("errors", 0)
        skipped += numbers.get("skipped", 0)
    for ok, bad in re.findall(r"test cases:\s+\d+ \|\s+(\d+) passed \|\s+(\d+) failed", output):
        passed, broken = passed + int(ok), broken + int(bad)
    for ok, bad in re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M):
        passed, broken = passed + int(ok), broken + int(bad)
    for kind, number in re.findall(r"^# (pass|fail) (\d+)$", output, re.M):
        passed, broken = passed + int(number) * (kind == "pass"), broken + int(number) * (kind == "fail")
    passed = max(0, passed - skipped)
    if passed + broken + skipped == 0:
        passed = 0 if failed else 1
    if failed and broken == 0:
        broken = 1
    return passed, broken, skipped


def step_aside():
    """Of a child before it starts: works only when nothing else wants to, and ends when we end."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write("19")
    except OSError:
        pass
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Program:
    """One test program; its output goes to a file of its own."""

    def __init__(self, name, command, cwd=ROOT, env=None, aside=False):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, LOGS / (re.sub(r"[^A-Za-z0-9_.-]+", "-", name) + ".log")
        self.start = time.monotonic()
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})},
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            preexec_fn=step_aside if aside else None)

    def finish(self, timeout=1800):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "timed out"
        text = self.log.read_text(errors="replace")
        passed, broken, skipped = count(text, code != 0)
        Tally.passed += passed
        Tally.failed += broken
        Tally.skipped += skipped
        print(f"{'ok  ' if code == 0 else 'FAIL'} {self.name}: {passed} passed, {broken} failed, {skipped} skipped "
              f"({time.monotonic() - self.start:.0f} s)", flush=True)
        if code != 0:
            Tally.problems.append(self.name)
            print("\n".join("     " + line for line in text.splitlines()[-120:]), flush=True)
        return code == 0


def run(name, command, cwd=ROOT, env=None, timeout=1800):
    return Program(name, command, cwd, env).finish(timeout)


def stage_format():
    run("clang-format", ["clang-format-19", "--dry-run", "--Werror", *sources()])
    run("compatibility tables", ["python3", ROOT / "scripts" / "compatibility.py", "--check"])


def stage_unit():
    configure = ["cmake", "-S", ROOT, "-B", ASAN, "-G", "Ninja", "-DSEBRING_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Debug"]
    if run("configure sanitized build", configure, env={"CXX": "clang++-19"}) and run("sanitized build", ["cmake", "--build", ASAN, "--target", "unit_tests"]):
        for test in sorted(ASAN.glob("*_test")):
            if test.name != "root_test":
                # Children that share their parent's memory until they execute look like uses of dead stacks.
                run(f"unit {test.name} (AddressSanitizer)", [test], timeout=300, env={"ASAN_OPTIONS": "detect_stack_use_after_return=0"})


def start_tidy():
    Tally.tidy = Program("clang-tidy", ["python3", ROOT / "scripts" / "tidy.py"], aside=True)


def stage_tidy():
    Tally.tidy.finish(2700)


def stage_root():
    if (BUILD / "root_test").exists():
        run("root tests", [BUILD / "root_test"], timeout=300)


def stage_toolbox():
    for script in sorted(INTEGRATION.glob("toolbox_*_test.py")):
        run(script.stem, ["python3", "-W", "ignore", script], cwd=INTEGRATION, timeout=900)


def stage_integration():
    for script in sorted(INTEGRATION.glob("*_test.py")):
        if not script.name.startswith("toolbox_") and not script.name.endswith("_browser_test.py"):
            run(script.stem, ["python3", "-W", "ignore", script], cwd=INTEGRATION, timeout=900)


def stage_browser():
    for script in sorted(INTEGRATION.glob("*_browser_test.py")):
        run(script.stem, ["python3", "-W", "ignore", script], cwd=INTEGRATION, timeout=600)


def stage_sdk():
    run("official SDKs", ["python3", INTEGRATION / "run_stories.py"], cwd=INTEGRATION, timeout=1200)


def stage_faults():
    for script in sorted((ROOT / "tests" / "faults").glob("*_test.py")):
        run(script.stem, ["python3", "-W", "ignore", script], cwd=script.parent, timeout=600)


def stage_bench_smoke():
    run("bench, short", ["python3", ROOT / "tests/bench/bench.py", "--quick", "--only", "life,inside"], timeout=600)


def stage_vm_short():
    run("stock kernel in a virtual machine, short", [ROOT / "scripts" / "test-vm.sh", "--short"], timeout=1500)


def stage_vm():
    run("stock kernel in a virtual machine", [ROOT / "scripts" / "test-vm.sh"], timeout=3600)


STAGES = {"format": stage_format, "unit": stage_unit, "root": stage_root, "toolbox": stage_toolbox,
          "integration": stage_integration, "browser": stage_browser, "sdk": stage_sdk, "faults": stage_faults,
          "bench-smoke": stage_bench_smoke, "vm-short": stage_vm_short, "vm": stage_vm, "tidy": stage_tidy}
ON_REQUEST = ("vm",)


def drop_orphan_tables():
    """Firewall tables of servers that were killed and never came back would judge the packets of those under test."""
    live = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            live.update(re.findall(rb"runner\0--instance\0([a-z0-9]+)", path.read_bytes()))
        except OSError:
            continue
    if shutil.which("nft") is None:
        return
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    for family, instance in re.findall(r"^table (\S+) sebring_([a-z0-9]+)$", listed, re.M):
        if instance.encode() not in live:
            subprocess.run(["nft", "delete", "table", family, f"sebring_{instance}"], check=False)


def main():
    drop_orphan_tables()
    skip = os.environ.get("SEBRING_SKIP", "").split(",")
    start = time.monotonic()
    stages = sys.argv[1:] or [stage for stage in STAGES if stage not in skip and stage not in ON_REQUEST]
    if "tidy" in stages:
        start_tidy()  # takes what the others leave
    for name in stages:
        print(f"== {name}", flush=True)
        STAGES[name]()
    print(f"{time.monotonic() - start:.0f} s in all" + (f"; failed: {', '.join(Tally.problems)}" if Tally.problems else ""))
    print(f"{Tally.passed} passed, {Tally.failed} failed, {Tally.skipped} skipped")
    sys.exit(1 if Tally.problems else 0)


if __name__ == "__main__":
    main()
