"""`sebring doctor` about this machine, on which the root tests pass: what they use must be reported as good. And with
programs hidden: each lack has a cost and a cure."""

import json
import os
import subprocess
import unittest

from harness import BUILD, clean_environment

USED_BY_ROOT_TESTS = ("overlay", "seccomp filters", "memory", "pids", "cpu", "namespaces", "veth links", "nftables",
                      "nftables: connection states", "nftables: masquerading", "nftables: connection counts",
                      "nftables: ARP rules", "nft", "sebring-toolbox", "preview names")


def doctor(before=""):
    script = before + f' exec "{BUILD / "sebring"}" doctor --json'
    done = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, timeout=60, env=clean_environment())
    return json.loads(done.stdout), done.returncode


class Version(unittest.TestCase):
    def test_flag_and_command_agree(self):
        said = [subprocess.run([BUILD / "sebring", word], capture_output=True, text=True, check=True, env=clean_environment()).stdout
                for word in ("--version", "version")]
        self.assertRegex(said[0], r"^sebring \d+\.\d+\.\d+\n$")
        self.assertEqual(said[0], said[1])


class Doctor(unittest.TestCase):
    def test_what_works_here_is_good(self):
        report, code = doctor()
        self.assertTrue(report["canRun"], [one for one in report["findings"] if one["severity"] != "ok"])
        self.assertEqual(code, 0)
        severities = {one["check"]: one["severity"] for one in report["findings"]}
        for check in USED_BY_ROOT_TESTS:
            self.assertEqual(severities.get(check), "ok", check)

    def test_a_lack_has_cost_and_cure(self):
        hidden = [path for path in ("/usr/sbin/nft", "/usr/sbin/mkfs.btrfs", "/sbin/mkfs.btrfs") if os.path.exists(path)]
        report, _ = doctor("".join(f"mount --bind /dev/null {os.path.realpath(path)};" for path in hidden))
        found = {one["check"]: one for one in report["findings"]}
        for check in ("nft", "mkfs.btrfs"):
            self.assertEqual(found[check]["severity"], "degraded", check)
        report, _ = doctor("for f in nsswitch.conf resolv.conf; do mount --bind /dev/null $(realpath /etc/$f); done;")
        self.assertIn("libnss-myhostname", {one["check"]: one for one in report["findings"]}["preview names"]["mend"])
        for one in report["findings"]:
            if one["severity"] != "ok":
                self.assertTrue(one["cost"] and one["mend"], one)


if __name__ == "__main__":
    unittest.main(verbosity=2)
