"""The bucket of the record: as much of S3 as the record asks for, in memory. The emulator's goes through all keys for each list, so
that a thousand records would measure that and nothing else."""

import hashlib
import urllib.parse
from bisect import bisect_left, bisect_right, insort
from xml.sax.saxutils import escape

PAGE = 1_000


class Shelf:
    def __init__(self):
        self.objects, self.keys = {}, []

    def answer(self, method, target, head, body):
        """Status, headers and body for one request of a path-style address: /bucket/key."""
        path, _, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        _, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
        if not key:
            return (200, {}, self.listed(asked)) if method == "GET" else (200, {}, b"")
        known = self.objects.get(key)
        if method in ("GET", "HEAD"):
            return (200, {"etag": mark(known)}, known) if known is not None else refused(404, "NoSuchKey")
        if method != "PUT":
            return refused(501, "NotImplemented")
        wanted = head.get("if-match")
        if head.get("if-none-match") == "*" and known is not None or wanted and (known is None or wanted.strip('"') != mark(known).strip('"')):
            return refused(412, "PreconditionFailed")
        if known is None:
            insort(self.keys, key)
        self.objects[key] = dechunked(body) if "aws-chunked" in head.get("content-encoding", "") else body
        return 200, {"etag": mark(self.objects[key])}, b""

    def listed(self, asked):
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        after = asked.get("continuation-token") or asked.get("start-after", "")
        place = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        items, folders, last = [], [], ""
        while place < len(self.keys) and self.keys[place].startswith(prefix) and len(items) + len(folders) < PAGE:
            last = key = self.keys[place]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                items.append(key)
                place += 1
            else:
                folders.append(key[:cut + len(delimiter)])
                # All below it is told by its name.
                last = folders[-1] + "\U0010ffff"
                place = bisect_right(self.keys, last)
        more = place < len(self.keys) and self.keys[place].startswith(prefix)
        told = [f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size></Contents>" for key in items]
        told += [f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders]
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(more).lower()}</IsTruncated>'
                f"{token}{''.join(told)}</ListBucketResult>").encode()


def mark(body):
    return '"' + hashlib.md5(body, usedforsecurity=False).hexdigest() + '"'


def refused(status, code):
    return status, {}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def dechunked(body):
    whole = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if not size:
            return whole
        whole, body = whole + body[:size], body[size + 2:]
