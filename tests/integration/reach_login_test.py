"""A browser's login with an API key: the pages, the way back to a preview, and everything that must not work."""

import http.client
import http.cookies
import json
import tempfile
import unittest
import urllib.parse

from harness import Leftovers, Server, free_port
from reach_rig import BROWSER, Reach


def setUpModule():
    global leftovers, server, reach, private, other, origin
    leftovers = Leftovers().__enter__()
    port = free_port()
    server = Server({"slots": 2, "public-url": f"http://localhost:{port}"})
    server.port, server.url = port, f"http://127.0.0.1:{port}"
    server.start()
    origin = f"http://localhost:{port}"
    reach = Reach(server, tempfile.gettempdir())
    private, other = server.create()["id"], server.create()["id"]
    reach.app(private)


def tearDownModule():
    server.__exit__(None, None, None)
    leftovers.__exit__(None, None, None)


def ask(target, method="GET", headers=None, body=None, host=None):
    """One request as a browser would send it; (status, headers, text)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, target, body, {"Host": host or f"localhost:{server.port}", **BROWSER, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def send(fields, headers=None, path="/login"):
    return ask(path, "POST", {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, **(headers or {})},
               urllib.parse.urlencode(fields))


def cookie_of(headers, name):
    for line in headers.get_all("Set-Cookie") or []:
        found = http.cookies.SimpleCookie(line).get(name)
        if found:
            return found
    return None


def log_in(key=None):
    """The header of a logged-in browser."""
    status, headers, _ = send({"key": key or server.key})
    assert status == 303, status
    return {"Cookie": "sebring-session=" + cookie_of(headers, "sebring-session").value}


def make_key(name):
    status, made, _ = server.request("POST", "/api/api-keys", {"name": name, "permissions": []})
    assert status == 201, made
    return made["value"]


class Visitor:
    """A browser on its way to a preview."""

    def __init__(self, session, label=None, port=3000, path="/deep?x=1"):
        self.host = reach.host(label or private, port)
        status, headers, _ = ask(path, host=self.host)
        assert status == 307, status
        self.nonce = {"Cookie": "sebring-login=" + cookie_of(headers, "sebring-login").value}
        self.login = headers["Location"]
        assert self.login.startswith(origin + "/preview-login?"), self.login
        status, headers, _ = ask(self.login[len(origin):], headers=session)
        self.status, self.back = status, headers["Location"]

    def come_back(self, headers=None):
        parts = urllib.parse.urlsplit(self.back)
        status, answer, _ = ask(parts.path + "?" + parts.query, headers=headers or self.nonce, host=parts.netloc)
        cookie = cookie_of(answer, "daytona-sandbox-auth-" + self.host.partition("-")[2].partition(".")[0])
        return status, answer["Location"], {"Cookie": f"{cookie.key}={cookie.value}"} if cookie else None


class Pages(unittest.TestCase):
    def test_form(self):
        status, headers, text = ask("/login")
        self.assertEqual(status, 200)
        self.assertIn("API key", text)
        self.assertEqual((headers["Cache-Control"], headers["Referrer-Policy"], headers["X-Frame-Options"]), ("no-store", "no-referrer", "DENY"))
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("<script", text)
        for redirect in ('"><script>alert(1)</script>', "/preview-login?\"><script>"):
            self.assertNotIn("<script>", ask("/login?redirect=" + urllib.parse.quote(redirect))[2])

    def test_log_in_and_out(self):
        status, headers, _ = send({"key": "  " + server.key + "\n"})
        self.assertEqual((status, headers["Location"]), (303, origin + "/login"))
        cookie = cookie_of(headers, "sebring-session")
        self.assertTrue(cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["domain"])
        self.assertEqual(int(cookie["max-age"]), 12 * 3600)
        session = {"Cookie": "sebring-session=" + cookie.value}
        self.assertIn("You are logged in", ask("/login", headers=session)[2])
        # What is kept can not be used: neither text nor key is in the database.
        for path in (server.data / "control").glob("sebring.db*"):
            self.assertNotIn(cookie.value.encode(), path.read_bytes())
        self.assertNotIn(cookie.value, server.log())
        # The session is for people's pages; the API takes keys.
        self.assertEqual(ask("/api/sandbox", headers=session)[0], 401)
        self.assertEqual(ask("/api/sandbox", headers={"Authorization": "Bearer " + cookie.value})[0], 401)
        self.assertEqual(ask("/logout", "POST", session)[0], 403)  # from nowhere
        self.assertEqual(ask("/logout", headers=session)[0], 405)
        self.assertIn("You are logged in", ask("/login", headers=session)[2])
        status, headers, _ = send({}, session, "/logout")
        self.assertEqual((status, int(cookie_of(headers, "sebring-session")["max-age"])), (303, 0))
        self.assertNotIn("You are logged in", ask("/login", headers=session)[2])

    def test_wrong_keys(self):
        for key in ("", "x", "dtn_" + "0" * 64, server.key[:-1], server.key + "x", server.key.upper(), "<b>&", "\0", "k" * 7000):
            status, headers, text = send({"key": key})
            self.assertEqual((status, headers["Set-Cookie"]), (401, None), key)
            self.assertIn("no valid API key", text)
            if len(key) > 4:
                self.assertNotIn(key, text)
        self.assertEqual(send({"key": "k" * 10_000})[0], 400)
        self.assertEqual(ask("/login", "PUT")[0], 405)

    def test_only_our_own_page_may_send_the_form(self):
        for headers in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": "http://" + reach.host(private)},
                        {"Origin": origin.replace("http:", "https:")}, {"Origin": "http://127.0.0.1:%d" % server.port},
                        {"Origin": origin + ".evil.test"}, {"Origin": ""}):
            status, answer, _ = send({"key": server.key}, headers)
            self.assertEqual((status, answer["Set-Cookie"]), (403, None), headers)
        raw = reach.raw(f"POST /login HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {4 + len(server.key)}\r\n"
                        f"Connection: close\r\n\r\nkey={server.key}")
        self.assertTrue(raw.startswith(b"HTTP/1.1 403 ") and b"Set-Cookie" not in raw)
        twice = f"Origin: {origin}\r\nOrigin: {origin}\r\n"
        raw = reach.raw(f"POST /login HTTP/1.1\r\nHost: localhost:{server.port}\r\n{twice}Content-Length: {4 + len(server.key)}\r\n"
                        f"Connection: close\r\n\r\nkey={server.key}")
        self.assertTrue(raw.startswith(b"HTTP/1.1 403 "))

    def test_leads_to_a_preview_and_nowhere_else(self):
        for redirect in ("//evil.test", "https://evil.test/", "/\\evil.test", "/api/sandbox", "/logout", "javascript:alert(1)",
                         "/preview-login", "/preview-login?\r\nX: y", "preview-login?x", "/preview-login?\\", " /preview-login?x"):
            self.assertEqual(send({"key": server.key, "redirect": redirect})[1]["Location"], origin + "/login", redirect)
        self.assertEqual(send({"key": server.key, "redirect": "/preview-login?host=x"})[1]["Location"], origin + "/preview-login?host=x")

    def test_not_on_previews(self):
        host = reach.host(private)
        self.assertEqual(ask("/login", headers={"Sec-Fetch-Mode": "cors"}, host=host)[0], 401)
        self.assertNotIn("API key", ask("/login", host=host, headers={"Authorization": "Bearer " + server.key})[2])


class Previews(unittest.TestCase):
    def test_the_whole_way(self):
        first = Visitor(None)
        self.assertEqual(first.status, 302)
        self.assertTrue(first.back.startswith(origin + "/login?redirect=%2Fpreview-login"), first.back)
        redirect = urllib.parse.parse_qs(urllib.parse.urlsplit(first.back).query)["redirect"][0]
        status, headers, _ = send({"key": server.key, "redirect": redirect})
        self.assertEqual((status, headers["Location"]), (303, origin + redirect))
        session = {"Cookie": "sebring-session=" + cookie_of(headers, "sebring-session").value}
        first.back = ask(redirect, headers=session)[1]["Location"]
        status, to, cookie = first.come_back()
        self.assertEqual((status, to), (302, "/deep?x=1"))
        status, _, text = ask(to, headers=cookie, host=first.host)
        self.assertEqual(status, 200)
        seen = json.loads(text)["headers"]
        self.assertNotIn("cookie", {name.lower() for name in seen})
        # Once logged in there is no page on the way, and the next port is as easy.
        second = Visitor(session, port=8080)
        self.assertEqual((second.status, second.come_back()[0]), (302, 302))
        return cookie

    def test_ends_with_log_out_and_with_the_key(self):
        for end in ("log out", "delete"):
            key = make_key("of a browser " + end)
            session = log_in(key)
            visitor = Visitor(session)
            late = Visitor(session)
            cookie = visitor.come_back()[2]
            self.assertEqual(ask("/", headers=cookie, host=visitor.host)[0], 200)
            if end == "delete":
                self.assertEqual(server.request("DELETE", "/api/api-keys/" + urllib.parse.quote("of a browser " + end))[0], 204)
                self.assertNotIn("You are logged in", ask("/login", headers=session)[2])
            else:
                self.assertEqual(send({}, session, "/logout")[0], 303)
            self.assertEqual(ask("/", headers={**cookie, "Sec-Fetch-Mode": "cors"}, host=visitor.host)[0], 401, end)
            self.assertTrue(Visitor(session).back.startswith(origin + "/login?"), end)
            status, _, none = late.come_back()  # a ticket of before
            self.assertEqual((status, none), (401, None), end)

    def test_tickets(self):
        session = log_in()
        visitor, foreign = Visitor(session), Visitor(session, label=other)
        self.assertEqual(visitor.come_back({"Cookie": "x=1"})[0], 403)        # somebody else's browser
        self.assertEqual(visitor.come_back(foreign.nonce)[0], 403)
        taken = foreign.back.replace(foreign.host, visitor.host)              # another sandbox's
        moved = visitor.back.replace("//3000-", "//8080-")                    # another port's
        for back in (taken, moved, visitor.back.replace("ticket=", "ticket=A")):
            spoiled = Visitor(session)
            spoiled.back = back
            self.assertEqual(spoiled.come_back(visitor.nonce)[0], 403, back)
        self.assertEqual(visitor.come_back()[0], 302)
        self.assertEqual(visitor.come_back()[0], 403)                         # used
        # Nobody is led to a preview with a cookie that they did not ask for.
        status, headers, _ = ask("/preview-login?host=%s&path=/" % visitor.host, headers=session)
        self.assertEqual((status, headers["Location"]), (404, None))
        for host in ("evil.test", "3000-" + private + ".evil.test", visitor.host + "@evil.test", visitor.host + "/@evil.test"):
            query = visitor.login.partition("?")[2].replace(urllib.parse.quote(visitor.host, safe=""), urllib.parse.quote(host, safe=""))
            status, headers, _ = ask("/preview-login?" + query, headers=session)
            self.assertEqual((status, headers["Location"]), (404, None), host)

    def test_back_to_our_own_port_only(self):
        session = log_in()
        own = Visitor(session)
        query = own.login.partition("?")[2].replace(urllib.parse.quote(f":{server.port}", safe=""), "%3A9")
        status, headers, _ = ask("/preview-login?" + query, headers=session)
        self.assertEqual((status, urllib.parse.urlsplit(headers["Location"]).netloc), (302, own.host))

    def test_by_path(self):
        path = f"/preview/{private}/3000/deep"
        status, headers, _ = ask(path)
        self.assertEqual(status, 307)
        session = log_in()
        status, headers, _ = ask(headers["Location"][len(origin):], headers=session)
        self.assertEqual((status, headers["Location"]), (302, path))
        cookie = cookie_of(headers, "daytona-sandbox-auth-" + private)
        self.assertEqual(cookie["path"], f"/preview/{private}/3000/")
        both = {"Cookie": f"{session['Cookie']}; {cookie.key}={cookie.value}"}
        status, _, text = ask(path, headers=both)
        self.assertEqual(status, 200)
        self.assertNotIn("session", text.lower())  # the platform's cookie stays with the platform
        self.assertEqual(ask(path, headers={**session, "Sec-Fetch-Mode": "cors"})[0], 401)  # and is none of a preview

    def test_programs(self):
        for headers in ({"Accept": "*/*"}, {"Sec-Fetch-Mode": "cors"}, {"X-Requested-With": "XMLHttpRequest"}):
            status, answer, text = ask("/", headers=headers, host=reach.host(private))
            self.assertEqual((status, answer["Location"], json.loads(text)["statusCode"]), (401, None, 401))


if __name__ == "__main__":
    unittest.main()
