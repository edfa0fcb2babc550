"""What becomes of a body that nobody read.

A server that answers and closes while the caller still sends makes the kernel throw the answer away: a
refusal would reach Caddy as a broken connection, and whoever asked as 502.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT_BYTES = 8 * 1024 * 1024  # more than Caddy lets through
PATIENCE_SECONDS = 5.0


class Leftovers:
    """ASGI middleware: reads and forgets what is left of the body before an answer goes out.

    Units: up to `LIMIT_BYTES`, for `patience_seconds`; who sends more, or slower, may lose the answer.
    """

    def __init__(self, app: ASGIApp, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._app = app
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and hold the answer until the body is in."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience_seconds):
                        await body.drain()
            await send(message)

        await self._app(scope, body, answer)


class _Body:
    """A request's `receive` that knows how much has come, and whether that was all."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._received_bytes = 0
        self._is_over = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._received_bytes += len(message.get("body", b""))
        self._is_over = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        while not self._is_over and self._received_bytes < LIMIT_BYTES:
            await self()


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
