"""A file system with one file whose later part takes its time (FUSE, root only): what a disk that hangs looks like."""

import ctypes
import os
import struct
import subprocess
import threading

INIT, LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, OPENDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 26, 1, 2, 3, 14, 15, 18, 25, 27, 29, 36, 42
ROOT, FILE = 1, 2


class SlowFile:
    """`path` has `size` bytes; reads of what lies beyond `quick` take `seconds`."""

    def __init__(self, directory, size, quick, seconds):
        self.directory, self.size, self.quick, self.seconds = str(directory), size, quick, seconds
        self.path = self.directory + "/file"
        self.waiting, self.ended = threading.Event(), threading.Event()

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if libc.mount(b"slow", self.directory.encode(), b"fuse", 6, options) != 0:
            number = ctypes.get_errno()
            os.close(self.device)
            raise OSError(number, "mount fuse")
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        subprocess.run(["umount", "-l", self.directory], check=True)
        os.close(self.device)

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return
            opcode, unique, node = struct.unpack_from("<4xIQQ", request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            if opcode == READ:
                threading.Thread(target=self.read, args=(unique, request[40:]), daemon=True).start()
                continue
            self.answer(unique, self.body(opcode, node, request[40:]))

    def answer(self, unique, body):
        error = 0 if isinstance(body, bytes) else -body
        body = body if isinstance(body, bytes) else b""
        try:
            os.write(self.device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
        except OSError:
            pass

    def read(self, unique, body):
        offset, count = struct.unpack_from("<8xQI", body)
        if offset >= self.quick:
            self.waiting.set()
            self.ended.wait(self.seconds)
        self.answer(unique, b"s" * max(0, min(count, self.size - offset)))

    def attributes(self, node):
        mode, size = (0o40755, 0) if node == ROOT else (0o100644, self.size)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def body(self, opcode, node, data):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHH8I", 7, 31, 128 * 1024, 0, 16, 12, 128 * 1024, 1, 32, 0, *[0] * 8)
        if opcode == LOOKUP:
            if data.rstrip(b"\0") != b"file":
                return 2
            return struct.pack("<4QII", FILE, 0, 60, 60, 0, 0) + self.attributes(FILE)
        if opcode == GETATTR:
            return struct.pack("<QII", 60, 0, 0) + self.attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 0, 0)
        return b"" if opcode in (RELEASE, RELEASEDIR, FLUSH) else 38
