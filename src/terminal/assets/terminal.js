import { Terminal } from "./vendor/xterm.mjs";
import { FitAddon } from "./vendor/addon-fit.mjs";
import { Unicode11Addon } from "./vendor/addon-unicode11.mjs";
import { WebLinksAddon } from "./vendor/addon-web-links.mjs";

const status = document.getElementById("status");
const keys = document.getElementById("keys");
const touch = matchMedia("(pointer: coarse)").matches;

const terminal = new Terminal({
  allowProposedApi: true,
  cursorBlink: true,
  fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  fontSize: touch ? 13 : 14,
  scrollback: 10000,
  theme: { background: "#12161c", foreground: "#e6e9ee" },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.loadAddon(new Unicode11Addon());
terminal.unicode.activeVersion = "11";
terminal.loadAddon(new WebLinksAddon());
terminal.open(document.getElementById("terminal"));
fit.fit();
terminal.focus();

// The same shell again after a reload or a lost connection, another one in another tab.
function sessionName() {
  let name = sessionStorage.getItem("session");
  if (!name) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("session", name);
  }
  return name;
}

let socket = null;
let attempt = 0;
let timer = 0;
let connectedBefore = false;

function say(text, action, label) {
  status.replaceChildren(text);
  if (action) {
    const button = document.createElement("button");
    button.textContent = label;
    button.onclick = action;
    status.append(button);
  }
  status.hidden = !text;
}

function sendSize() {
  if (socket?.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ rows: terminal.rows, cols: terminal.cols }));
  }
}

function send(data) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(data);
}

function connect() {
  clearTimeout(timer);
  const url = new URL("ws", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ session: sessionName() });
  socket = new WebSocket(url);
  socket.onopen = () => {
    attempt = 0;
    // What was said before is sent again by the other side.
    if (connectedBefore) terminal.reset();
    connectedBefore = true;
    say("");
    fit.fit();
    sendSize();
    terminal.focus();
  };
  socket.onmessage = (event) => terminal.write(event.data);
  socket.onclose = (event) => {
    if (event.code === 1000) {
      sessionStorage.removeItem("session");
      connectedBefore = false;
      say("The shell has ended.", () => { terminal.reset(); connect(); }, "New shell");
      return;
    }
    attempt += 1;
    const wait = Math.min(10000, 250 * 2 ** attempt);
    say("Connection lost, trying again…", connect, "Now");
    timer = setTimeout(connect, wait);
  };
}

// --- keys that touch keyboards lack -----------------------------------------------------------------------------
let control = null;
function pressed(data) {
  if (control?.getAttribute("aria-pressed") === "true" && data.length === 1) {
    control.setAttribute("aria-pressed", "false");
    const code = data.toUpperCase().charCodeAt(0);
    if (code >= 64 && code < 96) return String.fromCharCode(code - 64);
  }
  return data;
}

const arrows = (letter) => () => (terminal.modes.applicationCursorKeysMode ? "\x1bO" : "\x1b[") + letter;
const touchKeys = [
  ["Esc", () => "\x1b"], ["Tab", () => "\t"], ["Ctrl", null], ["←", arrows("D")], ["↑", arrows("A")],
  ["↓", arrows("B")], ["→", arrows("C")], ["Ctrl-C", () => "\x03"], ["|", () => "|"], ["/", () => "/"],
  ["-", () => "-"], ["~", () => "~"], ["Paste", "paste"],
];
function addTouchKeys() {
  for (const [label, action] of touchKeys) {
    const button = document.createElement("button");
    button.textContent = label;
    button.onpointerdown = (event) => event.preventDefault();  // the keyboard stays open
    if (action === null) {
      control = button;
      button.setAttribute("aria-pressed", "false");
      button.onclick = () => button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    } else if (action === "paste") {
      button.onclick = async () => terminal.paste(await navigator.clipboard.readText());
    } else {
      button.onclick = () => { send(action()); terminal.focus(); };
    }
    keys.append(button);
  }
  keys.hidden = false;
}
if (touch) addTouchKeys();

terminal.onData((data) => send(pressed(data)));
terminal.onBinary((data) => send(Uint8Array.from(data, (letter) => letter.charCodeAt(0))));
terminal.onResize(sendSize);
terminal.onTitleChange((title) => { document.title = title || "Terminal"; });
// Ctrl-Shift-C copies, as in other terminals; Ctrl-C stays with the shell.
terminal.attachCustomKeyEventHandler((event) => {
  if (event.type === "keydown" && event.ctrlKey && event.shiftKey && event.code === "KeyC" && terminal.hasSelection()) {
    navigator.clipboard?.writeText(terminal.getSelection());
    event.preventDefault();
    return false;
  }
  return true;
});
new ResizeObserver(() => fit.fit()).observe(document.getElementById("terminal"));
window.visualViewport?.addEventListener("resize", () => fit.fit());
window.addEventListener("online", () => { if (socket?.readyState !== WebSocket.OPEN) connect(); });
connect();
