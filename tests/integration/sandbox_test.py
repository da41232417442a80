"""What a sandbox is, seen through the API of a real server: limits, isolation, disk, network, life, bad input."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
import unittest
import uuid

from harness import ServerTest


class SandboxTest(ServerTest):
    def run_in(self, box, command, **more):
        result = self.server.execute(box, command, **more)
        return result["exitCode"], result["result"]

    def until(self, what, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.1)


class Limits(SandboxTest):
    def test_own_limits_are_shown(self):
        box = self.box(snapshot="daytona-small")
        self.assertEqual(self.run_in(box, "nproc"), (0, "1\n"))
        self.assertEqual(self.run_in(box, "grep -c ^processor /proc/cpuinfo"), (0, "1\n"))
        code, total = self.run_in(box, "awk '/MemTotal/{print $2}' /proc/meminfo")
        self.assertEqual(int(total), 1024 * 1024)

    def test_disk_is_limited_and_recovers(self):
        box, neighbour = self.box(snapshot="daytona-small"), self.box(snapshot="daytona-small")
        code, text = self.run_in(box, "head -c 4G /dev/zero | tr '\\0' x | dd of=/home/daytona/big bs=1M oflag=direct iflag=fullblock 2>&1 || dd if=/dev/urandom of=/home/daytona/big2 bs=1M count=4000 2>&1", timeout=300)
        code, text = self.run_in(box, "dd if=/dev/urandom of=/home/daytona/big3 bs=1M count=4000 2>&1", timeout=300)
        self.assertNotEqual(code, 0)
        self.assertIn("quota exceeded", text.lower())
        self.assertEqual(self.run_in(neighbour, "head -c 50M /dev/urandom > /home/daytona/x && echo fine"), (0, "fine\n"))
        status, body = self.api("POST", f"/toolbox/{box}/files/upload-v2?path=/home/daytona/up.bin", os.urandom(20 << 20),
                                headers={"Content-Type": "application/octet-stream"})
        self.assertGreaterEqual(status, 400)
        self.assertTrue(body["message"], body)
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/stop")[0], 200)
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/start")[0], 200)
        self.assertEqual(self.run_in(box, "rm -f /home/daytona/big* && echo again > /home/daytona/y && cat /home/daytona/y"), (0, "again\n"))

    def test_memory_and_pids(self):
        box = self.box(snapshot="daytona-small")
        result = self.server.execute(box, "python3 -c 'x = bytearray(3 << 30)'", timeout=60)
        self.assertNotEqual(result["exitCode"], 0)
        self.assertRegex(json.dumps(result), "(?i)memory")
        self.assertEqual(self.run_in(box, "echo alive"), (0, "alive\n"))
        self.run_in(box, "f() { f | f & }; f; sleep 2", timeout=20)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(AssertionError):
                if self.run_in(box, "pkill -9 -u daytona bash; echo alive", timeout=10)[1].endswith("alive\n"):
                    break
        self.assertEqual(self.api("DELETE", f"/api/sandbox/{box}")[0], 200)

    def test_inode_numbers_are_unique(self):
        box = self.box()
        self.run_in(box, "mkdir /tmp/n; cd /tmp/n; for i in $(seq 600); do : > f$i; done")
        code, text = self.run_in(box, "find / -xdev -type f -links 1 -printf '%D:%i\\n' 2>/dev/null | sort | uniq -d | head -3", timeout=120)
        self.assertEqual(text, "")


class Isolation(SandboxTest):
    def test_identity(self):
        box = self.box()
        self.assertEqual(self.run_in(box, "id -u; hostname | wc -c; sudo id -u")[1].splitlines()[0::2], ["1000", "0"])
        code, text = self.run_in(box, "grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | awk '{print $2}' | sort -u")
        self.assertEqual(text, "0000000000000000\n")
        code, text = self.run_in(box, "sudo grep CapBnd /proc/self/status | awk '{print $2}'")
        self.assertEqual(int(text, 16) & ~0x200405FB & ~(1 << 27) & ~(1 << 31), 0, text)

    def test_refused(self):
        box = self.box()
        for command in ("sudo mount -t tmpfs x /mnt", "sudo unshare -m true", "unshare -U true", "sudo mknod /tmp/sda b 8 0 && sudo head -c1 /tmp/sda",
                        "sudo sh -c 'echo 1 > /proc/sys/kernel/panic'", "sudo dmesg", "sudo sh -c 'echo b > /proc/sysrq-trigger'",
                        "sudo sh -c 'echo x > /proc/sys/kernel/core_pattern'", "sudo head -c1 /proc/kcore | grep -q .", "sudo kill -9 1; kill -0 1 2>/dev/null && false",
                        "sudo cat /proc/1/environ /proc/1/maps | grep -q .", "sudo ls /proc/1/fd | grep -q .", "sudo gdb -p 1 </dev/null",
                        "sudo sh -c 'echo 1 > /sys/fs/cgroup/x'", "sudo chroot /proc/1/root/.. ls /var/lib/sebring"):
            code, text = self.run_in(box, command)
            self.assertNotEqual(code, 0, f"{command}: {text}")
        self.assertEqual(self.run_in(box, "echo alive"), (0, "alive\n"))
        code, text = self.run_in(box, "python3 -c \"\nimport socket\nfor f in (38, 40, 33, 15, 17, 31):\n  try: socket.socket(f, socket.SOCK_RAW); print('made', f)\n  except OSError as e: print(e.errno)\"")
        self.assertNotIn("made", text)

    def test_network(self):
        one, two = self.box(), self.box()
        address = self.run_in(two, "hostname -I || ip -o -4 address show eth0")[1]
        address = [word.split("/")[0] for word in address.split() if word.startswith("100.")][0]
        self.run_in(two, "nohup python3 -m http.server 8000 >/dev/null 2>&1 & for i in $(seq 100); do curl -s -o /dev/null http://127.0.0.1:8000/ && break; sleep 0.1; done")
        self.assertEqual(self.run_in(two, "curl -s -m 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/")[1], "200")
        listening = socket.create_server(("0.0.0.0", 0))
        self.addCleanup(listening.close)
        host = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
        targets = [f"http://{address}:8000/", "http://169.254.169.254/", "http://10.0.0.1/"]
        gateway = self.run_in(one, "ip route | awk '/default/{print $3}'")[1].strip()
        for name in host + [gateway]:
            if name and ":" not in name:
                targets += [f"http://{name}:{listening.getsockname()[1]}/", f"http://{name}:{self.server.port}/"]
        for target in targets:
            code, text = self.run_in(one, f"curl -s -m 2 -o /dev/null -w '%{{http_code}}' {target}")
            self.assertEqual(text, "000", target)
            if "169.254" not in target and "10.0.0.1" not in target:  # those the host itself has no way to, which tells nothing
                self.assertNotEqual(code, 7, f"{target}: a refusal tells that somebody is there")

    def test_blocked_network(self):
        box = self.box(networkBlockAll=True)
        self.assertNotEqual(self.run_in(box, "curl -s -m 2 http://1.1.1.1/")[0], 0)

    def test_secrets_are_not_inside(self):
        box = self.box()
        code, text = self.run_in(box, "env; sudo cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'")
        self.assertNotIn("dtn_", text)
        self.assertNotIn("SEBRING_", text)


class Life(SandboxTest):
    def test_processes_are_reaped_and_stopped(self):
        box = self.box()
        self.run_in(box, "for i in $(seq 50); do (sleep 0.05 &) ; done; while pgrep -x sleep; do sleep 0.1; done")
        self.until("they are reaped", lambda: self.run_in(box, "ps -eo stat | grep -c '^Z'")[1] == "0\n")
        self.run_in(box, "nohup sh -c 'trap \"echo got > /home/daytona/term; exit\" TERM; : > /tmp/armed; while :; do sleep 0.1; done' >/dev/null 2>&1 & until [ -e /tmp/armed ]; do sleep 0.02; done")
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/stop")[0], 200)
        status, body = self.api("POST", f"/toolbox/{box}/process/execute", {"command": "true"})
        self.assertIn(status, range(400, 500), body)
        self.assertTrue(body["message"])
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/start")[0], 200)
        self.assertEqual(self.run_in(box, "cat /home/daytona/term"), (0, "got\n"))

    def test_timeout_and_client_gone(self):
        box = self.box()
        status, body = self.api("POST", f"/toolbox/{box}/process/execute", {"command": "sh -c 'sleep 54321'; sleep 54321", "timeout": 1})
        self.assertEqual(status, 408, body)
        self.assertEqual(self.run_in(box, "pgrep -f 'sleep 5432[1]'; true"), (0, ""))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.request("POST", f"/toolbox/{box}/process/execute", json.dumps({"command": "sleep 54322"}),
                           {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json"})
        self.until("it runs", lambda: self.run_in(box, "pgrep -fc 'sleep 5432[2]'")[0] == 0)
        connection.close()
        self.until("it ends with its client", lambda: self.run_in(box, "pgrep -f 'sleep 5432[2]'; true") == (0, ""))

    def test_stdin_never_hangs(self):
        box = self.box()
        for command in ("cat", "read x; echo done", "python3 -c 'input()' 2>&1 | tail -1", "ssh-keygen -f /tmp/k -N '' </dev/null >/dev/null; echo y"):
            self.run_in(box, command, timeout=40)  # a timeout is answered with 408

    def test_burst(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            boxes = list(pool.map(lambda _: self.server.create()["id"], range(40)))
            self.assertEqual(set(pool.map(lambda box: self.run_in(box, "echo hi"), boxes)), {(0, "hi\n")})
            self.assertEqual(set(pool.map(lambda box: self.api("DELETE", f"/api/sandbox/{box}")[0], boxes)), {200})

    def test_one_name_once(self):
        name = "race-" + uuid.uuid4().hex[:6]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.api("POST", "/api/sandbox", {"name": name}), range(16)))
        self.assertEqual(sorted(status for status, _ in answers), [200] + [409] * 15)
        self.assertEqual({body["message"] for status, body in answers if status == 409}, {f"Sandbox with name {name} already exists"})
        self.assertEqual(self.api("DELETE", f"/api/sandbox/{name}")[0], 200)
        again = self.server.create(name=name)
        self.assertEqual(self.api("DELETE", f"/api/sandbox/{again['id']}")[0], 200)

    def test_ephemeral_goes_when_stopped(self):
        box = self.box(autoDeleteInterval=0)
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/stop")[0], 200)
        self.until("it is gone", lambda: self.api("GET", f"/api/sandbox/{box}")[0] == 404)

    def test_large_files_stream(self):
        box = self.box()
        size = 300 << 20
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        block = os.urandom(1 << 20)
        connection.request("POST", f"/toolbox/{box}/files/upload-v2?path=/tmp/big", (block for _ in range(size >> 20)),
                           {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/octet-stream"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().read() and 1, 1)
        self.assertEqual(self.run_in(box, "stat -c %s /tmp/big")[1], f"{size}\n")
        connection.request("GET", f"/toolbox/{box}/files/download?path=/tmp/big", headers={"Authorization": f"Bearer {self.server.key}"})
        answer = connection.getresponse()
        got = 0
        while piece := answer.read(1 << 20):
            got += len(piece)
        self.assertEqual(got, size)


class BadInput(SandboxTest):
    def test_create(self):
        rows = [({"snapshot": "nosuch"}, 400, "Snapshot nosuch not found"), ({"target": "mars"}, 404, "Region not found"),
                ({"cpu": 2}, 400, "Cannot specify Sandbox resources when using a snapshot"), ({"name": "<b>x</b>"}, 400, "name must not contain"),
                ({"name": 5}, 400, "name must be a string"), ({"labels": "x"}, 400, "labels"), ({"env": {"A": 1}}, 400, "env"),
                ({"autoStopInterval": -1}, 400, "Auto-stop interval must be non-negative"), ({"autoStopInterval": "x"}, 400, "autoStopInterval"),
                ({"public": "yes"}, 400, "public"), ({"networkAllowList": "1.2.3.4"}, 400, "Missing CIDR"), ("{", 400, "JSON"), ("[1]", 400, ""),
                ('{"name":"a","name":"b"}', 400, "twice")]
        before = len(self.api("GET", "/api/sandbox?limit=200")[1]["items"])
        for body, wanted, message in rows:
            status, answer = self.api("POST", "/api/sandbox", body, headers={"Content-Type": "application/json"})
            self.assertEqual(status, wanted, (body, answer))
            self.assertIn(message, answer["message"], body)
            self.assertEqual(list(answer)[:5], ["path", "timestamp", "statusCode", "error", "message"])
        self.assertEqual(len(self.api("GET", "/api/sandbox?limit=200")[1]["items"]), before)

    def test_unknown_user(self):
        """Not started and dead a moment later."""
        status, body = self.api("POST", "/api/sandbox", {"name": "of-nobody", "user": "nobodyX"})
        self.assertEqual((status, "nobodyX" in body["message"]), (400, True), body)
        self.assertEqual(self.api("GET", "/api/sandbox/of-nobody")[0], 404)
        self.assertEqual(self.run_in(self.box(user="root"), "id -u"), (0, "0\n"))
        self.assertEqual(self.run_in(self.box(user="4321"), "id -u"), (0, "4321\n"))

    def test_wrong_calls(self):
        box = self.box()
        rows = [("GET", "/api/sandbox/none", 404), ("POST", "/api/sandbox/none/start", 404), ("DELETE", "/api/sandbox/none", 404),
                ("GET", "/api/sandbox?limit=0", 400), ("GET", "/api/sandbox?limit=201", 400), ("GET", "/api/sandbox?limit=x", 400),
                ("GET", "/api/sandbox?labels={", 400), ("GET", "/api/sandbox?states=nosuch", 400), ("GET", "/api/sandbox?sort=nosuch", 400),
                ("GET", "/api/sandbox?cursor=nosuch", 400), ("PUT", f"/api/sandbox/{box}/labels", 400), ("POST", f"/api/sandbox/{box}/autostop/x", 400),
                ("POST", f"/api/sandbox/{box}/start", 200), ("GET", "/api/nosuch", 404), ("PATCH", "/api/sandbox", 404)]
        for method, path, wanted in rows:
            status, answer = self.api(method, path, {"labels": 1} if method == "PUT" else None)
            self.assertEqual(status, wanted, (method, path, answer))
        self.assertEqual(self.api("GET", "/api/sandbox", key="dtn_x")[0], 401)
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/stop")[0], 200)
        self.assertEqual(self.api("POST", f"/api/sandbox/{box}/stop")[0], 400)

    def test_toolbox(self):
        box = self.box()
        rows = [("POST", "process/execute", {}, 400), ("POST", "process/execute", {"command": 5}, 400), ("POST", "process/execute", "{", 400),
                ("POST", "process/execute", {"command": "true", "envs": {"A=B": "x"}}, 400), ("POST", "process/code-run", {"code": "x", "language": "cobol"}, 400),
                ("GET", "files?path=/nope", None, 404), ("GET", "files/download?path=/nope", None, 404), ("GET", "files/download", None, 400),
                ("GET", "files/info?path=a%00b", None, 400), ("POST", "files/upload?path=/tmp/x", "no multipart", 400),
                ("POST", "files/folder?path=/proc/x", None, None), ("DELETE", "files?path=/nope", None, 404), ("GET", "nosuch", None, 404),
                ("POST", "files/upload-v2?path=/proc/version", "x", None)]
        for method, path, body, wanted in rows:
            status, answer = self.api(method, f"/toolbox/{box}/{path}", body, headers={"Content-Type": "application/json"})
            where = (method, path, body, status, answer)
            self.assertIn(status, [wanted] if wanted else range(400, 500), where)
            self.assertEqual(answer.get("source"), "DAYTONA_DAEMON", where)
            self.assertTrue(answer["message"] and answer["code"], where)
        self.assertEqual(self.api("GET", "/toolbox/none/version")[0], 404)
        self.assertEqual(self.api("GET", f"/toolbox/{box}/version", key="dtn_x")[0], 401)

    def test_raw(self):
        for text, wanted in ((b"nonsense\r\n\r\n", b"400"), (b"GET /api/sandbox HTTP/1.1\r\n\r\n", b"400"),
                             (b"POST /api/sandbox HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
                             (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70000 + b"\r\n\r\n", b"431")):
            with socket.create_connection(("127.0.0.1", self.server.port), 30) as stream:
                stream.sendall(text)
                stream.shutdown(socket.SHUT_WR)
                answer = stream.makefile("rb").read()
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + wanted), (text[:60], answer[:200]))
        status, answer = self.api("POST", "/api/sandbox", "x" * (20 << 20), headers={"Content-Type": "application/json"})
        self.assertEqual(status, 413)


if __name__ == "__main__":
    unittest.main(verbosity=1)
