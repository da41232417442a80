"""The conformance suite of HTTP/2 (h2spec, RFC 7540 and 7541) against the TLS front with a preview behind it."""
import os
import subprocess
import unittest

import tls_front_test as rig

HERE = os.path.dirname(os.path.abspath(__file__))
setUpModule, tearDownModule = rig.setUpModule, rig.tearDownModule


# What libnghttp2 decides otherwise.
OTHERWISE = {
    # It does not remember which streams there were, and lets a head with an old number go by like one of a closed stream.
    "http2/5.1.1: Sends stream identifier that is numerically smaller than previous",
}


class Suite(unittest.TestCase):
    def test_all_cases(self):
        made = subprocess.run([os.path.join(HERE, "env", "create"), "go-h2spec"], stdout=subprocess.PIPE, text=True, check=True)
        environment = made.stdout.strip().splitlines()[-1]
        program = os.path.join(rig.directory, "h2spec")
        subprocess.run(["bin/go", "build", "-o", program, os.path.join(HERE, "h2spec.go")], cwd=environment, check=True,
                       env=dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=vendor"))
        ran = subprocess.run([program, str(rig.proxy.tls_port), "/preview/%s/3000/" % rig.box], capture_output=True, text=True, timeout=300)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        cases = [line.split("\t") for line in ran.stdout.rpartition("\n\n")[2].splitlines()]
        self.assertGreater(len(cases), 140)
        self.assertEqual([case for case in cases if case[0] != "passed" and case[1] not in OTHERWISE], [])


if __name__ == "__main__":
    unittest.main()
