"""What `sebring doctor --json` (standard input) must say about the machine of scripts/test-vm.sh."""

import json
import sys

report = json.load(sys.stdin)
findings = {finding["check"]: finding for finding in report["findings"]}
problems = []
if not report["canRun"]:
    problems.append("says that this machine can not run sebring")
for name, finding in findings.items():
    if finding["severity"] != "ok" and not (finding["cost"] and finding["mend"]):
        problems.append(f"{name}: no cost or no cure")
    print(f"  {finding['severity']:9} {name}: {finding['found']}")
print("\n".join(problems))
sys.exit(1 if problems else 0)
