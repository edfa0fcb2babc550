"""Concurrent HTTP requests on one thread with kept-alive connections: libcurl's multi interface.

Holds the curl options that every request to an endpoint shares, the handle of a single request, and the pool
that runs many of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Final, Generic, TypeVar

import pycurl

from domain.errors import MalformedResponseError, RollcallError, UnreachableError, UpstreamTimeoutError
from domain.text import quote
from providers.http import MAX_BODY_BYTES, HttpResponse

USER_AGENT: Final = "Rollcall/0.1 (class section watcher)"
# Below the 5 s after which common servers close an idle connection, so that none is used while closing.
_KEEP_ALIVE_SECONDS = 4
_DEBIAN_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def options(endpoint: str, token: str, timeout_seconds: float) -> dict[int, object]:
    """The libcurl options for posting JSON to `endpoint` only, independent of the environment.

    Source: https://curl.se/libcurl/c/curl_easy_setopt.html
    """
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "Expect": "",
    }
    found: dict[int, object] = {
        pycurl.URL: endpoint,
        pycurl.POST: 1,
        pycurl.HTTPHEADER: [f"{name}: {value}".rstrip() for name, value in headers.items()],
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.NOSIGNAL: 1,
        pycurl.TCP_NODELAY: 1,
        pycurl.TIMEOUT_MS: max(1, round(timeout_seconds * 1000)),
        pycurl.MAXAGE_CONN: _KEEP_ALIVE_SECONDS,
        pycurl.MAXFILESIZE: MAX_BODY_BYTES,
    }
    return found | _trust() if endpoint.startswith("https:") else found


def _trust() -> dict[int, object]:
    """The system's CA certificates, else certifi's; the wheel's own OpenSSL finds neither.

    One file instead of a folder: libcurl then reads it once for all connections.
    """
    import ssl  # noqa: PLC0415 - 4 MB that plain HTTP does not need

    import certifi  # noqa: PLC0415

    system = ssl.get_default_verify_paths().cafile
    bundle = system or (str(_DEBIAN_BUNDLE) if _DEBIAN_BUNDLE.exists() else certifi.where())
    return {pycurl.CAINFO: bundle, pycurl.SSL_VERIFYPEER: 1, pycurl.SSL_VERIFYHOST: 2}


_REDIRECTS = range(300, 400)
_WEIRD_REPLY = pycurl.E_FTP_WEIRD_SERVER_REPLY  # its name from before HTTP used it too
_TOO_LARGE_HEADERS = 100
_NOT_HTTP = frozenset({pycurl.E_UNSUPPORTED_PROTOCOL, _WEIRD_REPLY, _TOO_LARGE_HEADERS})


class PooledRequest:
    """Posts JSON to `endpoint`, one request at a time; quotations in errors never contain `token`.

    Only C code writes the buffers: libcurl would swallow an interrupt raised in a Python callback.
    """

    def __init__(self, endpoint: str, token: str, timeout_seconds: float) -> None:
        self.curl = pycurl.Curl()
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._head, self._body = BytesIO(), BytesIO()
        for option, value in options(endpoint, token, timeout_seconds).items():
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.WRITEHEADER, self._head)
        self.curl.setopt(pycurl.WRITEDATA, self._body)

    def ask(self, question: bytes) -> None:
        """Make `question` the body of the next request."""
        for buffer in (self._head, self._body):
            buffer.seek(0)
            buffer.truncate()
        self.curl.setopt(pycurl.POSTFIELDS, question)

    def success(self) -> HttpResponse | RollcallError:
        """The complete answer; libcurl also reports success for one that ended within its headers."""
        if self._has_head():
            return self._answer()
        return UnreachableError("no connection: it ended within the headers of the answer")

    def failure(self, code: int, message: str) -> HttpResponse | RollcallError:
        """The result after libcurl failed with `code`: a partial answer, or an error.

        Source: https://curl.se/libcurl/c/libcurl-errors.html
        """
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return _caused(UpstreamTimeoutError(f"no answer in {self._timeout_seconds:g} s"), code, message)
        if code == pycurl.E_FILESIZE_EXCEEDED:
            return self._answer("the answer is larger than 1 MiB")
        if self._has_head():
            return self._answer("the answer was cut off")
        said = quote(message, self._token)
        if code in _NOT_HTTP:
            return _caused(MalformedResponseError(f"the answer is not HTTP: {said}"), code, message)
        return _caused(UnreachableError(f"no connection: {said}"), code, message)

    def _answer(self, flaw: str | None = None) -> HttpResponse:
        status, body = self.curl.getinfo(pycurl.RESPONSE_CODE), self._body.getvalue()
        took_seconds = self.curl.getinfo(pycurl.TOTAL_TIME)
        if status == HTTPStatus.OK:  # the common case needs no headers
            return HttpResponse(status, body, flaw, took_seconds=took_seconds)
        location = (self._header(b"location") or "nowhere") if status in _REDIRECTS else None
        return HttpResponse(status, body, flaw, self._header(b"retry-after"), location, took_seconds)

    def _has_head(self) -> bool:
        """Whether the headers of the last answer, not only of interim ones (1xx), are complete."""
        head = self._head.getvalue()
        start = head.rfind(b"HTTP/")
        return head.find(b"\r\n\r\n", start) >= 0 or head.find(b"\n\n", start) >= 0

    def _header(self, wanted: bytes) -> str | None:
        """The first header `wanted` of the last answer: interim ones (1xx) come before it."""
        found = None
        for line in self._head.getvalue().splitlines():
            name, _, value = line.partition(b":")
            if line.startswith(b"HTTP/"):
                found = None
            elif found is None and name.strip().lower() == wanted:
                found = value.strip().decode("latin-1")
        return found


def _caused(error: RollcallError, code: int, message: str) -> RollcallError:
    error.__cause__ = pycurl.error(code, message)
    return error


_NO_SOCKET_SECONDS = 0.001

Tag = TypeVar("Tag")


class HttpPool(Generic[Tag]):
    """Posts JSON to one endpoint; each request carries a tag of the caller.

    Any thread may use it, but only one at a time. A request has `timeout_seconds` from `post` to the last
    byte. Redirects are not followed; proxies and credentials of the environment are ignored. A request on a
    kept connection that turns out to be closed is sent again on a new one.
    """

    def __init__(self, endpoint: str, token: str, *, timeout_seconds: float, max_connections: int) -> None:
        self._endpoint = endpoint
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_connections)
        self._idle: list[PooledRequest] = []
        self._flying: dict[pycurl.Curl, tuple[Tag, PooledRequest]] = {}

    def __len__(self) -> int:
        return len(self._flying)

    def post(self, tag: Tag, question: bytes) -> None:
        """Start sending `question`; `read` returns its answer."""
        call = (
            self._idle.pop()
            if self._idle
            else PooledRequest(self._endpoint, self._token, self._timeout_seconds)
        )
        call.ask(question)
        self._flying[call.curl] = (tag, call)
        self._multi.add_handle(call.curl)

    def wait(self, seconds: float) -> None:
        """Send and receive available data; return after `seconds` without any."""
        timer_ms = self._multi.timeout()
        if timer_ms >= 0:
            seconds = min(seconds, timer_ms / 1000)
        # Without a socket, as during name resolution, libcurl does not wait.
        if seconds and not self._multi.select(seconds):
            time.sleep(_NO_SOCKET_SECONDS)
        self._multi.perform()

    def read(self) -> Iterator[tuple[Tag, HttpResponse | RollcallError]]:
        """Each request that ended since the last `read`, with its result."""
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            tag, call = self._land(curl)
            yield tag, call.success()
        for curl, code, message in failed:
            tag, call = self._land(curl)
            yield tag, call.failure(code, message)

    def close(self) -> None:
        """Abort requests in flight and close the connections."""
        for curl in self._flying:
            with suppress(pycurl.error):  # an interrupt came before it was added
                self._multi.remove_handle(curl)
        self._flying.clear()
        self._multi.close()

    def _land(self, curl: pycurl.Curl) -> tuple[Tag, PooledRequest]:
        self._multi.remove_handle(curl)
        tag, call = self._flying.pop(curl)
        self._idle.append(call)
        return tag, call
