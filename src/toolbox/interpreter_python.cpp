#include "toolbox/interpreter_scripts.h"

namespace sebring::toolbox {

const std::string_view kPythonInterpreter = R"python(
import builtins, codecs, io, json, linecache, os, signal, sys, threading, traceback, types

# User code may delete or replace whatever it likes, and must not take from us what the next run needs.
__builtins__ = dict(vars(builtins))
os_read, os_write, getpid, to_json, from_json = os.read, os.write, os.getpid, json.dumps, json.loads

CHANNEL = os.dup(0)
with open(os.devnull, "rb") as _null:
    os.dup2(_null.fileno(), 0)
PID = os.getpid()


class State:
    run = None       # number of the present run
    busy = False     # user code is running: an interrupt may be raised
    guarded = 0      # but not here, where half a message would be lost
    pending = False


class Channel:
    lock = threading.RLock()

    @classmethod
    def send(cls, message):
        data = to_json(message).encode() + b"\n"
        main = threading.current_thread() is threading.main_thread()
        if main:
            State.guarded += 1
        try:
            with cls.lock:
                while data:
                    data = data[os_write(CHANNEL, data):]
        finally:
            if main:
                State.guarded -= 1
        if main and State.pending and State.busy and not State.guarded:
            State.pending = False
            raise KeyboardInterrupt

    @classmethod
    def lines(cls):
        waiting = b""
        while True:
            piece = os_read(CHANNEL, 65536)
            if not piece:
                return
            waiting += piece
            while b"\n" in waiting:
                line, waiting = waiting.split(b"\n", 1)
                yield from_json(line)


def printable(text):
    return text.encode("utf-8", "backslashreplace").decode()


class Binary(io.RawIOBase):
    def __init__(self, text):
        self.text = text
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self):
        return True

    def fileno(self):
        return self.text.fileno()

    def write(self, data):
        data = bytes(data)
        self.text.write(self.decoder.decode(data))
        return len(data)

    def flush(self):
        self.text.flush()


class Output(io.TextIOBase):
    """sys.stdout and sys.stderr: sends what was written at each newline, or when there is much of it."""
    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    mode = "w"
    limit = 1024
    piece = 16384

    def __init__(self, kind, fd):
        self.kind, self.fd = kind, fd
        self.name = "<%s>" % kind
        self.waiting = []
        self.size = 0
        self.buffer = Binary(self)

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return self.fd

    def reconfigure(self, **_):
        self.flush()

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        self.waiting.append(text)
        self.size += len(text)
        if self.size >= self.limit or "\n" in text or "\r" in text:
            self.flush()
        return len(text)

    def flush(self):
        waiting, self.waiting, self.size = self.waiting, [], 0
        text = printable("".join(waiting))
        if not text:
            return
        if getpid() != PID:  # a forked child: the channel is its parent's
            data = text.encode()
            while data:
                data = data[os_write(self.fd, data):]
            return
        for start in range(0, len(text), self.piece):
            Channel.send({"run": State.run, "type": self.kind, "text": text[start:start + self.piece]})


def on_interrupt(_number, _frame):
    if not State.busy:
        return
    if State.guarded:
        State.pending = True
        return
    raise KeyboardInterrupt


def describe(error, frames_of_ours):
    trace = error.__traceback__
    for _ in range(frames_of_ours):
        trace = trace.tb_next if trace else None
    try:
        text = "".join(traceback.format_exception(type(error), error, trace))
    except Exception:
        text = type(error).__name__ + "\n"
    try:
        value = str(error)
    except Exception:
        value = "<exception str() failed>"
    return {"type": "error", "name": type(error).__name__, "value": printable(value), "traceback": printable(text)}


def run_user_code(code, name, namespace):
    """Returns what went wrong as a message, or None; and whether it was interrupted."""
    try:
        compiled = compile(code, name, "exec", dont_inherit=True)
    except BaseException as error:
        return describe(error, 1 if not isinstance(error, SyntaxError) else 99), False
    try:
        State.pending = False
        State.busy = True
        exec(compiled, namespace)
        State.busy = False
    except KeyboardInterrupt:
        State.busy = False
        return None, True
    except BaseException as error:
        State.busy = False
        if isinstance(error, SystemExit) and getpid() != PID:
            raise
        return describe(error, 1), False
    return None, False


def leave_child(error, interrupted):
    """A forked child has come to the end of the code. It ends as a script does: the next run is its parent's."""
    if error:
        sys.stderr.write(error["traceback"])
    raise SystemExit(130 if interrupted else 1 if error else 0)


def flush_outputs(outputs):
    for stream in (sys.stdout, sys.stderr, *outputs):
        try:
            stream.flush()
        except Exception:
            pass


def serve():
    outputs = sys.stdout, sys.stderr = Output("stdout", 1), Output("stderr", 2)
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = [""]
    signal.signal(signal.SIGINT, on_interrupt)
    Channel.send({"type": "ready"})
    for number, request in enumerate(Channel.lines()):
        State.run = request["run"]
        envs = request.get("envs") or {}
        before = {name: os.environ.get(name) for name in envs}
        os.environ.update(envs)
        if signal.getsignal(signal.SIGINT) is not on_interrupt:
            signal.signal(signal.SIGINT, on_interrupt)
        name = "<python-input-%d>" % number
        linecache.cache[name] = (len(request["code"]), None, request["code"].splitlines(True), name)
        try:
            error, interrupted = run_user_code(request["code"], name, main.__dict__)
        except KeyboardInterrupt:  # it came just when the code had ended
            State.busy = False
            error, interrupted = None, True
        if getpid() != PID:
            leave_child(error, interrupted)
        flush_outputs(outputs)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if error:
            Channel.send({"run": State.run, **error})
        Channel.send({"run": State.run, "type": "control", "text": "interrupted" if interrupted else "completed"})
        State.run = None
    os._exit(0)


serve()
)python";

}  // namespace sebring::toolbox
