"""The HTTP client for every outbound call, and its trust store.

libcurl (`providers.http_pool`) is loaded with the first request: a process that sends none saves its memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.retry import retry_after_seconds
from domain.text import http_date

if TYPE_CHECKING:
    from providers.http_pool import CookieJar, HttpPool

MIB: Final = 1_048_576
CONNECT_SECONDS: Final = 10.0
"""Limit of name resolution, connection and TLS handshake, within the limit of the whole request."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request without its body; reuse the object for requests that differ only in the body.

    Shape: `timeout_seconds` limits the whole exchange, from the start to the last byte; `max_bytes` limits
    the response's body. Errors quote none of `secrets`. `connect_to` is the only address to connect to.
    `is_repeatable`: the service tolerates a repeated request. Connections are kept only then, because libcurl
    repeats a request whose kept connection turns out to be closed.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timeout_seconds: float
    max_bytes: int = MIB
    secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_to: tuple[str, int] | None = None
    is_repeatable: bool = False


@dataclass(slots=True)
class HttpResponse:
    """One HTTP response; `flaw` says why `body` is incomplete, None if it is complete.

    Shape: `head` is the status line and the headers, as received. `took_seconds` is the time from the start
    of the request to the last byte of the response.
    """

    status: int
    body: bytes
    head: bytes = b""
    flaw: str | None = None
    took_seconds: float = 0

    def headers(self) -> list[tuple[str, str]]:
        """Each header in order, with its name in lower case; interim responses (1xx) do not count."""
        final = self.head[self.head.rfind(b"\nHTTP/") + 1 :]
        lines = (line.decode("latin-1").partition(":") for line in final.splitlines()[1:])
        return [(name.strip().lower(), value.strip()) for name, _, value in lines if name]

    def header(self, name: str) -> str | None:
        """The first header `name`, which is in lower case."""
        return next((value for each, value in self.headers() if each == name), None)

    def retry_after_seconds(self, now: datetime | None = None) -> float | None:
        """The requested wait, at most an hour; a date is relative to `now`, else to the response's date."""
        return retry_after_seconds(self.header("retry-after"), now or http_date(self.header("date")))

    def json_object(self, service: str) -> dict[str, Any]:
        """The JSON object in the body. Raises: MalformedResponseError, naming `service`."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise MalformedResponseError(f"{service} returned {self.status} without JSON") from error
        if not isinstance(found, dict):
            raise MalformedResponseError(f"{service}'s response is not a JSON object")
        return found

    def error_object(self) -> dict[str, Any]:
        """The JSON object in the body of an error; empty if there is none, as in a proxy's page."""
        try:
            return self.json_object("")
        except MalformedResponseError:
            return {}

    def error(self, message: str, now: datetime | None = None) -> RollcallError:
        """The error that the status of an unsuccessful response means, with the wait that it asks for."""
        return status_error(self.status, message, self.retry_after_seconds(now))


def status_error(status: int, message: str, retry_after: float | None = None) -> RollcallError:
    """The error that the status of an unsuccessful response means. Source: RFC 9110, 15."""
    match status:
        case 401 | 403:
            return UnauthorisedError(message)
        case 429:
            return RateLimitedError(message, retry_after_seconds=retry_after)
        case 408 | 504:
            return UpstreamTimeoutError(message, retry_after_seconds=retry_after)
        case _ if status in range(400, 500) and status != HTTPStatus.TOO_EARLY:  # may be repeated (RFC 8470)
            return RejectedError(message)
        case _:
            return UpstreamError(message, retry_after_seconds=retry_after)


@dataclass(frozen=True)
class HttpClient:
    """Client of the service `name`, for any thread; the other fields are those of `HttpRequest`.

    Proxies, `.netrc` and redirects are ignored. A thread that waits can be interrupted. A client that
    `keeps_cookies` is one session: all its requests share the cookies.
    """

    name: str
    timeout_seconds: float
    max_bytes: int = MIB
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_repeatable: bool = False
    keeps_cookies: bool = False
    _jar: dict[int, CookieJar] = field(default_factory=dict, init=False, repr=False, compare=False)
    _idle: list[HttpPool[None]] = field(default_factory=list, init=False, repr=False, compare=False)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """As `request`."""
        return self.request("GET", url, headers=headers)

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """As `request`, with a JSON body."""
        return self.request("POST", url, body, {"Content-Type": "application/json", **(headers or {})})

    def request(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        connect_to: tuple[str, int] | None = None,
        *,
        max_bytes: int | None = None,
    ) -> HttpResponse:
        """The complete response, of any status, without `secrets` in its body.

        Shape: `connect_to` and `max_bytes` as in `HttpRequest`.
        Raises: UnreachableError if nothing was sent; UpstreamTimeoutError or MalformedResponseError if the
        service may have processed the request but its response is late, lost, too large or not HTTP.
        """
        response = self._send(
            HttpRequest(
                method,
                url,
                headers or {},
                self.timeout_seconds,
                self.max_bytes if max_bytes is None else max_bytes,
                self.secrets,
                connect_to,
                self.is_repeatable,
            ),
            body,
        )
        if isinstance(response, RollcallError):
            raise type(response)(f"{self.name}: {response}") from response
        if response.flaw is not None:
            raise MalformedResponseError(f"{self.name}: {response.flaw}")
        for secret in self.secrets:
            response.body = response.body.replace(secret.encode(), b"[secret]")
        return response

    def _send(self, request: HttpRequest, body: bytes) -> HttpResponse | RollcallError:
        from providers.http_pool import (  # noqa: PLC0415 - loads libcurl
            INTERRUPTIBLE_SECONDS,
            CookieJar,
            HttpPool,
        )

        try:
            pool = self._idle.pop()
        except IndexError:
            # `setdefault` is atomic: threads agree on one jar.
            pool = HttpPool(cookies=self._jar.setdefault(0, CookieJar()) if self.keeps_cookies else None)
        try:
            pool.start(None, request, body)
            while not (ended := list(pool.read())):
                pool.wait(INTERRUPTIBLE_SECONDS)
        except BaseException:
            pool.close()
            raise
        pool.release_buffers()
        self._idle.append(pool)
        ((_, response),) = ended
        return response


_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def ca_bundle() -> str:
    """The file of trusted authorities: `SSL_CERT_FILE`, else the system's, else certifi's.

    The libraries' own defaults differ, and the OpenSSL in pycurl's wheel finds none. One file instead of a
    folder: libcurl reads it once for all connections.
    """
    for path in (os.environ.get("SSL_CERT_FILE", ""), *_BUNDLES):
        if Path(path).is_file():
            return path
    import certifi  # noqa: PLC0415 - rarely needed

    return certifi.where()
