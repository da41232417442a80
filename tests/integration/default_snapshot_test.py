"""What agents find in the default snapshot, without a network, and the names that exist from the start."""

import unittest

from harness import ServerTest

HAS = (
    ("cat /etc/debian_version", "12."),
    ("id -un; id -u; echo $HOME", "daytona\n1000\n/home/daytona\n"),
    ("sudo -n id -u", "0\n"),
    ("python3 -c 'import numpy, pandas, matplotlib, requests; print(numpy.arange(3).sum())'", "3\n"),
    ("python3 -m pip --version", "pip "),
    ("python3 -m venv /tmp/v && /tmp/v/bin/python -c 'print(1)'", "1\n"),
    ("node -e 'console.log(Number(process.versions.node.split(\".\")[0]) >= 22)'", "true\n"),
    ("cd /tmp && npx ts-node -e 'const a: number = 6 * 7; console.log(a)'", "42\n"),
    ("cd /tmp && echo 'interface A { n: number }; const a: A = { n: 6 }; console.log(a.n * 7)' > t.ts && npx tsx t.ts", "42\n"),
    ("cd /tmp && tsc --version", "Version "),
    ("git --version", "git version"),
    ("curl --version | head -1", "curl "),
    ("rg --version | head -1", "ripgrep "),
    ("cd /tmp && echo 'int main() { return 42; }' > m.c && gcc m.c -o m && ./m; echo $?", "42\n"),
    ("make --version | head -1", "GNU Make"),
    ("localedef --list-archive; LC_ALL=C.UTF-8 bash -c 'x=é; echo ${#x}'", "C.utf8\n1\n"),  # a shell starts faster with one
    ("command -v typescript-language-server", "/"),
    ("command -v pyright-langserver pylsp | head -1", "/"),
)
SIZES = {"daytona-small": (1, 1, 3), "daytona-medium": (2, 4, 8), "daytona-large": (4, 8, 10)}


class DefaultSnapshot(ServerTest):
    def test_programs_offline(self):
        box = self.server.create(networkBlockAll=True)
        for command, expected in HAS:
            with self.subTest(command=command):
                answer = self.server.execute(box["id"], command, timeout=60)
                self.assertEqual(answer["exitCode"], 0, answer["result"])
                self.assertTrue(answer["result"].startswith(expected), answer["result"])

    def shell_of(self, box, command):
        """The same by execute and in a session."""
        path = f"/toolbox/{box}/process/session"
        session = f"s{len(command)}"
        status, answer, _ = self.server.request("POST", path, {"sessionId": session})
        self.assertEqual(status, 201, answer)
        status, answer, _ = self.server.request("POST", f"{path}/{session}/exec", {"command": command})
        self.assertEqual(status, 200, answer)
        self.assertEqual(self.server.request("DELETE", f"{path}/{session}")[0], 204)
        return {self.server.execute(box, command)["result"].strip(), answer["output"].strip()}

    def test_quick_bash_stands_in_for_the_usual_one(self):
        box = self.server.create()["id"]
        self.assertEqual(self.shell_of(box, "echo $0 $BASH $(ps -o comm= -p $$)"), {"/bin/bash /bin/bash bash"})
        self.assertEqual(self.shell_of(box, "echo ~root ${#LANG}; [[ a.b =~ ^a\\.b$ ]]; echo $?"), {"/root 7\n0"})
        self.assertEqual(self.shell_of(box, "readlink /proc/$$/exe"), {"/usr/libexec/sebring/bash"})
        # Who puts something else into the place of /bin/bash gets that.
        self.server.execute(box, "cp /bin/bash /tmp/bash && sudo mv /tmp/bash /bin/bash")
        self.assertEqual(self.shell_of(box, "echo; readlink /proc/$$/exe"), {"/usr/bin/bash"})
        # Nor is anything taken that others than root could have written.
        self.server.execute(box, "sudo touch -r /bin/bash /usr/libexec/sebring/bash")
        self.assertEqual(self.shell_of(box, "true ''; readlink /proc/$$/exe"), {"/usr/libexec/sebring/bash"})
        self.server.execute(box, "sudo chown daytona /usr/libexec/sebring/bash")
        self.assertEqual(self.shell_of(box, "true; readlink /proc/$$/exe"), {"/usr/bin/bash"})

    def test_names_and_sizes(self):
        for name, (cpu, memory, disk) in SIZES.items():
            box = self.server.create(snapshot=name)
            self.assertEqual((box["snapshot"], box["cpu"], box["memory"], box["disk"]), (name, cpu, memory, disk))
            self.server.request("DELETE", f"/api/sandbox/{box['id']}")
        box = self.server.create(snapshot="default")
        self.assertEqual(box["state"], "started")

    def test_regions_by_habit(self):
        for target in ("us", "eu"):
            box = self.server.create(target=target)
            self.assertEqual(box["state"], "started", target)
            self.server.request("DELETE", f"/api/sandbox/{box['id']}")
        status, answer, _ = self.server.request("POST", "/api/sandbox", {"target": "nowhere"})
        self.assertIn(status, (400, 404), answer)
        self.assertEqual(answer["message"], "Region not found")


if __name__ == "__main__":
    unittest.main(verbosity=2)
