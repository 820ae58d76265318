"""A proxy before the emulator: it counts every call by caller, service, action and status, and it can be slow, throttle or fall silent.

Calls of the store of the record (S3) it answers itself. What was counted, and how it behaves, is asked for and set at `/__peer/` of the
same port.
"""

import asyncio
import json
import re
import sys
import time
import urllib.parse
from collections import Counter

from shelf import Shelf

CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/")
READS = ("Describe", "List", "Get", "Head")
# A name in a request that says what it is about, the narrowest first.
NAMES = ("DBInstanceIdentifier", "DBClusterIdentifier", "DBClusterParameterGroupName", "DBParameterGroupName", "DBSubnetGroupName",
         "ResourceName")


class Bucket:
    """So many calls a second, and as many at once."""

    def __init__(self, rate):
        self.rate, self.level, self.filled = rate, float(rate), time.monotonic()

    def takes(self):
        now = time.monotonic()
        self.level = min(self.rate, self.level + (now - self.filled) * self.rate)
        self.filled = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


class Proxy:
    def __init__(self, emulator):
        self.emulator, self.shelf = emulator, Shelf()
        self.behaviour = {"latency": 0.0, "throttle": 0.0, "silent": False}
        self.buckets = {}
        # One call at a time: the emulator's threads iterate over what others change, and it is no faster with several.
        self.turn = asyncio.Semaphore(1)
        self.counts = Counter()
        self.changes = []
        # Seconds that the emulator took, one call after the other.
        self.waited = 0.0

    async def serve(self, reader, writer):
        try:
            while (request := await read_request(reader)) is not None:
                writer.write(await self.answer(*request))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, line, head, body):
        method, target, _ = line.split(" ", 2)
        if target.startswith("/__peer/"):
            return self.control(target, body)
        key, region, service, action, about = described(method, target, head, body)
        while service != "s3" and self.behaviour["silent"]:
            await asyncio.sleep(0.2)
        if self.behaviour["latency"]:
            await asyncio.sleep(self.behaviour["latency"])
        if service != "s3" and self.behaviour["throttle"] and not self.takes(key, region, service, action):
            answer = throttled(head)
        elif service == "s3":
            status, fields, told = self.shelf.answer(method, target, head, body)
            answer = response(status, "application/xml", told, method == "HEAD", **fields)
        else:
            async with self.turn:
                began = time.monotonic()
                answer = await passed_on(self.emulator, line, head, body)
                self.waited += time.monotonic() - began
        status = int(answer.split(b" ", 2)[1])
        self.counts[(key, service, action, status)] += 1
        if service != "s3" and not action.startswith(READS) and action != "AssumeRole":
            self.changes.append({"at": time.time(), "key": key, "action": action, "about": about, "status": status,
                                 "snapshot": named(body, "FinalDBSnapshotIdentifier")})
        return answer

    def takes(self, key, region, service, action):
        # As of the account: all callers share it.
        bucket = self.buckets.setdefault((region, service, action), Bucket(self.behaviour["throttle"]))
        return bucket.takes()

    def control(self, target, body):
        if target == "/__peer/behave":
            self.behaviour.update(json.loads(body))
            self.buckets.clear()
        counts = [[*key, count] for key, count in sorted(self.counts.items())]
        told = {"counts": counts, "changes": self.changes, "waited": self.waited}
        return response(200, "application/json", json.dumps(told).encode())


def named(body, name):
    found = re.search(rb"(?:^|&)" + name.encode() + rb"=([^&]*)", body)
    return urllib.parse.unquote(found.group(1).decode()) if found else None


def described(method, target, head, body):
    """Whose call it is, where, to which service, what it does, and about what."""
    found = CREDENTIAL.search(head.get("authorization", ""))
    key, region, service = found.groups() if found else ("none", "none", "none")
    if service == "s3":
        return key, region, service, method_of_s3(method, target), None
    action = head.get("x-amz-target", "").rsplit(".", 1)[-1] or named(body, "Action")
    action = action or target.split("?")[0].rsplit("/operation/", 1)[-1]
    about = next((value for name in NAMES if (value := named(body, name))), None)
    return key, region, service, action, about


def method_of_s3(method, target):
    path, _, query = target.partition("?")
    is_list = method == "GET" and "list-type" in query or path.strip("/").count("/") == 0
    return {"GET": "List" if is_list else "Get", "HEAD": "Head"}.get(method, method.capitalize())


def throttled(head):
    """The service's own words, by its protocol."""
    if "x-amz-target" in head or "json" in head.get("content-type", ""):
        told = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
        return response(400, "application/x-amz-json-1.1", told)
    told = (b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
            b"<RequestId>0</RequestId></ErrorResponse>")
    return response(400, "text/xml", told)


def response(status, kind, body, is_head=False, **fields):
    fields = {"content-type": kind, "content-length": len(body)} | fields
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} x\r\n{lines}\r\n".encode() + (b"" if is_head else body)


async def read_request(reader):
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = raw.decode("latin-1").split("\r\n")
    head = {}
    for field in filter(None, rest):
        name, _, value = field.partition(":")
        head[name.strip().lower()] = value.strip()
    if head.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        del head["transfer-encoding"]
    else:
        body = await reader.readexactly(int(head.get("content-length") or 0))
    return line, head, body


async def passed_on(port, line, head, body):
    """One connection a call: the emulator ends its answer by closing it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {name: value for name, value in head.items() if name not in ("connection", "expect", "content-length")}
    fields |= {"connection": "close", "content-length": str(len(body))}
    lines = [line, *(f"{name}: {value}" for name, value in fields.items())]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
    answer = await reader.read(-1)
    writer.close()
    front, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = front.decode("latin-1").split("\r\n")
    is_head = line.startswith("HEAD ")
    drop = ("connection", "transfer-encoding") if is_head else ("connection", "transfer-encoding", "content-length")
    kept = [field for field in rest if field.split(":")[0].lower() not in drop]
    kept += [] if is_head else [f"content-length: {len(content)}"]
    return "\r\n".join([first, *kept]).encode("latin-1") + b"\r\n\r\n" + content


async def main(port, emulator):
    proxy = Proxy(emulator)
    # Heads of requests are short; bodies are read by their length.
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(*map(int, sys.argv[1:3])))
    except KeyboardInterrupt:
        pass
