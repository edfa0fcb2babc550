"""Bounds the web role's connections: their number, and how long each may take to send a request head.

uvicorn bounds neither: a client that opens connections and sends nothing could exhaust the file descriptors.
"""

from __future__ import annotations

import asyncio
import math

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedProtocol(H11Protocol):
    """One HTTP connection. It closes when a head takes `head_seconds`, or when more than `most` are open.

    When there are too many, the one that has waited longest for a head is closed: slow senders displace each
    other.
    """

    head_seconds = 10.0
    most = 2_000

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Register the connection."""
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > self.most:
            waiting = (other for other in self.connections if isinstance(other, BoundedProtocol))
            min(waiting, key=lambda other: other.head_due_at).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        super().connection_lost(exc)
        if self._head_timer is not None:
            self._head_timer.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request on this connection."""
        super().on_response_complete()
        self._expect_head()

    @property
    def head_due_at(self) -> float:
        """The deadline of the head, by the event loop's clock; infinity while a request is processed."""
        if self._head_timer is None or self.conn.their_state is not h11.IDLE:
            return math.inf
        return self._head_timer.when()

    def _expect_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(self.head_seconds, self._close_without_head)

    def _close_without_head(self) -> None:
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()
