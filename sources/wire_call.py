"""One request after the other on one libcurl handle: how it is asked, and what its end means."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO

import pycurl

from domain.errors import MalformedResponseError, RollcallError, UnreachableError, UpstreamTimeoutError
from domain.text import quote
from sources.answer import HttpResponse
from sources.wire_options import options

_REDIRECTS = range(300, 400)
_WEIRD_REPLY = pycurl.E_FTP_WEIRD_SERVER_REPLY  # its name from before HTTP used it too
_TOO_LARGE_HEADERS = 100
_NOT_HTTP = frozenset({pycurl.E_UNSUPPORTED_PROTOCOL, _WEIRD_REPLY, _TOO_LARGE_HEADERS})


class PooledRequest:
    """Posts JSON to `endpoint`, once at a time; what it quotes in errors never shows `token`.

    Every buffer is written by C code alone: libcurl would swallow an interrupt that is raised in a callback.
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
        """The whole answer; libcurl takes one that ended within its headers for whole too."""
        if self._has_head():
            return self._answer()
        return UnreachableError("no connection: it ended within the headers of the answer")

    def failure(self, code: int, message: str) -> HttpResponse | RollcallError:
        """What it means that libcurl gave up with `code`: part of an answer, or why there is none.

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
        if status == HTTPStatus.OK:  # the common answer, whose headers nobody reads
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
