// A person's browser: the web terminal, previews, a development server with hot reload. Run by reach_browser_test.py,
// which says in the environment where everything is.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const require = createRequire(process.env.MODULES + "/");
const { chromium } = require("playwright-core");
const { TERMINAL, PUBLIC, PRIVATE, SIGNED, NOTHING, VITE, API, KEY, BOX, VITE_BOX, LOGIN, SECURE, JUPYTER } = process.env;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
});
after(async () => { await browser.close(); });

async function openPage(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 600 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => { if (/Content Security Policy/.test(message.text())) page.problems.push(message.text()); });
  page.answer = await page.goto(url);
  return page;
}

async function command(text, box = BOX) {
  const answer = await fetch(`${API}/toolbox/${box}/process/execute`, {
    method: "POST", headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" }, body: JSON.stringify({ command: text }) });
  return (await answer.json()).result;
}

async function eventually(check) {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await check();
    if (found || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const screen = (page) => page.locator(".xterm-rows").innerText();
const shows = async (page, text) => {
  const found = await eventually(async () => (await screen(page)).replaceAll("\u00a0", " ").includes(text));
  assert.ok(found, `no ${JSON.stringify(text)} in ${JSON.stringify(await screen(page))}`);
};
async function type(page, text) {
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}
async function openTerminal(options) {
  const page = await openPage(TERMINAL, options);
  await eventually(async () => (await screen(page)).includes("$"));
  return page;
}

test("terminal: typing, colours, unicode, interrupt", async () => {
  const page = await openTerminal();
  await type(page, "echo $((6*7))-typed");
  await shows(page, "42-typed");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.insertText("printf '%s\\n' gr\u00fc\u00df\u20ac-\u65e5\u672c-\u{1f600}; wc -c <<< \u65e5\u672c");
  await page.keyboard.press("Enter");
  await shows(page, "grüß€-日本-😀\n");
  await shows(page, "\n7\n");
  await type(page, "echo slee''ping; sleep 1000; echo not-''reached");
  await shows(page, "sleeping");
  await page.keyboard.press("Control+c");
  await type(page, "echo interrup''ted");
  await shows(page, "interrupted");
  assert.ok(!(await screen(page)).includes("not-reached"));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("terminal: the shell knows the window's size", async () => {
  const page = await openTerminal();
  const size = async () => {
    await type(page, "clear; echo size=$(stty size | tr ' ' x)=");
    let found;
    await eventually(async () => (found = /size=(\d+)x(\d+)=/.exec(await screen(page))));
    return found.slice(1).map(Number);
  };
  const big = await size();
  await page.setViewportSize({ width: 500, height: 300 });
  let small;
  await eventually(async () => { small = await size(); return small[0] < big[0]; });
  assert.ok(small[0] < big[0] && small[1] < big[1], `${big} then ${small}`);
  await page.context().close();
});

test("terminal: paste, also of many lines", async () => {
  const page = await openTerminal({ permissions: ["clipboard-read", "clipboard-write"] });
  const lines = Array.from({ length: 2000 }, (_, i) => `line ${i} gr\u00fc\u00df`).join("\n");
  await type(page, "stty -echo; cat > /tmp/pasted; stty echo; echo pas''ted");
  await eventually(async () => (await command("pgrep -x cat || true")).trim() !== "");
  await page.evaluate((text) => navigator.clipboard.writeText(text), lines + "\n");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.press("Control+Shift+v");
  let come;
  const all = await eventually(async () => (come = (await command("wc -l < /tmp/pasted")).trim()) === "2000");
  assert.ok(all, `${come} lines have come: ${await screen(page)}`);
  await page.keyboard.press("Control+d");
  await shows(page, "pasted");
  assert.equal(await command("cat /tmp/pasted"), lines + "\n");
  await page.context().close();
});

test("terminal: the same shell after a lost connection and after a reload", async () => {
  const page = await openTerminal();
  await type(page, "HERE=still-''here; echo se''t");
  await shows(page, "set");
  await page.context().setOffline(true);
  await page.evaluate(() => { dispatchEvent(new Event("offline")); });
  await page.context().setOffline(false);
  await page.reload();
  await type(page, "echo [$HERE]");
  await shows(page, "[still-here]");
  process.kill(Number(process.env.CONTROL_PID), "SIGKILL");
  await page.locator("#status").filter({ hasText: "Connection lost" }).waitFor();
  await page.locator("#status").waitFor({ state: "hidden" });
  await type(page, "echo again[$HERE]");
  await shows(page, "again[still-here]");
  await type(page, "exit");
  await page.locator("#status button").filter({ hasText: "New shell" }).click();
  await type(page, "echo new[$HERE]");
  await shows(page, "new[]");
  await page.context().close();
});

test("terminal: on a telephone", async () => {
  const page = await openTerminal({ viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await page.locator("#keys button").filter({ hasText: "Tab" }).waitFor();
  await type(page, "sleep 1000");
  await eventually(async () => (await command("pgrep -fx 'sleep 1000' || true")).trim() !== "");
  await page.locator("#keys button").filter({ hasText: "Ctrl-C" }).tap();
  await type(page, "echo wi''dth $COLUMNS");
  await shows(page, "width");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than the screen`);
  await page.context().close();
});

test("preview: page, cookie, WebSocket of a public sandbox", async () => {
  const page = await openPage(PUBLIC + "/page");
  assert.equal(page.answer.status(), 200);
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  assert.equal(await page.locator("#cookie").innerText(), "mine=of-the-app");
  await page.context().close();
});

async function logIn(page, key) {
  await page.locator("input[name=key]").fill(key);
  await page.locator("button").filter({ hasText: "Log in" }).click();
}

test("preview: a private one asks a stranger to log in, and is there at once for who has", async () => {
  const page = await openPage(PRIVATE + "/page?x=1");
  assert.equal(await page.title(), "Log in to sebring");
  assert.ok(page.url().startsWith(LOGIN), page.url());
  await logIn(page, "dtn_" + "0".repeat(64));
  await page.locator("[role=alert]").filter({ hasText: "no valid API key" }).waitFor();
  await logIn(page, KEY);
  await page.waitForURL(PRIVATE + "/page?x=1");
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), "mine=of-the-app");
  // Another port, and a preview by path, without being asked again.
  const terminal = await page.context().newPage();
  await terminal.goto(PRIVATE.replace("3000-", "22222-"));
  await terminal.locator(".xterm-rows").waitFor();
  await terminal.goto(LOGIN.replace("/login", `/preview/${BOX}/3000/page`));
  assert.equal(await terminal.title(), "app");
  // Logged out is logged out, also where a preview is open.
  await terminal.goto(LOGIN);
  await terminal.locator("button").filter({ hasText: "Log out" }).click();
  await terminal.locator("input[name=key]").waitFor();
  await page.reload();
  assert.equal(await page.title(), "Log in to sebring");
  assert.deepEqual(page.problems.filter((text) => !text.includes("cookie")), []);
  await page.context().close();
});

test("preview: a page of somebody else can not log a visitor in", async () => {
  const page = await openPage(PUBLIC + "/page");
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url() === LOGIN),
    page.evaluate(({ url, key }) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action: url });
      form.append(Object.assign(document.createElement("input"), { name: "key", value: key }));
      document.body.append(form);
      form.submit();
    }, { url: LOGIN, key: KEY })]);
  assert.equal(answer.status(), 403);
  assert.equal((await page.context().cookies(LOGIN)).some((cookie) => cookie.name.includes("session")), false);
  await page.context().close();
});

test("notebook: JupyterLab in a private sandbox, its kernel over a WebSocket", async () => {
  const page = await openPage(JUPYTER + "/lab/tree/a.ipynb");
  await logIn(page, KEY);
  await page.waitForURL(/\/lab\/tree\/a\.ipynb/);
  const cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first();
  for (let tries = 3; ; tries--) {
    try {
      await cell.click({ timeout: 40_000 });
      await page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first().waitFor({ timeout: 40_000 });
      break;
    } catch (error) {
      // Chromium gives up requests when the machine's links change, and JupyterLab then asks what to do.
      const asked = await page.locator(".jp-Dialog").allInnerTexts();
      if (tries === 0 || asked.length === 0) throw error;
      await page.reload();
    }
  }
  await page.keyboard.press("Shift+Enter");
  await page.locator(".jp-OutputArea-output").filter({ hasText: "six times 42" }).waitFor();
  await page.keyboard.type("print('typed', 40 + 2)");
  await page.keyboard.press("Shift+Enter");
  await page.locator(".jp-OutputArea-output").filter({ hasText: "typed 42" }).waitFor();
  await page.context().close();
});

test("preview: HTTP/2 under TLS, WebSockets beside it", async () => {
  const page = await openPage(SECURE + "/page", { ignoreHTTPSErrors: true });
  assert.equal(page.answer.status(), 200);
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol), "h2");
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  const got = await page.evaluate(async () => {
    const body = new Uint8Array(3_000_000).fill(120);
    const streams = Array.from({ length: 40 }, (_, i) => fetch("/stream?n=" + (i * 5000)).then((r) => r.arrayBuffer()).then((b) => b.byteLength));
    // Chromium gives up an upload when the machine's links change, which those of sandboxes that come and go do.
    const send = (tries) => fetch("/upload", { method: "POST", body }).catch((error) => tries ? send(tries - 1) : Promise.reject(error));
    const upload = send(5).then((r) => r.json()).then((seen) => seen.size);
    return [await upload, ...(await Promise.all(streams))];
  });
  assert.deepEqual(got.slice(1), Array.from({ length: 40 }, (_, i) => i * 5000));
  assert.equal(got[0], 3_000_000);
  await page.context().close();
});

test("preview: a signed link opens a private one", async () => {
  const page = await openPage(SIGNED + "/page");
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  const cookies = await page.context().cookies();
  const ours = cookies.find((cookie) => cookie.name.startsWith("daytona-sandbox-auth-"));
  assert.deepEqual([ours.httpOnly, ours.sameSite, ours.domain.startsWith(".")], [true, "Lax", false]);
  assert.ok(!(await page.evaluate(() => document.cookie)).includes("daytona"));
  // The cookie opens this host, and no other.
  await page.goto(PRIVATE + "/page");
  assert.equal(await page.title(), "Log in to sebring");
  await page.context().close();
});

test("preview: a key in the address leaves the address", async () => {
  const page = await openPage(PRIVATE + "/page?x=1&DAYTONA_SANDBOX_AUTH_KEY=" + process.env.TOKEN);
  assert.equal(page.url(), PRIVATE + "/page?x=1");
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  await page.reload();
  await page.locator("#ws").filter({ hasText: "grüß" }).waitFor();
  await page.context().close();
});

test("preview: another page can not use the visitor's cookie", async () => {
  const page = await openPage(PRIVATE + "/page?DAYTONA_SANDBOX_AUTH_KEY=" + process.env.TOKEN);
  await page.goto(PUBLIC + "/page");
  const got = await page.evaluate(async (url) => {
    const read = await fetch(url + "/", { credentials: "include" }).then((answer) => answer.status, () => "refused");
    const socket = await new Promise((resolve) => {
      const ws = new WebSocket(url.replace("http", "ws") + "/ws");
      ws.onopen = () => resolve("open");
      ws.onerror = () => resolve("refused");
    });
    return { read, socket };
  }, PRIVATE);
  assert.notEqual(got.read, 200);
  assert.equal(got.socket, "refused");
  await page.context().close();
});

test("preview: a page that says that nothing listens", async () => {
  const page = await openPage(NOTHING);
  assert.equal(page.answer.status(), 502);
  assert.match(await page.locator("main").innerText(), /Start a server in the sandbox/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("development server: hot reload keeps the page", { skip: VITE ? false : "no Vite" }, async () => {
  const page = await openPage(VITE);
  await page.locator("#app").filter({ hasText: "first" }).waitFor();
  await page.evaluate(() => { window.sameDocument = true; });
  await command("cd /home/daytona/vite && sed 's/first/second/' text.js > text.new && mv text.new text.js", VITE_BOX);
  await page.locator("#app").filter({ hasText: "second" }).waitFor();
  assert.equal(await page.evaluate(() => window.sameDocument), true, "the page was loaded again");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
