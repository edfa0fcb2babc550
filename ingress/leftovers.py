"""What becomes of a body that nothing has read.

A server that answers and closes while the caller still sends makes the kernel throw the answer away: a
refusal would reach Caddy as a broken connection, and the caller as 502.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT_BYTES = 8 * 1024 * 1024  # more than Caddy lets through
PATIENCE_SECONDS = 5.0
MOST_AT_ONCE = 32


class DrainBodyMiddleware:
    """ASGI middleware: reads and forgets what is left of the body before an answer goes out.

    Units: up to `LIMIT_BYTES`, until `patience_seconds` after the request began, for `most_at_once` requests.
    Of everything else the connection is closed with the answer, which the caller may lose.
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
        """Pass the request on, and hold the answer until the body is in."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        deadline = asyncio.get_running_loop().time() + self._patience_seconds

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._drain(body, deadline)
                if not body.is_over:  # a slow sender would keep the connection, and its descriptor
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
    """A request's `receive` that knows how much has come, and whether that was all."""

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
