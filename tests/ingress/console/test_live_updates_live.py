from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from threading import Event
from typing import Any

import pytest

from ingress.console.live_updates import MOST_LISTENERS, Fragments, LiveUpdates


class Easel:
    """Draws what the test puts there, and counts how often it was asked."""

    def __init__(self, **fragments: str) -> None:
        self.fragments: dict[str, str] = fragments
        self.drawn = 0
        self.error: Exception | None = None

    def __call__(self) -> Fragments:
        self.drawn += 1
        if self.error is not None:
            raise self.error
        return dict(self.fragments)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_anyone_who_comes_gets_everything_they_want_and_then_what_changes() -> None:
    async def test() -> None:
        easel = Easel(runs="none", mail="quiet", other="unwanted")
        async with aclosing(LiveUpdates(easel, every_seconds=0).changes(("runs", "mail"))) as changes:
            assert await anext(changes) == {"runs": "none", "mail": "quiet"}
            easel.fragments["mail"] = "busy"
            assert await anext(changes) == {"mail": "busy"}

    run(test)


def test_one_drawing_serves_all_who_listen() -> None:
    async def test() -> None:
        easel = Easel(runs="none")
        live = LiveUpdates(easel, every_seconds=3600)
        first, second = live.changes(("runs",)), live.changes(("runs",))
        assert await anext(first) == {"runs": "none"}
        assert await anext(second) == {"runs": "none"}
        assert easel.drawn == 1
        await first.aclose()
        await second.aclose()

    run(test)


def test_nothing_is_drawn_while_no_one_listens() -> None:
    async def test() -> None:
        easel = Easel(runs="none")
        live = LiveUpdates(easel, every_seconds=0)
        async with aclosing(live.changes(("runs",))) as changes:
            await anext(changes)
        await asyncio.sleep(0)
        drawn = easel.drawn
        for _ in range(50):
            await asyncio.sleep(0)
        assert easel.drawn <= drawn + 1  # one may have been in hand
        assert live._render_task is None

    run(test)


def test_who_comes_back_does_not_see_what_was_once() -> None:
    async def test() -> None:
        easel = Easel(runs="old")
        live = LiveUpdates(easel, every_seconds=3600)
        async with aclosing(live.changes(("runs",))) as changes:
            assert await anext(changes) == {"runs": "old"}
        await asyncio.sleep(0)
        easel.fragments["runs"] = "new"
        async with aclosing(live.changes(("runs",))) as changes:
            assert await anext(changes) == {"runs": "new"}

    run(test)


def test_silence_is_broken_by_an_empty_change() -> None:
    async def test() -> None:
        live = LiveUpdates(Easel(runs="none"), every_seconds=3600, silence_seconds=0.01)
        async with aclosing(live.changes(("runs",))) as changes:
            while not (first := await anext(changes)):
                pass  # the first drawing may take longer than a silence
            assert first == {"runs": "none"}
            assert await anext(changes) == {}

    run(test)


def test_closing_ends_every_stream_at_once_and_lets_no_one_more_in() -> None:
    async def test() -> None:
        live = LiveUpdates(Easel(runs="none"), every_seconds=3600)
        changes = live.changes(("runs",))
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes, None))
        await asyncio.sleep(0)
        live.close()
        assert await waiting is None
        assert live.is_full

    run(test)


def test_what_goes_wrong_in_drawing_ends_the_streams_and_the_next_starts_again() -> None:
    async def test() -> None:
        easel = Easel(runs="none")
        easel.error = ZeroDivisionError()
        live = LiveUpdates(easel, every_seconds=0)
        with pytest.raises(ZeroDivisionError):
            await anext(live.changes(("runs",)))
        easel.error = None
        async with aclosing(live.changes(("runs",))) as changes:
            assert await anext(changes) == {"runs": "none"}

    run(test)


def test_so_many_may_listen() -> None:
    async def test() -> None:
        live = LiveUpdates(Easel(runs="none"), every_seconds=3600)
        streams = [live.changes(("runs",)) for _ in range(MOST_LISTENERS)]
        for stream in streams:
            assert not live.is_full
            await anext(stream)
        assert live.is_full
        await streams.pop().aclose()
        assert not live.is_full
        live.close()

    run(test)


def test_a_slow_drawing_does_not_hold_up_the_loop() -> None:
    async def test() -> None:
        drawn = Event()

        def slow() -> Fragments:
            assert drawn.wait(10)
            return {"runs": "none"}

        changes = LiveUpdates(slow, every_seconds=3600).changes(("runs",))
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)  # the loop goes on
        drawn.set()
        assert await waiting == {"runs": "none"}
        await changes.aclose()

    run(test)
