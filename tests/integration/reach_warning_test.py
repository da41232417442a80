"""A server whose owner wants visitors warned: people see the warning first, programs and those who have read it do not."""

import tempfile
import unittest

from harness import ServerTest
from reach_rig import BROWSER, Reach


class Warned(ServerTest):
    SETTINGS = {"preview-warning": "true"}

    def test_people_are_warned(self):
        reach = Reach(self.server, tempfile.gettempdir())
        box, key = self.box(public=True), {"Authorization": f"Bearer {self.server.key}"}
        reach.app(box)
        for _ in range(3):  # a connection that waits for the next request changes nothing
            status, headers, page = reach.ask(box, headers=BROWSER)
            self.assertEqual((status, b"I understand" in page), (200, True))
            self.assertIn("form-action 'self'", headers["Content-Security-Policy"])
            self.assertIn(b"I understand", reach.ask(box, headers={**BROWSER, **key})[2])
            for headers in ({}, key, {**BROWSER, "X-Daytona-Skip-Preview-Warning": "true"}, {**BROWSER, "Cookie": "daytona-preview-page-accepted=true"}):
                self.assertNotIn(b"I understand", reach.ask(box, headers=headers)[2])
        action = page.decode().partition('action="')[2].partition('"')[0].replace("&amp;", "&")
        status, headers, _ = reach.ask(box, path=action, method="POST", headers=BROWSER)
        self.assertEqual((status, headers["Location"]), (302, "/"))
        self.assertIn("Max-Age=86400", headers["Set-Cookie"])
        self.assertNotIn(b"I understand", reach.ask(box, 22222, headers={**BROWSER, **key})[2])


if __name__ == "__main__":
    unittest.main()
