"""Many HTTP requests at once for one thread, with the connections kept: libcurl's multi interface."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

import pycurl

from domain.errors import RollcallError
from sources.answer import HttpResponse
from sources.wire_call import PooledRequest

_NO_SOCKET_SECONDS = 0.001

Tag = TypeVar("Tag")


class HttpPool(Generic[Tag]):
    """Posts JSON to one endpoint; each request bears a tag of the caller's.

    Any thread may use it, but only one at a time. A request has `timeout_seconds` from `post` to its last
    byte; redirects are not followed, and proxies and passwords of the environment not used. One sent on a
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
        """Begin to send `question`; `read` brings its answer."""
        call = (
            self._idle.pop()
            if self._idle
            else PooledRequest(self._endpoint, self._token, self._timeout_seconds)
        )
        call.ask(question)
        self._flying[call.curl] = (tag, call)
        self._multi.add_handle(call.curl)

    def wait(self, seconds: float) -> None:
        """Send and receive what can be, after `seconds` without news at the latest."""
        timer_ms = self._multi.timeout()
        if timer_ms >= 0:
            seconds = min(seconds, timer_ms / 1000)
        # Without a socket, as while a name is being resolved, libcurl does not wait.
        if seconds and not self._multi.select(seconds):
            time.sleep(_NO_SOCKET_SECONDS)
        self._multi.perform()

    def read(self) -> Iterator[tuple[Tag, HttpResponse | RollcallError]]:
        """Each request that has ended since the last `read`, with what came of it."""
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            tag, call = self._land(curl)
            yield tag, call.success()
        for curl, code, message in failed:
            tag, call = self._land(curl)
            yield tag, call.failure(code, message)

    def close(self) -> None:
        """Drop what is in flight, and the connections."""
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
