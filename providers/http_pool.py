"""Concurrent HTTP requests of one thread over kept connections: libcurl's multi interface.

It maps HTTP requests to libcurl's options, and libcurl's results to responses and errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Final, Generic, TypeVar

import pycurl

from domain.errors import (
    InsecureConnectionError,
    MalformedResponseError,
    RollcallError,
    UnknownHostError,
    UnreachableError,
    UpstreamTimeoutError,
)
from domain.text import quote
from providers.http import CONNECT_SECONDS, HttpRequest, HttpResponse, ca_bundle

INTERRUPTIBLE_SECONDS: Final = 0.2
"""Longest wait: an exception raised asynchronously in a thread arrives only between two bytecodes.

Dramatiq interrupts its workers in that way.
"""
USER_AGENT: Final = "Rollcall/0.1 (class section watcher)"
# Below the 5 s after which common servers close an idle connection, so that none is used while closing.
_KEEP_ALIVE_SECONDS = 4
_DEFAULT_HEADERS = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT, "Expect": ""}


def _options(request: HttpRequest) -> dict[int, object]:
    """The libcurl options for `request`, independent of the environment.

    Source: https://curl.se/libcurl/c/curl_easy_setopt.html
    """
    headers = _DEFAULT_HEADERS | {name.title(): value for name, value in request.headers.items()}
    found: dict[int, object] = {
        pycurl.URL: request.url.encode(),
        pycurl.POST if request.method == "POST" else pycurl.HTTPGET: 1,
        pycurl.CUSTOMREQUEST: request.method,
        pycurl.HTTPHEADER: [f"{name}: {value}".rstrip().encode() for name, value in headers.items()],
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.NOSIGNAL: 1,
        pycurl.TCP_NODELAY: 1,
        pycurl.TIMEOUT_MS: max(1, round(request.timeout_seconds * 1000)),
        pycurl.CONNECTTIMEOUT_MS: round(CONNECT_SECONDS * 1000),
        pycurl.MAXAGE_CONN: _KEEP_ALIVE_SECONDS,
        pycurl.MAXFILESIZE: request.max_bytes,
    }
    if not request.is_repeatable:
        found |= {pycurl.FRESH_CONNECT: 1, pycurl.FORBID_REUSE: 1}
    if request.connect_to is not None:
        address, port = request.connect_to
        # For any host and port: libcurl may normalise the URL's host differently.
        found[pycurl.CONNECT_TO] = [f"::{f'[{address}]' if ':' in address else address}:{port}"]
    if request.url.startswith("https:"):
        found |= {pycurl.CAINFO: ca_bundle(), pycurl.SSL_VERIFYPEER: 1, pycurl.SSL_VERIFYHOST: 2}
    return found


_WEIRD_REPLY = pycurl.E_FTP_WEIRD_SERVER_REPLY  # its name from before HTTP used it too
_TOO_LARGE_HEADERS = 100
_UNREACHABLE: Final[dict[int, type[UnreachableError]]] = {
    pycurl.E_COULDNT_RESOLVE_HOST: UnknownHostError,
    pycurl.E_SSL_CONNECT_ERROR: InsecureConnectionError,
    pycurl.E_PEER_FAILED_VERIFICATION: InsecureConnectionError,
}
_NOT_HTTP = frozenset({pycurl.E_UNSUPPORTED_PROTOCOL, _WEIRD_REPLY, _TOO_LARGE_HEADERS})


class CookieJar:
    """Cookies that several pools share, in memory."""

    def __init__(self) -> None:
        self.share = pycurl.CurlShare()
        self.share.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_COOKIE)


class _Transfer:
    """A libcurl handle with its buffers, for one request at a time.

    Only C code writes the buffers: libcurl would swallow an interrupt raised in a Python callback.
    """

    def __init__(self, cookies: CookieJar | None) -> None:
        self.curl = pycurl.Curl()
        self._keeps_cookies = cookies is not None
        if cookies is not None:
            self.curl.setopt(pycurl.SHARE, cookies.share)
        self._request: HttpRequest | None = None
        self._head, self._body = BytesIO(), BytesIO()

    def prepare(self, request: HttpRequest, body: bytes) -> None:
        for buffer in (self._head, self._body):
            buffer.seek(0)
            buffer.truncate()
        if request is not self._request:
            self._configure(request)
        if body or request.method == "POST":  # without fields libcurl would read the standard input
            self.curl.setopt(pycurl.POSTFIELDS, body)

    def _configure(self, request: HttpRequest) -> None:
        self._request = None
        self.curl.reset()
        for option, value in _options(request).items():
            self.curl.setopt(option, value)
        if self._keeps_cookies:
            self.curl.setopt(pycurl.COOKIEFILE, "")
        self.curl.setopt(pycurl.WRITEHEADER, self._head)
        self.curl.setopt(pycurl.WRITEDATA, self._body)
        self._request = request

    def succeeded(self) -> HttpResponse | RollcallError:
        """The complete response; libcurl also reports success for one that ended within its headers."""
        if self._has_head():
            return self._response()
        return MalformedResponseError("the response was lost: it ended within its headers")

    def failed(self, code: int, message: str) -> HttpResponse | RollcallError:
        """The result after libcurl failed with `code`: a partial response, or an error.

        Source: https://curl.se/libcurl/c/libcurl-errors.html
        """
        request = self._request
        assert request is not None  # noqa: S101 - `prepare` came first
        if code == pycurl.E_FILESIZE_EXCEEDED:
            return self._response(f"the response is larger than {request.max_bytes:,} bytes")
        if code != pycurl.E_OPERATION_TIMEDOUT and self._has_head():
            return self._response("the response was truncated")
        message = quote(message, *request.secrets)
        error = self._error(code, message, request.timeout_seconds)
        error.__cause__ = pycurl.error(code, message)
        return error

    def _error(self, code: int, message: str, timeout_seconds: float) -> RollcallError:
        if code in _NOT_HTTP:
            return MalformedResponseError(f"the response is not HTTP: {message}")
        if not self.curl.getinfo(pycurl.REQUEST_SIZE):  # nothing was sent
            return _UNREACHABLE.get(code, UnreachableError)(f"no connection: {message}")
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return UpstreamTimeoutError(f"no response in {timeout_seconds:g} s")
        return MalformedResponseError(f"the response was lost: {message}")

    def _response(self, flaw: str | None = None) -> HttpResponse:
        status, took_seconds = self.curl.getinfo(pycurl.RESPONSE_CODE), self.curl.getinfo(pycurl.TOTAL_TIME)
        return HttpResponse(status, self._body.getvalue(), self._head.getvalue(), flaw, took_seconds)

    def _has_head(self) -> bool:
        """Whether the headers of the last response, not only of interim ones (1xx), are complete."""
        head = self._head.getvalue()
        start = head.rfind(b"\nHTTP/") + 1
        return head.find(b"\r\n\r\n", start) >= 0 or head.find(b"\n\n", start) >= 0


_NO_SOCKET_SECONDS = 0.001

Tag = TypeVar("Tag")


class HttpPool(Generic[Tag]):
    """Runs requests at the same time; each carries a tag of the caller.

    Any thread may use it, but only one at a time.
    """

    def __init__(self, max_connections: int = 1, cookies: CookieJar | None = None) -> None:
        self._cookies = cookies
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_connections)
        self._idle: list[_Transfer] = []
        self._running: dict[pycurl.Curl, tuple[Tag, _Transfer]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, tag: Tag, request: HttpRequest, body: bytes) -> None:
        """Start sending `request` with `body`; `read` returns its response."""
        transfer = self._idle.pop() if self._idle else _Transfer(self._cookies)
        transfer.prepare(request, body)
        self._running[transfer.curl] = (tag, transfer)
        self._multi.add_handle(transfer.curl)

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
            tag, transfer = self._remove(curl)
            yield tag, transfer.succeeded()
        for curl, code, message in failed:
            tag, transfer = self._remove(curl)
            yield tag, transfer.failed(code, message)

    def release_buffers(self) -> None:
        """Free the memory of the last requests and responses; the connections stay."""
        self._idle.clear()

    def close(self) -> None:
        """Abort running requests and close the connections."""
        for curl in self._running:
            with suppress(pycurl.error):  # an interrupt came before it was added
                self._multi.remove_handle(curl)
        self._running.clear()
        self._multi.close()

    def _remove(self, curl: pycurl.Curl) -> tuple[Tag, _Transfer]:
        self._multi.remove_handle(curl)
        tag, transfer = self._running.pop(curl)
        self._idle.append(transfer)
        return tag, transfer
