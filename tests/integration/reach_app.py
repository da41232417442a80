"""A web server for a sandbox, of the standard library alone: reach_app.py PORT [ADDRESS].

/            what came in, as JSON            /ws       WebSocket echo
/events      three server-sent events         /upload   length and hash of the body, when it has all come
/stream?n=   n bytes                          /trailers a chunked body with a trailer
/range       100 bytes that can be asked for in part
/elsewhere   a redirect, cookies and headers that aim at other hosts
/page        a page with a cookie and a WebSocket for a browser
"""

import asyncio
import base64
import hashlib
import json
import struct
import sys
import urllib.parse

PAGE = """<!doctype html><title>app</title><p id=cookie></p><p id=ws>none</p><script>
document.cookie = "mine=of-the-app";
document.getElementById("cookie").textContent = document.cookie;
const ws = new WebSocket(location.origin.replace("http", "ws") + "/ws");
ws.onopen = () => ws.send("gr\\u00fc\\u00df");
ws.onmessage = (event) => { document.getElementById("ws").textContent = event.data; };
ws.onclose = () => { document.getElementById("ws").textContent += " closed"; };
</script>"""


class Request:
    def __init__(self, head, reader):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.path, _, self.query = self.target.partition("?")
        self.headers = {}
        self.count = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.headers[name.lower()] = value.strip()
                self.count[name.lower()] = self.count.get(name.lower(), 0) + 1
        self.reader = reader

    async def pieces(self):
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while (await self.reader.readline()).strip():
                pass
            return
        left = int(self.headers.get("content-length", "0"))
        while left:
            piece = await self.reader.read(min(left, 65536))
            if not piece:
                raise ConnectionError
            left -= len(piece)
            yield piece


def answer(writer, body, kind="text/plain", status="200 OK", more=(), head=False):
    body = body.encode() if isinstance(body, str) else body
    lines = ["HTTP/1.1 " + status, "Content-Type: " + kind, "Content-Length: %d" % len(body), *more]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if head else body))


async def websocket(request, reader, writer):
    accept = hashlib.sha1((request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                 + base64.b64encode(accept) + b"\r\n\r\n")
    while True:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size == 126:
            size = struct.unpack(">H", await reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", await reader.readexactly(8))[0]
        mask = await reader.readexactly(4)
        data = await reader.readexactly(size)
        repeated = (mask * (size // 4 + 1))[:size]
        data = (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big") if size else b""
        opcode = first & 15
        head = bytes([(first & 0x80) | (10 if opcode == 9 else opcode)])
        head += bytes([size]) if size < 126 else struct.pack(">BH", 126, size) if size < 65536 else struct.pack(">BQ", 127, size)
        writer.write(head + data)
        await writer.drain()
        if opcode == 8:
            return


async def events(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n")
    for i in range(3):
        writer.write(b"data: %d\n\n" % i)
        await writer.drain()
        await asyncio.sleep(0.3)


def part(request, writer):
    data = bytes(range(100))
    wanted = request.headers.get("range")
    if not wanted:
        return answer(writer, data, more=["Accept-Ranges: bytes"])
    first, last = wanted.removeprefix("bytes=").split("-")
    answer(writer, data[int(first):int(last) + 1], status="206 Partial Content",
           more=["Content-Range: bytes %s-%s/100" % (first, last)])


async def serve_one(request, reader, writer):
    path, head = request.path, request.method == "HEAD"
    if path == "/ws":
        await websocket(request, reader, writer)
        return False
    if path == "/events":
        await events(writer)
        return False
    if path == "/upload":
        size, digest = 0, hashlib.sha256()
        async for piece in request.pieces():
            size += len(piece)
            digest.update(piece)
        answer(writer, json.dumps({"size": size, "sha256": digest.hexdigest()}), "application/json")
    elif path == "/stream":
        left = int(urllib.parse.parse_qs(request.query)["n"][0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
        while left:
            writer.write(b"x" * min(left, 1 << 18))
            left -= min(left, 1 << 18)
            await writer.drain()
    elif path == "/trailers":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
    elif path == "/range":
        part(request, writer)
    elif path == "/page":
        answer(writer, PAGE, "text/html", head=head)
    elif path == "/elsewhere":
        answer(writer, "", status="302 Found", more=[
            "Location: https://elsewhere.test/", "Set-Cookie: a=b; Domain=preview.localhost", "Set-Cookie: c=d; Path=/",
            "Set-Cookie: e=f; Domain=localhost", "Service-Worker-Allowed: /", "Server: the-app"])
    else:
        body = b"".join([piece async for piece in request.pieces()])
        seen = {"method": request.method, "target": request.target, "headers": request.headers, "count": request.count,
                "body": body.decode("latin-1")}
        answer(writer, json.dumps(seen), "application/json", head=head)
    await writer.drain()
    return request.headers.get("connection", "").lower() != "close"


async def connection(reader, writer):
    try:
        while await serve_one(Request((await reader.readuntil(b"\r\n\r\n"))[:-4], reader), reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    server = await asyncio.start_server(connection, address, int(sys.argv[1]), backlog=1024)
    print("listening", flush=True)
    await server.serve_forever()


asyncio.run(main())
