"""Previews: by host name and by path, credentials, cookies, pages, what passes and what does not."""
import http.cookies
import json
import os
import socket
import tempfile
import time
import unittest
import urllib.parse
import uuid

import websocket_suite
from proxy_rig import (KEY, OTHER_KEY, TOKEN, DialServer, Process, Proxy, RawServer, keepalive_of, limit_of_one_address,
                       read_head, tcp_listener)

BROWSER = {"User-Agent": "Mozilla/5.0 (X11) Chrome/130", "Accept": "text/html,application/xhtml+xml",
           "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SIGNED = "abcdefghij012345"


def setUpModule():
    global directory, dial, proxy, server, box, public
    directory = tempfile.TemporaryDirectory()
    dial = DialServer(os.path.join(directory.name, "dial.sock"))
    proxy = Proxy(os.path.join(directory.name, "dial.sock"))
    server = Process("proxy_upstream", "tcp", "0")
    for port in (80, 3000, 8080):
        dial.places[port] = int(server.first_line)
    box = proxy.sandbox("")
    public = proxy.sandbox("", public=True)
    proxy.order(what="key", key=OTHER_KEY)
    proxy.order(what="signed", id=box, port="3000", token=SIGNED)


def tearDownModule():
    server.stop()
    proxy.stop()
    dial.close()
    directory.cleanup()


def host_of(label, port=3000):
    return "%d-%s.preview.test" % (port, label)


def get(path="/", label=None, port=3000, method="GET", key=None, headers=None, **more):
    return proxy.ask(method, path, host=host_of(label or box, port), key=key, headers=headers, **more)


def seen_of(*args, **more):
    status, _, body = get(*args, **more)
    assert status == 200, (status, body)
    return json.loads(body)


def cookies_of(headers):
    return [http.cookies.SimpleCookie(value) for value in headers.get_all("Set-Cookie") or []]


class Admission(unittest.TestCase):
    def test_ways_in(self):
        for ways in ({"key": KEY}, {"headers": {"X-Daytona-Preview-Token": TOKEN}},
                     {"path": "/?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN}, {"label": SIGNED}, {"label": public},
                     {"key": "dtn_" + "c" * 64, "headers": {"X-Daytona-Preview-Token": TOKEN}}):
            self.assertEqual(get(**ways)[0], 200, ways)

    def test_refused_for_programs(self):
        for ways in ({}, {"key": "dtn_" + "c" * 64}, {"headers": {"X-Daytona-Preview-Token": "x"}},
                     {"path": "/?DAYTONA_SANDBOX_AUTH_KEY=x"}, {"label": str(uuid.uuid4())}):
            status, headers, body = get(**ways)
            self.assertEqual(status, 401, ways)
            self.assertEqual(json.loads(body)["source"], "DAYTONA_PROXY")
        self.assertEqual(get(key=OTHER_KEY)[0], 404)
        self.assertEqual(get(key=KEY, label=str(uuid.uuid4()))[0], 404)
        status, _, body = get(label="abcdefghij999999")
        self.assertEqual((status, json.loads(body)["message"]), (403, "forbidden: Invalid or expired token"))
        self.assertEqual(get(label=SIGNED, port=8080)[0], 403)  # bound to its port

    def test_protected_ports_of_public_sandboxes(self):
        for port in (2280, 22222, 22220, 33333):
            self.assertEqual(get(label=public, port=port)[0], 401)

    def test_signed_token_ends(self):
        token = "zzzzzzzzzz012345"
        proxy.order(what="signed", id=box, port="3000", token=token)
        self.assertEqual(get(label=token)[0], 200)
        proxy.order(what="no-signed", port="3000", token=token)
        self.assertEqual(get(label=token)[0], 403)

    def test_bad_hosts(self):
        for host in ("0-%s.preview.test" % box, "65536-%s.preview.test" % box, "01-%s.preview.test" % box,
                     "+80-%s.preview.test" % box, "3000-%s.preview.test." % box, "3000-%s.preview.test" % box.upper(),
                     "x.3000-%s.preview.test" % box, "preview.test", "a.preview.test"):
            status, _, body = proxy.ask("GET", "/api/anything", host=host)
            self.assertEqual(status, 404, host)
            self.assertIn("must be", json.loads(body)["message"])
        status, _, body = proxy.ask("GET", "/health", host="preview.test")
        self.assertEqual(json.loads(body)["status"], "ok")
        raw = proxy.raw("GET http://evil.test/ HTTP/1.1\r\nHost: %s\r\n\r\n" % host_of(public))
        self.assertTrue(raw.startswith(b"HTTP/1.1 400 "))
        raw = proxy.raw("GET / HTTP/1.1\r\nHost: %s\r\nHost: evil.test\r\n\r\n" % host_of(public))
        self.assertTrue(raw.startswith(b"HTTP/1.1 400 "))

    def test_nothing_of_ours_goes_on(self):
        for ways in ({"key": KEY}, {"key": KEY, "label": public}, {"key": KEY, "label": SIGNED},
                     {"key": OTHER_KEY, "label": public}, {"key": "dtn_" + "0" * 64, "label": public}):
            seen = seen_of("/x?a=1&DAYTONA_SANDBOX_AUTH_KEY=%s" % TOKEN, headers={
                "X-Daytona-Preview-Token": TOKEN, "X-Daytona-Skip-Preview-Warning": "true",
                "Cookie": "mine=1; daytona-sandbox-auth-%s=x; daytona-preview-page-accepted=true" % box}, **ways)
            self.assertEqual(seen["target"], "/x?a=1")
            self.assertEqual(seen["headers"]["cookie"], "mine=1")
            self.assertEqual(seen["headers"]["host"], "localhost:3000")
            for name in seen["headers"]:
                self.assertFalse(name.startswith("x-daytona") or name == "authorization", name)

    def test_the_applications_own_credentials_pass(self):
        seen = seen_of(label=public, headers={"Authorization": "Bearer app-token"})
        self.assertEqual(seen["headers"]["authorization"], "Bearer app-token")
        seen = seen_of(headers={"Authorization": "Basic dTpw", "X-Daytona-Preview-Token": TOKEN})
        self.assertEqual(seen["headers"]["authorization"], "Basic dTpw")

    def test_forwarded_headers(self):
        seen = seen_of(label=public, headers={"X-Forwarded-Host": "evil.test", "X-Forwarded-For": "1.1.1.1",
                                              "X-Forwarded-Proto": "https", "X-Real-IP": "1.1.1.1"})["headers"]
        self.assertEqual((seen["x-forwarded-host"], seen["x-forwarded-for"], seen["x-forwarded-proto"]),
                         (host_of(public), "127.0.0.1", "http"))
        self.assertNotIn("x-real-ip", seen)
        # A preview proxy of the sandbox's owner, who holds the token, may say where its visitors came in.
        seen = seen_of(headers={"X-Daytona-Preview-Token": TOKEN, "X-Forwarded-Host": "app.example"})["headers"]
        self.assertEqual(seen["x-forwarded-host"], "app.example")


class Cookies(unittest.TestCase):
    def cookie(self):
        status, headers, _ = get("/?DAYTONA_SANDBOX_AUTH_KEY=" + TOKEN)
        self.assertEqual(status, 200)
        value = headers["Set-Cookie"]
        name = "daytona-sandbox-auth-" + box
        self.assertTrue(value.startswith(name + "="))
        for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"):
            self.assertIn(part, value)
        self.assertNotIn("Domain", value)
        self.assertNotIn(TOKEN, urllib.parse.unquote(value).replace("=", ""))
        return value.partition(";")[0]

    def test_lets_in_until_the_token_ends(self):
        cookie = self.cookie()
        self.assertEqual(get(headers={"Cookie": cookie})[0], 200)
        self.assertEqual(get(headers={"Cookie": "a=b; " + cookie})[0], 200)
        # Another port, another sandbox, a changed value.
        self.assertEqual(get(port=8080, headers={"Cookie": cookie})[0], 401)
        other = proxy.sandbox("")
        self.assertEqual(get(label=other, headers={"Cookie": cookie.replace(box, other)})[0], 401)
        self.assertEqual(get(headers={"Cookie": cookie[:-2] + "xx"})[0], 401)
        proxy.order(what="token", id=box, token="another")
        self.assertEqual(get(headers={"Cookie": cookie})[0], 401)
        proxy.order(what="token", id=box, token=TOKEN)

    def test_not_for_pages_of_others(self):
        cookie = self.cookie()
        own = "http://" + host_of(box)
        self.assertEqual(get(headers={"Cookie": cookie, "Origin": own}, method="POST")[0], 200)
        for origin in ("https://" + host_of(box), "http://" + host_of(public), "http://evil.test", "null"):
            status, headers, _ = get(headers={"Cookie": cookie, "Origin": origin}, method="POST")
            self.assertEqual(status, 401, origin)
            self.assertNotIn("Access-Control-Allow-Credentials", headers)
        self.assertEqual(get(headers={"Cookie": cookie, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"})[0],
                         401)
        self.assertEqual(get(headers={"Cookie": cookie, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})[0],
                         200)

    def test_signed_hosts_set_one_too(self):
        _, headers, _ = get(label=SIGNED)
        self.assertTrue(headers["Set-Cookie"].startswith("daytona-sandbox-auth-" + SIGNED + "="))

    def test_a_page_loses_the_key_from_its_address(self):
        status, headers, _ = get("/a?DAYTONA_SANDBOX_AUTH_KEY=%s&x=1" % TOKEN, headers=BROWSER)
        self.assertEqual((status, headers["Location"]), (302, "/a?x=1"))
        cookie = headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(get("/a?x=1", headers={"Cookie": cookie, **BROWSER})[0], 200)


class Login(unittest.TestCase):
    def begin(self, path="/", port=3000, headers=None):
        """A visitor whom nobody knows: where to, and what the browser keeps."""
        status, headers, _ = get(path, port=port, headers={**BROWSER, **(headers or {})})
        self.assertEqual(status, 307)
        cookie = http.cookies.SimpleCookie(headers["Set-Cookie"])["sebring-login"]
        self.assertTrue(cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["domain"], headers["Set-Cookie"])
        return headers["Location"], "sebring-login=" + cookie.value

    def login(self, location, session):
        parts = urllib.parse.urlsplit(location)
        self.assertEqual((parts.netloc, parts.path), ("platform.test", "/preview-login"))
        status, headers, body = proxy.ask("GET", parts.path + "?" + parts.query, key=None, host="platform.test",
                                          headers={"Cookie": "session=" + session} if session else {})
        return status, headers["Location"], body

    def redeem(self, back, kept, port=3000):
        parts = urllib.parse.urlsplit(back)
        self.assertEqual(parts.netloc, host_of(box, port))
        status, headers, _ = get(parts.path + "?" + parts.query, port=port, headers={**BROWSER, **({"Cookie": kept} if kept else {})})
        return status, headers["Location"], (headers["Set-Cookie"] or "").partition(";")[0]

    def test_logged_in_visitors_come_in(self):
        proxy.order(what="session", session="anna", id=box)
        location, kept = self.begin("/deep/page?x=%20y&DAYTONA_SANDBOX_AUTH_KEY=bad")
        self.assertNotIn("bad", location)
        status, back, _ = self.login(location, "anna")
        self.assertEqual(status, 302)
        status, to, cookie = self.redeem(back, kept)
        self.assertEqual((status, to), (302, "/deep/page?x=%20y"))
        self.assertEqual(get("/deep/page", headers={"Cookie": cookie, **BROWSER})[0], 200)
        # The ticket is worth one cookie.
        self.assertEqual(self.redeem(back, kept)[0], 403)
        proxy.order(what="no-session", session="anna")
        self.assertEqual(get(headers={"Cookie": cookie})[0], 401)

    def test_a_ticket_is_for_the_browser_that_asked(self):
        proxy.order(what="session", session="dora", id=box)
        location, kept = self.begin()
        _, back, _ = self.login(location, "dora")
        for other in (None, "sebring-login=" + "0" * 32, "sebring-login=", self.begin(headers={"Cookie": "sebring-login=short"})[1]):
            self.assertEqual(self.redeem(back, other)[0], 403, other)
        # Several pages of one browser may be on their way.
        again, same = self.begin("/two", headers={"Cookie": kept})
        self.assertEqual(same, kept)
        _, second, _ = self.login(again, "dora")
        self.assertEqual(self.redeem(back, kept)[0], 302)
        self.assertEqual(self.redeem(second, kept)[:2], (302, "/two"))
        for spoiled in (second.replace("ticket=", "ticket=x"), second.replace("ticket=", "ticket=."), second.partition("&to")[0][:-3]):
            self.assertEqual(self.redeem(spoiled, kept)[0], 403)

    def test_others_do_not(self):
        proxy.order(what="session", session="bert", id=public)
        location, _ = self.begin()
        status, back, _ = self.login(location, None)
        self.assertTrue(back.startswith("http://platform.test/dashboard?redirect="))
        status, back, body = self.login(location, "bert")
        self.assertEqual((status, back), (404, None))
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["state"][0]
        good = "host=%s&state=%s&path=/" % (host_of(public), state)
        for query in ("host=evil.test&state=" + state, "host=3000-x.preview.test&state=" + state, "host=&state=" + state, "",
                      "host=%s&state=%s" % (host_of(SIGNED), state), "host=%s" % host_of(public), "host=%s&state=x" % host_of(public),
                      "host=%s/..@evil.test&state=%s" % (host_of(public), state), "host=%s%%0d%%0aX:y&state=%s" % (host_of(public), state),
                      "at=%s" % public, "at=%s/0" % public, "at=%s/3000/x" % public, "at=../login/3000", "at=%s/3000" % SIGNED):
            status, headers, _ = proxy.ask("GET", "/preview-login?" + query, key=None, host="platform.test",
                                           headers={"Cookie": "session=bert"})
            self.assertEqual((status, headers["Location"]), (404, None), query)
        self.assertEqual(proxy.ask("POST", "/preview-login?" + good, key=None, host="platform.test",
                                   headers={"Cookie": "session=bert"})[0], 404)
        for path in ("//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)", "/%0d%0aX:y"):
            _, back, _ = self.login("http://platform.test/preview-login?host=%s&state=%s&path=%s" % (host_of(public), state, path), "bert")
            self.assertTrue(back.endswith("to=%2F"), back)

    def test_a_ticket_of_one_preview_opens_no_other(self):
        proxy.order(what="session", session="carl", id=box)
        location, kept = self.begin(port=8080)
        _, back, _ = self.login(location, "carl")
        parts = urllib.parse.urlsplit(back)
        self.assertEqual(get(parts.path + "?" + parts.query, headers={**BROWSER, "Cookie": kept})[0], 403)
        self.assertEqual(self.redeem(back, kept, 8080)[0], 302)

    def test_back_to_our_own_port_only(self):
        proxy.order(what="session", session="fred", id=box)
        location, _ = self.begin()
        for port in (":8081", ":80", ":65535"):
            _, back, _ = self.login(location.replace(host_of(box), host_of(box) + port), "fred")
            self.assertEqual(urllib.parse.urlsplit(back).netloc, host_of(box))

    def test_by_path(self):
        proxy.order(what="session", session="emil", id=box)
        path = "/preview/%s/3000/deep?x=1" % box
        status, headers, _ = proxy.ask("GET", path, key=None, host="platform.test", headers=BROWSER)
        self.assertEqual(status, 307)
        status, to, _ = self.login(headers["Location"], "emil")
        self.assertEqual((status, to), (302, path))
        parts = urllib.parse.urlsplit(headers["Location"])
        status, headers, _ = proxy.ask("GET", parts.path + "?" + parts.query, key=None, host="platform.test",
                                       headers={"Cookie": "session=emil"})
        self.assertIn("; Path=/preview/%s/3000/;" % box, headers["Set-Cookie"])
        cookie = headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(proxy.ask("GET", path, key=None, host="platform.test", headers={"Cookie": cookie})[0], 200)
        self.assertEqual(proxy.ask("GET", path.replace("3000", "8080"), key=None, host="platform.test", headers={"Cookie": cookie})[0], 401)
        for elsewhere in ("/preview/%s/8080/" % box, "/login", "//evil.test", "/preview/%s/3000/../../../api" % box[:-1]):
            _, to, _ = self.login("http://platform.test/preview-login?at=%s/3000&path=%s" % (box, elsewhere), "emil")
            self.assertEqual(to, "/preview/%s/3000/" % box)

    def test_programs_are_not_sent_to_a_page(self):
        for headers in ({}, {"Accept": "application/json"}, {**BROWSER, "Sec-Fetch-Mode": "cors"}, {**BROWSER, "X-Requested-With": "x"}):
            status, answer, body = get(headers=headers)
            self.assertEqual((status, answer["Location"], json.loads(body)["statusCode"]), (401, None, 401), headers)
        self.assertEqual(get(method="POST", headers=BROWSER)[0], 401)


class Pages(unittest.TestCase):
    def test_nothing_listens(self):
        status, _, body = get(port=9, key=KEY)
        self.assertEqual(status, 502)
        self.assertIn("nothing listens on port 9", json.loads(body)["message"])
        status, headers, body = get(port=9, label=public, headers=BROWSER)
        self.assertEqual(status, 502)
        self.assertIn(b"listens on this port", body)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    def test_runner_faults(self):
        for answer, status in (({"ok": False, "code": "timed_out", "message": "m"}, 504),
                               ({"ok": False, "code": "internal", "message": "m"}, 502), ({"ok": True}, 502),
                               ({"nonsense": 1}, 502)):
            dial.places[7] = answer
            self.assertEqual(get(port=7, key=KEY)[0], status)

    def test_stopped(self):
        other = proxy.sandbox("", state="stopped", public=True)
        status, _, body = get(label=other)
        self.assertEqual(status, 400)
        self.assertIn("state: stopped", json.loads(body)["message"])
        status, _, body = get(label=other, headers=BROWSER)
        self.assertIn(b"not running", body)
        proxy.order(what="wakes", on=True)
        self.assertEqual(get(label=other)[0], 200)
        proxy.order(what="wakes", on=False)

    def test_warning(self):
        other = proxy.sandbox("", public=True, warning=True)
        status, headers, body = get("/a?b=c", label=other, headers=BROWSER)
        self.assertEqual(status, 200)
        self.assertIn(b"I understand", body)
        self.assertIn("form-action 'self'", headers["Content-Security-Policy"])
        for more in ({"headers": {"User-Agent": "curl/8", "Accept": "text/html"}},
                     {"headers": {**BROWSER, "X-Daytona-Skip-Preview-Warning": "true"}},
                     {"headers": {**BROWSER, "Sec-Fetch-Mode": "cors"}}, {"headers": BROWSER, "method": "POST"}):
            self.assertNotIn(b"I understand", get(label=other, **more)[2])
        action = body.decode().partition('action="')[2].partition('"')[0].replace("&amp;", "&")
        status, headers, _ = get(action, label=other, method="POST", headers=BROWSER)
        self.assertEqual((status, headers["Location"]), (302, "/a?b=c"))
        self.assertIn("Max-Age=86400", headers["Set-Cookie"])
        cookie = headers["Set-Cookie"].partition(";")[0]
        self.assertNotIn(b"I understand", get(label=other, headers={**BROWSER, "Cookie": cookie})[2])
        for evil in ("//evil.test", "https://evil.test", "/%5Cevil.test", "/%0d%0aSet-Cookie:a=b", ""):
            _, headers, _ = get("/accept-daytona-preview-warning?redirect=" + evil, label=other, method="POST")
            self.assertEqual(headers["Location"], "/")

    def test_no_script_in_pages(self):
        raw = proxy.raw("GET /%3Cscript%3E HTTP/1.1\r\nHost: 3000-<script>.preview.test\r\nAccept: text/html\r\n"
                        "Connection: close\r\n\r\n")
        self.assertNotIn(b"<script>", raw)


class ByPath(unittest.TestCase):
    def ask(self, path, label=None, port=3000, **more):
        more.setdefault("key", KEY)
        return proxy.ask(more.pop("method", "GET"), "/preview/%s/%s%s" % (label or box, port, path), **more)

    def test_ways(self):
        seen = json.loads(self.ask("/a/b?c")[2])
        self.assertEqual(seen["target"], "/a/b?c")
        self.assertEqual(seen["headers"]["x-forwarded-prefix"], "/preview/%s/3000" % box)
        self.assertEqual(self.ask("/", label=public, key=None)[0], 200)
        self.assertEqual(self.ask("/", label=SIGNED, key=None)[0], 200)
        self.assertEqual(self.ask("/", key=None)[0], 401)
        self.assertEqual(self.ask("/", label=public, port=22222, key=None)[0], 401)
        for port in ("0", "03000", "x", "65536"):
            self.assertEqual(self.ask("/", port=port)[0], 404)
        status, headers, _ = self.ask("?q=1")
        self.assertEqual((status, headers["Location"]), (308, "/preview/%s/3000/?q=1" % box))

    def test_the_platforms_origin_is_not_lent(self):
        _, headers, body = self.ask("/", label=public, key=None, headers={"Cookie": "session=anna; pv_mine=1"})
        self.assertIn("sandbox", headers["Content-Security-Policy"])
        self.assertNotIn("allow-same-origin", headers["Content-Security-Policy"])
        self.assertEqual(json.loads(body)["headers"]["cookie"], "mine=1")
        _, headers, _ = self.ask("/redirect")
        self.assertEqual(headers["Location"], "/preview/%s/3000/elsewhere?x=1" % box)


class Passing(unittest.TestCase):
    def raw_server(self, serve):
        listener = tcp_listener()
        port = listener.getsockname()[1]
        dial.places[port] = port
        raw = RawServer(listener, serve)
        self.addCleanup(raw.close)
        return port, raw

    def test_bodies(self):
        self.assertEqual(seen_of("/x", method="POST", label=public, body=b"z" * 3_000_000)["bytes"], 3_000_000)
        self.assertEqual(seen_of("/x", method="PUT", label=public, body=iter([b"z" * 9] * 99))["bytes"], 891)
        self.assertEqual(len(get("/source?bytes=30000000", label=public)[2]), 30_000_000)
        self.assertEqual(len(get("/source-chunked?bytes=3000000", label=public)[2]), 3_000_000)
        status, headers, body = get("/source?bytes=5", label=public, method="HEAD")
        self.assertEqual((status, headers["Content-Length"], body), (200, "5", b""))
        self.assertEqual(seen_of("/x", method="OPTIONS", label=public)["method"], "OPTIONS")
        self.assertEqual(seen_of("/x", method="PROPFIND", label=public)["method"], "PROPFIND")

    def test_ranges_and_unknown_headers_pass(self):
        seen = seen_of(label=public, headers={"Range": "bytes=0-5", "If-None-Match": '"x"', "X-Any": "y"})["headers"]
        self.assertEqual((seen["range"], seen["if-none-match"], seen["x-any"]), ("bytes=0-5", '"x"', "y"))

    def test_connections_are_kept_and_dropped(self):
        other = proxy.sandbox("", public=True)
        before = dial.dials
        for _ in range(5):
            get(label=other)
        self.assertEqual(dial.dials - before, 1)
        time.sleep(1.2)
        get(label=other, method="POST", body=b"x")
        self.assertEqual(dial.dials - before, 2)  # not fresh enough for what must not be sent twice
        get(label=other)
        proxy.order(what="", id=other, drop=True)
        get(label=other)
        self.assertEqual(dial.dials - before, 3)

    def test_server_that_says_when_it_closes(self):
        def serve(connection):
            rest = b""
            while True:
                _, rest = read_head(connection, rest)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok")
        port, raw = self.raw_server(serve)
        for _ in range(3):
            self.assertEqual(get(label=public, port=port)[2], b"ok")
        self.assertEqual(raw.connections, 3)

    def test_old_server(self):
        def serve(connection):
            read_head(connection)
            connection.sendall(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n" + b"until the end" * 1000)
        port, _ = self.raw_server(serve)
        status, headers, body = get(label=public, port=port)
        self.assertEqual((status, len(body)), (200, 13_000))

    def test_hostile_answers(self):
        cookie = ("HTTP/1.1 302 Found\r\nSet-Cookie: a=1; Domain=preview.test\r\nSet-Cookie: daytona-sandbox-auth-x=1\r\n"
                  "Alt-Svc: h2=\"evil.test:443\"\r\nLocation: http://localhost:%d/in\r\nConnection: X-Drop\r\nX-Drop: 1\r\n"
                  "Content-Length: 0\r\n\r\n")

        def serve(connection):
            read_head(connection)
            connection.sendall((cookie % port).encode())
        port, _ = self.raw_server(serve)
        _, headers, _ = get(label=public, port=port)
        self.assertEqual(headers.get_all("Set-Cookie"), ["a=1"])
        self.assertEqual(headers["Location"], "/in")
        for name in ("Alt-Svc", "X-Drop"):
            self.assertNotIn(name, headers)

    def test_answers_that_are_refused(self):
        interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        last = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        for answer, status in ((interim * 50 + last, 200), (interim * 200 + last, 502), (coded % b"chunked", 200),
                               (coded % b"gzip, chunked", 502), (coded % b"chunked, gzip", 502), (coded % b"gzip", 502)):
            def serve(connection):
                read_head(connection)
                connection.sendall(answer)
            port, _ = self.raw_server(serve)
            self.assertEqual(get(label=public, port=port)[0], status, answer[:60])

    def test_body_that_breaks_late(self):
        with proxy.connect() as connection:
            connection.sendall(b"POST /sink HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" % host_of(public).encode())
            time.sleep(0.2)
            connection.sendall(b"zz\r\n")
            self.assertIn(b"HTTP/1.1 400 ", connection.recv(4096))

    def test_connect(self):
        self.assertIn(b"HTTP/1.1 400 ", proxy.raw("CONNECT / HTTP/1.1\r\nHost: %s\r\n\r\nGET /evil" % host_of(public)))

    def test_upgrade_of_any_protocol(self):
        def serve(connection):
            head, rest = read_head(connection)
            assert b"Upgrade: strange" in head and b"Connection: Upgrade" in head, head
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: strange\r\nConnection: Upgrade\r\n\r\nhello")
            while True:  # half-closed by the client: everything it sent comes back all the same
                piece = connection.recv(4096)
                if not piece:
                    break
                rest += piece
            connection.sendall(rest)
        port, _ = self.raw_server(serve)
        with proxy.connect() as connection:
            connection.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: strange\r\n\r\n"
                                % host_of(public, port)).encode())
            head, rest = read_head(connection)
            while rest != b"hello":
                rest += connection.recv(100)
            connection.sendall(b"q" * 1_000_000)
            connection.shutdown(socket.SHUT_WR)
            total = 0
            while piece := connection.recv(65536):
                total += len(piece)
            self.assertEqual(total, 1_000_000)

    def test_websocket_origin(self):
        seen = []

        def serve(connection):
            head, _ = read_head(connection)
            seen.append(head.decode())
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        port, _ = self.raw_server(serve)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
        for origin in ("http://" + host_of(public, port), "http://evil.test"):
            self.assertEqual(get(label=public, port=port, headers={**upgrade, "Origin": origin})[0], 403)
        self.assertIn("Origin: http://localhost:%d\r\n" % port, seen[0])
        self.assertNotIn("X-Forwarded-Host:", seen[0])  # for servers that compare Origin with it
        self.assertIn("X-Forwarded-Host: " + host_of(public, port), seen[1])
        self.assertIn("Origin: http://evil.test\r\n", seen[1])

    def test_websockets_of_our_own(self):
        """Autobahn's cases at net's WebSockets, as the toolbox has them; they do not compress."""
        found = websocket_suite.outcomes("ws://127.0.0.1:%d/preview/%s/3000/socket" % (proxy.port, public))
        self.assertGreater(len(found), 250)
        self.assertEqual({case: why for case, (ranks, why) in found.items() if max(ranks) > 2 and not case.startswith(("12.", "13."))}, {})

    def test_own_page(self):
        own = "http://" + host_of(public)
        seen = [seen_of(label=public, method="POST", body=b"{}", headers={"Origin": origin, "Content-Type": kind})["headers"]
                for origin in (own, "http://evil.test") for kind in ("application/json", "multipart/form-data; boundary=b")]
        self.assertEqual([headers.get("origin") for headers in seen], [None, own, "http://evil.test", "http://evil.test"])
        self.assertEqual({headers["x-forwarded-host"] for headers in seen}, {host_of(public)})

    def test_connections_of_one_address(self):
        def greet(connection):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x.preview.test\r\n\r\n")
            try:
                return connection if b" 200 " in connection.recv(4096) else None
            except ConnectionError:
                return None
        limit_of_one_address(self, proxy.port, greet)

    def test_peers_that_vanish(self):
        with proxy.connect():
            self.assertTrue(keepalive_of(proxy.port))

    def test_no_h2c(self):
        seen = seen_of(label=public, headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                                              "HTTP2-Settings": "AAMAAABkAAQAAP__"})["headers"]
        for name in ("upgrade", "connection", "http2-settings"):
            self.assertNotIn(name, seen)

    def test_cors(self):
        status, headers, _ = get(label=public, method="OPTIONS", headers={
            "Origin": "https://a.test", "Access-Control-Request-Method": "PUT"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "*"))
        _, headers, _ = get(label=public, headers={"Origin": "https://a.test"})
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        _, headers, _ = get(label=public, headers={"Origin": "https://a.test", "X-Daytona-Disable-CORS": "true"})
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        seen = seen_of(label=public, method="OPTIONS", headers={
            "Origin": "https://a.test", "Access-Control-Request-Method": "PUT", "X-Daytona-Disable-CORS": "true"})
        self.assertEqual(seen["method"], "OPTIONS")

    def test_activity(self):
        other = proxy.sandbox("", public=True)
        get(label=other, headers={"X-Daytona-Skip-Last-Activity-Update": "true"})
        self.assertNotIn(other, proxy.state()["touches"])
        get(label=other)
        self.assertEqual(proxy.state()["touches"][other], 1)


if __name__ == "__main__":
    unittest.main()
