"""A stand-in for an S3-compatible service: objects in memory, by the few requests that storage makes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_LISTED = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-15T09:30:00.000Z</LastModified>"
    "<Size>{size}</Size></Contents>"
)
_MODIFIED = "Thu, 15 Jan 2026 09:30:00 GMT"


@dataclass
class BucketStandIn:
    """`objects` maps bucket/key to content and its type; while `refusal` is set it is every answer.

    Shape: `parts` and `types` are the parts by number, and the types, of multipart uploads in progress.
    """

    url: str = ""
    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    refusal: int | None = None
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    found: BucketStandIn


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content = self._body()
        if "partNumber" in self._query():
            number = int(self._query()["partNumber"][0])
            self.server.found.parts.setdefault(self._key(), {})[number] = content
            self._answer(200, headers={"ETag": f'"{number}"'})
            return
        self.server.found.objects[self._key()] = (content, self.headers.get("Content-Type", ""))
        self._answer(200, headers={"ETag": '"1"'})

    def do_GET(self) -> None:
        if "list-type" in self._query():
            self._list()
            return
        content, kind = self.server.found.objects.get(self._key(), (b"", ""))
        headers = {"ETag": '"1"', "Last-Modified": _MODIFIED, "Content-Type": kind}
        self._answer(200 if self._key() in self.server.found.objects else 404, content, headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.server.found.parts.pop(self._key(), None)
        self._answer(204)

    def do_POST(self) -> None:
        if "uploads" in self._query():
            self._begin_multipart()
        elif "uploadId" in self._query():
            self._complete_multipart()
        else:
            self._delete()

    def _begin_multipart(self) -> None:
        self._body()
        self.server.found.parts[self._key()] = {}
        self.server.found.types[self._key()] = self.headers.get("Content-Type", "")
        self._answer(
            200,
            b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
        )

    def _complete_multipart(self) -> None:
        self._body()
        parts = self.server.found.parts.pop(self._key())
        content = b"".join(part for _, part in sorted(parts.items()))
        self.server.found.objects[self._key()] = (content, self.server.found.types[self._key()])
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")

    def _delete(self) -> None:
        keys = re.findall("<Key>(.*?)</Key>", self._body().decode())
        for key in keys:
            self.server.found.objects.pop(f"{self._key()}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _list(self) -> None:
        bucket, (prefix,) = self._key(), self._query()["prefix"]
        start = f"{bucket}/"
        listed = "".join(
            _LISTED.format(key=name.removeprefix(start), size=len(content))
            for name, (content, _) in self.server.found.objects.items()
            if name.startswith(start + prefix)
        )
        result = f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        self._answer(200, result.encode())

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(self.server.found.refusal or status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Discard the log line."""


@contextmanager
def bucket_standin() -> Iterator[BucketStandIn]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.found = BucketStandIn(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
