"""What changes on open pages: drawn once for all who look, and not at all while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

EVERY_SECONDS = 2.0
SILENCE_SECONDS = 15.0
MOST_LISTENERS = 20

Fragments = Mapping[str, str]
"""HTML by the id of the element that it fills."""


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    """One open page: what it was sent last, and how it is woken."""

    wanted: Collection[str]
    sent: dict[str, str] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def news(self, fragments: Fragments) -> Fragments:
        """What of `fragments` this page lacks; it has it from now on."""
        lacking = {
            name: html
            for name, html in fragments.items()
            if name in self.wanted and self.sent.get(name) != html
        }
        self.sent.update(lacking)
        return lacking

    async def is_woken(self, within_seconds: float) -> bool:
        """Whether there may be news; False when the time is over."""
        try:
            await asyncio.wait_for(self.woken.wait(), within_seconds)
        except TimeoutError:
            return False
        self.woken.clear()
        return True


class LiveUpdates:
    """Draws `fragments` every two seconds while somebody listens; one drawing serves every listener."""

    def __init__(
        self,
        draw: Callable[[], Fragments],
        *,
        every_seconds: float = EVERY_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._draw = draw
        self._every_seconds = every_seconds
        self._silence_seconds = silence_seconds
        self._fragments: Fragments = {}
        self._listeners: set[_Listener] = set()
        self._artist: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether nobody more may listen."""
        return self._is_closed or len(self._listeners) >= MOST_LISTENERS

    async def changes(self, wanted: Collection[str]) -> AsyncGenerator[Fragments, None]:
        """The fragments of `wanted`, then those that change; nothing, when all is silent for a while.

        Ends with `close`. Raises: what the drawing raised.
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
                self._rest()

    def close(self) -> None:
        """End every listener's changes; called on the event loop."""
        self._is_closed = True
        self._rest()
        self._wake()

    def _working_artist(self) -> asyncio.Task[None]:
        if self._artist is None or self._artist.done():
            self._artist = asyncio.create_task(self._work())
        return self._artist

    async def _work(self) -> None:
        try:
            while True:
                self._fragments = await run_in_threadpool(self._draw)
                self._wake()
                await asyncio.sleep(self._every_seconds)
        finally:
            self._fragments = {}  # whoever comes later must not see what was once
            self._wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.woken.set()

    def _rest(self) -> None:
        if self._artist is not None:
            self._artist.cancel()
            self._artist = None
