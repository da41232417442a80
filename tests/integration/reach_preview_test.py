"""Previews of a real server's sandboxes: who comes in, what passes, what is said when it does not; TLS; a killed control."""

import contextlib
import hashlib
import http.client
import http.cookies
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

from harness import Leftovers, Server, free_port
from reach_rig import BROWSER, Reach, eventually, run_sdk
from ws import WebSocket

PROTECTED = (2280, 22222, 33333)


def make_certificate(name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:*.preview.localhost,DNS:localhost",
                    "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"], check=True, capture_output=True)


def place_certificate(name):
    for end in ("crt", "key"):
        shutil.copy(directory / f"{name}.{end}", directory / "new")
        shutil.chown(directory / "new", "sebring")
        os.rename(directory / "new", directory / f"live.{end}")


def setUpModule():
    global leftovers, server, reach, directory, private, public, tls_port
    leftovers = Leftovers().__enter__()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sebring-reach-"))
    directory.chmod(0o755)
    tls_port = free_port()
    for name in ("first", "second"):
        make_certificate(name)
    with contextlib.suppress(LookupError):
        place_certificate("first")
    plain = free_port()
    server = Server({"slots": 4, "tls-listen": f"127.0.0.1:{tls_port}", "tls-certificate": directory / "live.crt",
                     "tls-key": directory / "live.key", "public-url": f"http://localhost:{plain}"})
    server.port, server.url = plain, f"http://127.0.0.1:{plain}"
    server.start()
    reach = Reach(server, directory)
    private = server.create()["id"]
    public = server.create(public=True)["id"]
    reach.app(private)
    reach.app(public)


def tearDownModule():
    server.__exit__(None, None, None)
    shutil.rmtree(directory)
    leftovers.__exit__(None, None, None)


def preview_token(box, port=3000):
    return server.request("GET", f"/api/sandbox/{box}/ports/{port}/preview-url")[1]["token"]


def signed(box, port=3000, seconds=None):
    query = "" if seconds is None else f"?expiresInSeconds={seconds}"
    return server.request("GET", f"/api/sandbox/{box}/ports/{port}/signed-preview-url{query}")[:2]


class Admission(unittest.TestCase):
    def test_ways_in(self):
        token = preview_token(private)
        made = signed(private)[1]
        for ways in (dict(label=public), dict(label=private, key=server.key),
                     dict(label=private, headers={"X-Daytona-Preview-Token": token}),
                     dict(label=private, path="/?DAYTONA_SANDBOX_AUTH_KEY=" + token), dict(label=made["token"]),
                     dict(label=private, key="dtn_" + "0" * 64, headers={"X-Daytona-Preview-Token": token})):
            status, _, body = reach.ask(**ways)
            self.assertEqual(status, 200, (ways, body))

    def test_refused(self):
        stranger = server.create()["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{stranger}")
        foreign = preview_token(stranger)
        for ways in ({}, dict(key="dtn_" + "0" * 64), dict(headers={"X-Daytona-Preview-Token": "x"}),
                     dict(headers={"X-Daytona-Preview-Token": foreign}), dict(path="/?DAYTONA_SANDBOX_AUTH_KEY=" + foreign),
                     dict(label=str(uuid.uuid4())),
                     dict(headers={"Cookie": "daytona-sandbox-auth-%s=%s" % (private, preview_token(private))})):
            status, headers, body = reach.ask(**{"label": private, **ways})
            self.assertEqual(status, 401, (ways, body))
            self.assertEqual(json.loads(body)["statusCode"], 401)
        for label in ("a" * 16, signed(stranger)[1]["token"].swapcase().lower()[::-1]):
            self.assertEqual(reach.ask(label)[0], 403)

    def test_protected_ports(self):
        for port in PROTECTED:
            self.assertEqual(reach.ask(public, port)[0], 401, port)
            self.assertNotEqual(reach.ask(public, port, key=server.key)[0], 401, port)
        status, _, body = reach.ask(public, 22222, key=server.key)
        self.assertEqual(status, 200)
        self.assertIn(b"terminal", body)
        status, _, body = reach.ask(public, 2280, "/process/session", key=server.key)
        self.assertEqual(status, 200, body)
        # The path mode is no way around.
        for port in PROTECTED:
            self.assertEqual(reach.ask(None, path=f"/preview/{public}/{port}/", host=f"localhost:{server.port}")[0], 401)

    def test_not_public_any_more(self):
        own = server.create(public=True)["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{own}")
        reach.app(own)
        self.assertEqual(reach.ask(own)[0], 200)
        self.assertEqual(server.request("POST", f"/api/sandbox/{own}/public/false")[0], 201)
        self.assertEqual(reach.ask(own)[0], 401)

    def test_cookie_dies_with_its_token(self):
        own = server.create()["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{own}")
        reach.app(own)
        status, headers, _ = reach.ask(own, path="/?DAYTONA_SANDBOX_AUTH_KEY=" + preview_token(own))
        self.assertEqual(status, 200)
        for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"):
            self.assertIn(part, headers["Set-Cookie"])
        self.assertNotIn("Domain", headers["Set-Cookie"])
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        self.assertEqual(reach.ask(own, headers=cookie)[0], 200)
        foreign = {**cookie, "Origin": "http://" + reach.host(public)}
        self.assertEqual(reach.ask(own, headers=foreign, method="POST")[0], 401)
        with self.assertRaises(AssertionError):
            self.assertEqual(WebSocket("127.0.0.1", server.port, "/ws", {"Host": reach.host(own), **foreign}).status, 101)
        self.assertEqual(server.request("POST", f"/api/sandbox/{own}/stop")[0], 200)
        self.assertEqual(server.request("POST", f"/api/sandbox/{own}/start")[0], 200)
        reach.app(own)
        self.assertEqual(reach.ask(own, headers=cookie)[0], 401)

    def test_nothing_of_ours_reaches_the_sandbox(self):
        token = preview_token(private)
        for ways in (dict(label=private, key=server.key), dict(label=public, key=server.key),
                     dict(label=signed(private)[1]["token"], key=server.key)):
            seen = reach.seen(path="/x?a=1&DAYTONA_SANDBOX_AUTH_KEY=" + token, headers={
                "X-Daytona-Preview-Token": token, "X-Daytona-Skip-Preview-Warning": "true",
                "Cookie": f"mine=1; daytona-sandbox-auth-{private}=x; daytona-preview-page-accepted=true"}, **ways)
            self.assertEqual((seen["target"], seen["headers"]["cookie"]), ("/x?a=1", "mine=1"))
            text = json.dumps(seen)
            for secret in (server.key, token, "x-daytona", "authorization"):
                self.assertNotIn(secret, text)


SDK_PREVIEW = """
import json, os
from daytona import Daytona
sandbox = Daytona().get(os.environ["BOX"])
link = sandbox.get_preview_link(3000)
signed = sandbox.create_signed_preview_url(3000, expires_in_seconds=120)
short = sandbox.create_signed_preview_url(3000)
sandbox.expire_signed_preview_url(3000, short.token)
print(json.dumps(dict(url=link.url, token=link.token, signed=signed.url, short=short.url)))
"""


class Links(unittest.TestCase):
    def ask_url(self, url, **more):
        scheme, _, host = url.partition("://")
        self.assertEqual(scheme, "http")
        return reach.ask(None, host=host.rstrip("/"), **more)[0]

    def test_by_sdk(self):
        for name in ("python-0.190", "python-newest"):
            told = run_sdk(server, SDK_PREVIEW, name, BOX=private)
            self.assertEqual(told["url"], f"http://3000-{private}.preview.localhost:{server.port}")
            self.assertEqual(self.ask_url(told["url"], headers={"X-Daytona-Preview-Token": told["token"]}), 200)
            self.assertEqual(self.ask_url(told["url"]), 401)
            self.assertEqual(self.ask_url(told["signed"]), 200)
            self.assertEqual(self.ask_url(told["short"]), 403)

    def test_signed_links_are_bound_and_end(self):
        status, made = signed(private)
        self.assertEqual((status, made["port"], made["sandboxId"]), (200, 3000, private))
        self.assertRegex(made["token"], "^[a-z0-9]{16}$")
        self.assertEqual(made["url"], f"http://3000-{made['token']}.preview.localhost:{server.port}")
        self.assertEqual(reach.ask(made["token"])[0], 200)
        self.assertEqual(reach.ask(made["token"], 3001)[0], 403)
        self.assertEqual(reach.ask(made["token"], 22222)[0], 403)
        status, _, _ = server.request("POST", f"/api/sandbox/{private}/ports/3001/signed-preview-url/{made['token']}/expire")
        self.assertEqual(reach.ask(made["token"])[0], 200, "another port's expiry")
        status, _, _ = server.request("POST", f"/api/sandbox/{private}/ports/3000/signed-preview-url/{made['token']}/expire")
        self.assertEqual(status, 201)
        self.assertEqual(reach.ask(made["token"])[0], 403)
        short = signed(private, seconds=1)[1]["token"]
        self.assertTrue(eventually(lambda: reach.ask(short)[0] == 403, 20), "a link of one second does not end")
        for seconds in ("0", "-1", "86401", "x", "1.5"):
            self.assertEqual(signed(private, seconds=seconds)[0], 400, seconds)
        for port in ("0", "65536", "-1", "x", "1.5", "+80"):
            self.assertEqual(signed(private, port)[0], 400, port)
            self.assertEqual(server.request("GET", f"/api/sandbox/{private}/ports/{port}/preview-url")[0], 400, port)
        self.assertEqual(server.request("GET", f"/api/sandbox/{uuid.uuid4()}/ports/80/preview-url")[0], 404)

    def test_whether_a_key_may_see_it(self):
        path = f"/api/preview/{private}/access"
        self.assertEqual(server.request("GET", path)[:2], (200, True))
        self.assertEqual(server.request("GET", path, key="dtn_" + "0" * 64)[0], 401)
        self.assertEqual(server.request("GET", f"/api/preview/{uuid.uuid4()}/access")[0], 404)


class Passing(unittest.TestCase):
    def test_methods_and_heads(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"):
            seen = reach.seen(public, method=method, path="/a%20b?x=%2F&y", body=None if method == "GET" else b"body")
            self.assertEqual((seen["method"], seen["target"]), (method, "/a%20b?x=%2F&y"))
            self.assertEqual(seen["body"], "" if method == "GET" else "body")
            self.assertEqual(seen["headers"]["x-forwarded-host"], reach.host(public))
            self.assertEqual(max(seen["count"].values()), 1)
        status, headers, body = reach.ask(public, method="HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(headers["Content-Length"]), 0)

    def test_listens_anywhere(self):
        for number, address in enumerate(("127.0.0.1", "0.0.0.0", "::1")):
            reach.app(public, 4000 + number, address)
            self.assertEqual(reach.ask(public, 4000 + number)[0], 200, address)

    def test_range_trailers_events(self):
        status, headers, body = reach.ask(public, path="/range", headers={"Range": "bytes=10-19"})
        self.assertEqual((status, body, headers["Content-Range"]), (206, bytes(range(10, 20)), "bytes 10-19/100"))
        raw = reach.raw(f"GET /trailers HTTP/1.1\r\nHost: {reach.host(public)}\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n")
        self.assertTrue(raw.endswith(b"\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n"), raw)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/events", headers={"Host": reach.host(public), "Accept": "text/event-stream"})
        answer = connection.getresponse()
        self.assertEqual(answer.readline(), b"data: 0\n")  # before the others were written
        self.assertTrue(answer.read().endswith(b"data: 2\n\n"))
        connection.close()

    def test_big_bodies_both_ways(self):
        data = os.urandom(1 << 20) * 64
        status, _, body = reach.ask(public, method="POST", path="/upload", body=data, timeout=120)
        self.assertEqual((status, json.loads(body)), (200, {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}))
        status, _, body = reach.ask(public, method="POST", path="/upload", body=iter([b"abc", b"def" * 1000]))
        self.assertEqual(json.loads(body)["size"], 3003)
        status, _, body = reach.ask(public, path="/stream?n=100000000", timeout=120)
        self.assertEqual((status, len(body)), (200, 100_000_000))

    def test_slow_upload_is_waited_for(self):
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(f"POST /upload HTTP/1.1\r\nHost: {reach.host(public)}\r\nContent-Length: 4\r\n\r\n".encode())
            for letter in b"slow":
                time.sleep(0.3)
                connection.sendall(bytes([letter]))
            self.assertIn(b" 200 ", connection.recv(65536))

    def test_websocket(self):
        for label, more in ((public, {}), (private, {"Authorization": "Bearer " + server.key}), (signed(private)[1]["token"], {})):
            client = WebSocket("127.0.0.1", server.port, "/ws", {"Host": reach.host(label), **more})
            for message in ("", "grüße", "x" * 70_000, b"\0\xff" * 200_000):
                client.send(message)
                self.assertEqual(client.receive(), message)
            client.close()
        for more in ({}, {"Authorization": "Bearer dtn_" + "0" * 64}):
            self.assertEqual(WebSocket("127.0.0.1", server.port, "/ws", {"Host": reach.host(private), **more}).status, 401)

    def test_what_a_sandbox_says_stays_its_own(self):
        status, headers, _ = reach.ask(public, path="/elsewhere")
        self.assertEqual((status, headers["Location"]), (302, "https://elsewhere.test/"))
        cookies = headers.get_all("Set-Cookie")
        self.assertEqual([value for value in cookies if "domain" in value.lower()], [], cookies)
        self.assertIn("c=d; Path=/", cookies)

    def test_path_mode(self):
        at = f"/preview/{public}/3000"
        here = f"localhost:{server.port}"
        self.assertEqual(reach.ask(None, path=at, host=here)[0], 308)
        seen = reach.seen(None, path=at + "/deep?x=1", host=here)
        self.assertEqual((seen["target"], seen["headers"]["x-forwarded-prefix"]), ("/deep?x=1", at))
        for bad in (f"/preview/{public}/0/", f"/preview/{public}/65536/", f"/preview/{public}/03000/", f"/preview/{public}/+80/",
                    f"/preview/{public}/", "/preview/", f"/preview/{public.upper()}/3000/", "/preview/../api/3000/"):
            self.assertIn(reach.ask(None, path=bad, host=here)[0], (400, 404), bad)


class Pages(unittest.TestCase):
    def check(self, status, text, *arguments, **more):
        got, headers, body = reach.ask(*arguments, **more)
        self.assertEqual(got, status, body)
        told = json.loads(body)
        self.assertEqual(told["statusCode"], status)
        self.assertIn(text, told["message"])
        got, headers, body = reach.ask(*arguments, **{**more, "headers": {**more.get("headers", {}), **BROWSER}})
        self.assertTrue(headers["Content-Type"].startswith("text/html"), headers)
        self.assertIn(b"<h1>", body)
        self.assertNotIn(b"<script", body)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        return got

    def test_nothing_listens(self):
        self.assertEqual(self.check(502, "nothing listens on port 9", public, 9), 502)

    def test_stopped_and_deleted(self):
        own = server.create(public=True)["id"]
        reach.app(own)
        token = signed(own)[1]["token"]
        self.assertEqual(server.request("POST", f"/api/sandbox/{own}/stop")[0], 200)
        self.assertEqual(self.check(400, "state: stopped", own), 400)
        self.assertEqual(self.check(400, "state: stopped", token), 400)
        self.assertEqual(server.request("DELETE", f"/api/sandbox/{own}")[0], 200)
        self.assertEqual(self.check(404, "", own, key=server.key), 404)
        self.assertEqual(self.check(403, "", token), 403)

    def test_wrong_token(self):
        self.check(403, "Invalid or expired token", "a" * 16)

    def test_paused_for_idleness_wakes(self):
        own = server.create(public=True)["id"]
        self.addCleanup(server.request, "DELETE", f"/api/sandbox/{own}")
        reach.app(own)
        status, body, _ = server.request("POST", f"/api/sandbox/{own}/pause")
        if status not in (200, 202):
            self.skipTest(f"no pause here: {status} {body}")
        eventually(lambda: server.request("GET", f"/api/sandbox/{own}")[1]["state"] == "paused")
        if server.request("GET", f"/api/sandbox/{own}")[1]["state"] != "paused":
            self.skipTest("it does not pause here")
        got = reach.ask(own, timeout=60)[0]
        self.assertIn(got, (200, 400))


class Hosts(unittest.TestCase):
    def test_bad_hosts(self):
        ending = f".preview.localhost:{server.port}"
        for name in (f"0-{public}", f"65536-{public}", f"01-{public}", f"+80-{public}", f"3000-{public.upper()}", f"-{public}",
                     f"3000{public}", f"3000-{public}.x", f"x.3000-{public}", "3000-" + "a" * 64, "3000-\u00fc", f"3000--{public}",
                     f"3e3-{public}", f"0x50-{public}", f"99999999999999999999-{public}", "3000-", "-", "", "."):
            raw = reach.raw(f"GET /api/health HTTP/1.1\r\nHost: {name}{ending}\r\nConnection: close\r\n\r\n")
            status = int(raw.split(b" ", 2)[1])
            self.assertIn(status, (400, 404), (name, raw))
            self.assertNotIn(b'"method"', raw.partition(b"\r\n\r\n")[2] if status == 200 else b"")

    def test_hosts_with_odd_forms(self):
        good = reach.host(public)
        for host in (good.replace(":", ".:"), good.split(":")[0] + ":", good + "0" * 5, good.split(":")[0] + ":x", good + ",x",
                     "user@" + good, good + "/x", good.replace("-", "_"), "[::1]", "127.0.0.1.", good + " " + good):
            raw = reach.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            self.assertNotIn(b'"x-forwarded-host"', raw, host)
        for lines in ("", f"Host: {good}\r\nHost: {good}\r\n", f"Host: {good}\r\nhost: localhost\r\n"):
            self.assertTrue(reach.raw(f"GET / HTTP/1.1\r\n{lines}\r\n").startswith(b"HTTP/1.1 400 "), lines)
        for target in ("http://evil.test/", f"http://{reach.host(private)}/", "evil.test:80", "//evil.test", "*", ""):
            raw = reach.raw(f"GET {target} HTTP/1.1\r\nHost: {good}\r\nConnection: close\r\n\r\n")
            self.assertNotIn(b"evil.test/", raw.partition(b"\r\n")[0])
            self.assertTrue(raw.startswith(b"HTTP/1.1 400 ") or b'"target": "//evil.test"' in raw, (target, raw))
        self.assertTrue(reach.raw(f"CONNECT localhost:{server.port} HTTP/1.1\r\nHost: {good}\r\n\r\n").split(b" ")[1] in
                        (b"400", b"404", b"405", b"501"))

    def test_platform_is_not_served_on_previews(self):
        self.assertEqual(reach.seen(public, path="/api/sandbox", key=server.key)["target"], "/api/sandbox")
        self.assertEqual(reach.ask(private, path="/api/sandbox")[0], 401)


# Each holds a second request in what one side may take for the body of the first. If any gets through, the application
# says so: it answers /smuggled with what it saw.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
FRAMINGS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, other order": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "list of lengths": b"Content-Length: 0, 44\r\n\r\n",
    "same length twice": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "signed length": b"Content-Length: +0\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "hexadecimal length": b"Content-Length: 0x0\r\n\r\n",
    "length beyond 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
    "length with a space inside": b"Content-Length: 0 0\r\n\r\n",
    "empty length": b"Content-Length:\r\n\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "tab before the name": b"X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded value": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding after chunked": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "vertical tab in the coding": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "bare line feed": b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare carriage return": b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "NUL in a value": b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"Content-Length\r\n\r\n",
    "empty name": b": 5\r\n\r\n",
    "chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "chunk size 0x": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "chunk size beyond 64 bits": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    "chunk ends in a line feed": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
    "chunk longer than said": b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "chunk with an odd extension": b"Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n",
    "HTTP/1.0 and chunked": b"",
}


class Framing(unittest.TestCase):
    def test_every_odd_framing_is_refused(self):
        for name, rest in FRAMINGS.items():
            version = b"1.1"
            if name.startswith("HTTP/1.0"):
                version, rest = b"1.0", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            text = b"POST /echo HTTP/" + version + b"\r\nHost: " + reach.host(public).encode() + b"\r\n" + rest + SMUGGLED
            raw = reach.raw(text)
            self.assertNotIn(b"/smuggled", raw, name)
            self.assertTrue(raw == b"" or raw.startswith(b"HTTP/1.1 400 ") or raw.startswith(b"HTTP/1.1 50"), (name, raw[:200]))
            self.assertLessEqual(raw.count(b"HTTP/1.1 "), 1, name)
        self.assertEqual(reach.ask(public)[0], 200)

    def test_hop_by_hop_headers_stay(self):
        seen = reach.seen(public, headers={"Connection": "x-secret, keep-alive", "X-Secret": "1", "Keep-Alive": "timeout=5",
                                           "Proxy-Authorization": "Basic eDp5", "TE": "gzip"})
        for name in ("x-secret", "keep-alive", "proxy-authorization", "te"):
            self.assertNotIn(name, seen["headers"])
        # What a Connection header names can not take away what we set.
        seen = reach.seen(public, headers={"Connection": "x-forwarded-for, host, x-forwarded-host"})
        self.assertEqual((seen["headers"]["x-forwarded-for"], seen["headers"]["x-forwarded-host"]), ("127.0.0.1", reach.host(public)))

    def test_spoofed_forwarding_headers(self):
        seen = reach.seen(public, headers={"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Real-IP": "1.1.1.1",
                                           "X_Forwarded_For": "1.1.1.1", "Forwarded": "for=1.1.1.1", "X-Forwarded-Host": "evil.test"})
        text = json.dumps(seen["headers"])
        self.assertNotIn("evil.test", text)
        self.assertEqual((seen["headers"]["x-forwarded-for"], seen["headers"]["x-forwarded-proto"]), ("127.0.0.1", "http"))
        for name in ("x-real-ip", "forwarded"):
            self.assertNotEqual(seen["headers"].get(name, "127.0.0.1"), "1.1.1.1")

    def test_slow_heads_do_not_stop_others(self):
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        try:
            for one in slow:
                one.sendall(b"GET / HTTP/1.1\r\nHost: " + reach.host(public).encode() + b"\r\nX-")
            self.assertEqual(reach.ask(public)[0], 200)
        finally:
            for one in slow:
                one.close()

    def test_heads_that_are_too_big(self):
        for text in ("X: " + "y" * 200_000 + "\r\n", "".join(f"X-{i}: y\r\n" for i in range(5000))):
            raw = reach.raw(f"GET / HTTP/1.1\r\nHost: {reach.host(public)}\r\n{text}\r\n")
            self.assertTrue(raw == b"" or raw.split(b" ")[1] in (b"400", b"431"), raw[:100])


class Tls(unittest.TestCase):
    def connect(self, name):
        context = ssl.create_default_context(cafile=directory / f"{name}.crt")
        raw = socket.create_connection(("127.0.0.1", tls_port), 20)
        return context.wrap_socket(raw, server_hostname=reach.host(public).split(":")[0])

    def ask(self, connection):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: 3000-{public}.preview.localhost\r\n\r\n".encode())
        got = b""
        while b'"body"' not in got:
            piece = connection.recv(65536)
            self.assertTrue(piece)
            got += piece
        self.assertIn(b'"x-forwarded-proto": "https"', got)

    def test_serves_and_reloads(self):
        old = self.connect("first")
        self.ask(old)
        place_certificate("second")

        def changed():
            with contextlib.suppress(ssl.SSLError):
                self.ask(self.connect("second"))
                return True
        self.assertTrue(eventually(changed), "the new certificate is not used")
        self.ask(old)
        old.close()
        place_certificate("first")


class KilledControl(unittest.TestCase):
    def test_clients_come_back_and_sandboxes_do_not_notice(self):
        reach.put(public, "/tmp/count.sh", b"i=0; while :; do i=$((i+1)); echo $i > /tmp/new; mv /tmp/new /tmp/count; sleep 0.05; done")
        reach.run_in_background(public, "sh /tmp/count.sh")
        before = server.execute(public, "cat /proc/1/stat | cut -d' ' -f22; pgrep -f reach_app.py; pgrep -f count.sh")["result"]
        stop = threading.Event()
        results = []

        def load():
            while not stop.is_set():
                try:
                    results.append(reach.ask(public, timeout=10)[0])
                except (OSError, http.client.HTTPException) as error:
                    results.append(type(error).__name__)
        threads = [threading.Thread(target=load) for _ in range(6)]
        for thread in threads:
            thread.start()
        held = WebSocket("127.0.0.1", server.port, "/ws", {"Host": reach.host(public)})
        for _ in range(3):
            self.assertTrue(eventually(lambda: len(results) >= 50 and results[-1] == 200))
            pid = server.role_pid("control")
            os.kill(pid, signal.SIGKILL)
            self.assertTrue(eventually(lambda: server.role_pid("control") not in (None, pid)))
            results.clear()
            self.assertTrue(eventually(lambda: 200 in results, 60), "nobody comes in after the restart")
        stop.set()
        for thread in threads:
            thread.join()
        with self.assertRaises((ConnectionError, OSError)):
            held.send("x")
            held.receive()
        again = WebSocket("127.0.0.1", server.port, "/ws", {"Host": reach.host(public)})
        again.send("back")
        self.assertEqual(again.receive(), "back")
        again.close()
        # Connections never were refused, since `up` holds the listening socket; answers were only lost when begun.
        self.assertNotIn("ConnectionRefusedError", results)
        server.wait_serving(60)
        after = server.execute(public, "cat /proc/1/stat | cut -d' ' -f22; pgrep -f reach_app.py; pgrep -f count.sh")["result"]
        self.assertEqual(after, before)
        first = int(server.execute(public, "cat /tmp/count")["result"])
        self.assertTrue(eventually(lambda: int(server.execute(public, "cat /tmp/count")["result"] or 0) > first))


if __name__ == "__main__":
    unittest.main()
