"""`/console/events`: changed page fragments as server-sent events.

Fragments are rendered once for all listeners, and only while there are any. Source: the HTML standard, 9.2. A
quiet stream sends an empty event now and then: proxies keep the connection, the page knows that it is
connected, and the server detects a closed page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ingress.console import session
from ingress.console.session import Session
from ingress.problems import ProblemError

EVERY_SECONDS = 2.0
SILENCE_SECONDS = 15.0
MOST_LISTENERS = 20

Fragments = Mapping[str, str]
"""HTML by the id of the element that it fills."""


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    """One open page: what it was last sent, and how it is woken."""

    wanted: Collection[str]
    sent: dict[str, str] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def news(self, fragments: Fragments) -> Fragments:
        """Return the changed `fragments` of this page, and mark them as sent."""
        lacking = {
            name: html
            for name, html in fragments.items()
            if name in self.wanted and self.sent.get(name) != html
        }
        self.sent.update(lacking)
        return lacking

    async def is_woken(self, within_seconds: float) -> bool:
        """Wait for changes; return False after the timeout."""
        try:
            await asyncio.wait_for(self.woken.wait(), within_seconds)
        except TimeoutError:
            return False
        self.woken.clear()
        return True


class LiveUpdates:
    """Renders `fragments` every two seconds while there are listeners, once for all of them."""

    def __init__(
        self,
        draw: Callable[[], Fragments],
        *,
        every_seconds: float = EVERY_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._render = draw
        self._every_seconds = every_seconds
        self._silence_seconds = silence_seconds
        self._fragments: Fragments = {}
        self._listeners: set[_Listener] = set()
        self._render_task: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Return whether the limit of listeners is reached."""
        return self._is_closed or len(self._listeners) >= MOST_LISTENERS

    async def changes(self, wanted: Collection[str]) -> AsyncGenerator[Fragments, None]:
        """Yield the fragments of `wanted`, then changed ones; nothing after a quiet interval.

        It ends with `close`. Raises: what the rendering raised.
        """
        listener = _Listener(wanted)
        self._listeners.add(listener)
        try:
            artist = self._working_artist()
            while not artist.done():
                news = listener.news(self._fragments)
                if news or not await listener.is_woken(self._silence_seconds):
                    yield news
            if not artist.cancelled():
                artist.result()
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._cancel_rendering()

    def close(self) -> None:
        """End every listener's stream. Call it on the event loop."""
        self._is_closed = True
        self._cancel_rendering()
        self._wake()

    def _working_artist(self) -> asyncio.Task[None]:
        if self._render_task is None or self._render_task.done():
            self._render_task = asyncio.create_task(self._work())
        return self._render_task

    async def _work(self) -> None:
        try:
            while True:
                self._fragments = await run_in_threadpool(self._render)
                self._wake()
                await asyncio.sleep(self._every_seconds)
        finally:
            self._fragments = {}  # a later listener must not get outdated fragments
            self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.woken.set()

    def _cancel_rendering(self) -> None:
        if self._render_task is not None:
            self._render_task.cancel()
            self._render_task = None


_BUSY_SECONDS = 30
_MAX_WANTED = 20


async def listen(request: Request) -> StreamingResponse:
    """Stream the fragments that `show` names, as long as the session lasts.

    Raises: ProblemError (401) without a session, (503) over the limit of listeners.
    """
    live: LiveUpdates = request.app.state.live
    if await _session(request) is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to the console first.")
    if live.is_full:
        wait = {"Retry-After": str(_BUSY_SECONDS)}
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages receive live updates.", headers=wait
        )
    wanted = request.query_params.get("show", "").split(",")[:_MAX_WANTED]
    return StreamingResponse(_events(request, wanted), media_type="text/event-stream")


async def _session(request: Request) -> Session | None:
    return await run_in_threadpool(session.active_session, request.app.state.context, request.headers)


async def _events(request: Request, wanted: list[str]) -> AsyncIterator[str]:
    async with aclosing(request.app.state.live.changes(wanted)) as changes:
        async for fragments in changes:
            if await _session(request) is None:
                return
            yield _event(fragments)


def _event(fragments: Fragments) -> str:
    return f"data: {json.dumps(dict(fragments))}\n\n"


routes = (Route("/events", listen),)
