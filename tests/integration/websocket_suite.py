"""Autobahn's WebSocket cases (kosoku runs them) against an echo server: those of framing, control frames, fragments, UTF-8 and
closing, and a choice of those that move much data or compress, which are hundreds and take minutes."""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", "9.1.3", "9.2.4", "9.3.5", "9.4.5", "9.5.*", "9.6.*", "9.7.1", "9.8.1",
         "12.1.3", "12.2.5", "12.5.1", "13.1.1", "13.3.3", "13.7.5"]
RANKS = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED"]  # what is not here is worse


def outcomes(url, *names):
    """By case: how bad the messages and the close were (0: as they should be), and why. For the program that asks alone the
    names lead to this machine."""
    made = subprocess.run([HERE / "env" / "create", "python-reach"], stdout=subprocess.PIPE, text=True, check=True)
    with tempfile.NamedTemporaryFile("w") as hosts:
        print("127.0.0.1", "localhost", *names, file=hosts, flush=True)
        ran = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts.name,
                              made.stdout.split()[-1] + "/bin/python", __file__, url], capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return {case: ([RANKS.index(word) if word in RANKS else len(RANKS) for word in found[:2]], found) for case, found in json.loads(ran.stdout).items()}


async def main():
    import kosoku  # of the environment that this program runs in, not its caller
    try:
        results = await kosoku.run_fuzzingclient(sys.argv[1], CASES, concurrency=4)
    except kosoku.FailureError as failure:
        results = failure.results
    print(json.dumps({one.case_id: [one.behavior.value, one.behavior_close.value, one.result, one.result_close] for one in results}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)  # the library's threads outlive the interpreter now and then, and abort
