"""What `sebring doctor --json` (standard input) must say about the machine of scripts/test-vm.sh, as it is (DOCTOR) and
without some programs, modules and a route (POOR). What is not named here must be good."""

import json
import sys

STOCK = {
    "version": "advice",
    "overlay layers by descriptor": "advice",
    "mounts from detached mounts": "advice",
    "net.ipv4.ip_forward": "advice",
    "preview names": "advice",
    "kernel.kptr_restrict": "advice",
}
EXPECTED = {
    "DOCTOR": STOCK,
    "POOR": STOCK | {
        "overlay": "missing",
        "btrfs": "degraded",
        "loop devices": "degraded",
        "nft": "degraded",
        "mkfs.btrfs": "degraded",
        "default route": "advice",
        "open files": "advice",
    },
}

expected = EXPECTED[sys.argv[1]]
report = json.load(sys.stdin)
problems = []
for finding in report["findings"]:
    name, wanted = finding["check"], expected.get(finding["check"], "ok")
    if finding["severity"] != wanted:
        problems.append(f"{name}: {finding['severity']} ({finding['found']}), not {wanted}")
    if wanted != "ok" and not (finding["cost"] and finding["mend"]):
        problems.append(f"{name}: no cost or no cure")
problems += [f"{name}: not looked at" for name in expected if name not in [one["check"] for one in report["findings"]]]
if report["canRun"] != ("missing" not in expected.values()):
    problems.append(f"canRun is {report['canRun']}")
for problem in problems:
    print(f"  doctor, {sys.argv[1]}: {problem}")
sys.exit(1 if problems else 0)
