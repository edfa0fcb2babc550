"""Request plumbing: encoded slashes, request ids, security headers, unexpected errors, and unread bodies.

A server that responds and closes while the caller still sends makes the kernel discard the response: a
rejection would reach Caddy as a broken connection, and the caller as 502. So unread bodies are drained.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import unquote
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.problems import problem
from observability.logs import bind_ids

REQUEST_ID = "X-Request-ID"
_KEPT = re.compile("%(2[Ff]|25)")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_log = logging.getLogger(__name__)


class EncodedSlashMiddleware:
    """ASGI middleware: an encoded slash does not separate segments of the path.

    A server decodes the path before it is routed. Here `%2F` and `%25` stay encoded in it; `segments` decodes
    them in what the router has found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its path decoded but for slashes and percent signs."""
        raw = scope.get("raw_path") or b""
        if b"%" in raw:
            scope["path"] = unquote(_KEPT.sub(r"%25\1", raw.decode("latin-1")))
        await self._app(scope, receive, send)


def segments(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a path with their slashes and percent signs decoded."""
    return {name: _KEPT.sub(lambda code: unquote(code[0]), value) for name, value in parameters.items()}


class RequestIdMiddleware:
    """ASGI middleware: adds a request id and security headers to every response.

    An unexpected error is logged with the request's id; the response reveals nothing of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sender = _ResponseSender(request_id(Headers(scope=scope)), send)
        scope["request_id"] = sender.request_id
        try:
            with bind_ids(request_id=sender.request_id):
                await self._app(scope, receive, sender)
        except ClientDisconnect:
            return  # the client has disconnected
        except Exception:
            where = {"request_id": sender.request_id, "method": scope["method"], "path": scope["path"]}
            _log.exception("a request failed", extra=where)
            if sender.has_started:
                raise
            detail = f"An unexpected error occurred; it is logged with the request id {sender.request_id}."
            await problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)(scope, receive, sender)


class _ResponseSender:
    """Sends a response with the missing headers."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.has_started = False
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            for name, value in _DEFAULTS.items():
                headers.setdefault(name, value)
        await self._send(message)


def request_id(headers: Headers) -> str:
    """Return the caller's request id if it is well-formed, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


LIMIT_BYTES = 8 * 1024 * 1024  # more than Caddy lets through
PATIENCE_SECONDS = 5.0
MOST_AT_ONCE = 32


class DrainBodyMiddleware:
    """ASGI middleware: reads and discards the rest of the body before a response is sent.

    Units: up to `LIMIT_BYTES`, until `patience_seconds` after the request began, for `most_at_once` requests.
    Otherwise the connection closes with the response, which the caller may lose.
    """

    def __init__(
        self,
        app: ASGIApp,
        patience_seconds: float = PATIENCE_SECONDS,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._app = app
        self._patience_seconds = patience_seconds
        self._free = most_at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and hold the response until the body is read."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        deadline = asyncio.get_running_loop().time() + self._patience_seconds

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._drain(body, deadline)
                if not body.is_over:  # a slow sender would keep the connection and its descriptor
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, body, answer)

    async def _drain(self, body: _Body, deadline: float) -> None:
        if body.is_over or not self._free:
            return
        self._free -= 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await body.drain()
        finally:
            self._free += 1


class _Body:
    """The `receive` of a request that tracks the bytes received, and whether the body is complete."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._received_bytes = 0
        self.is_over = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        self.is_over = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        while not self.is_over and self._received_bytes < LIMIT_BYTES:
            await self()


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
