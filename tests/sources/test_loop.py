from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager

import pytest

from sources.loop import LoopThread
from tests.sources.conftest import wait_until


class Resource:
    def __init__(self) -> None:
        self.uses = 0
        self.is_open = True
        self.cancelled = 0

    async def use(self) -> str:
        self.uses += 1
        return threading.current_thread().name

    async def hang(self) -> None:
        self.uses += 1
        try:
            await asyncio.sleep(3600)
        finally:
            self.cancelled += self.is_open


class Opener:
    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.opened: list[Resource] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Resource]:
        if self.failures:
            self.failures -= 1
            raise OSError("not yet")
        self.opened.append(Resource())
        yield self.opened[-1]
        self.opened[-1].is_open = False


def test_nothing_starts_before_the_first_call() -> None:
    opener = Opener()
    LoopThread("idle", opener).close()
    assert opener.opened == []


def test_all_threads_share_one_resource_on_one_named_thread() -> None:
    opener = Opener()
    loop = LoopThread("shared", opener)
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(loop.run(Resource.use))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["shared"] * 8
    assert [resource.uses for resource in opener.opened] == [8]
    loop.close()


def test_what_the_work_raises_reaches_its_caller() -> None:
    async def fail(_: Resource) -> None:
        raise TimeoutError("its own")

    loop = LoopThread("failing", Opener())
    with pytest.raises(TimeoutError, match="its own"):
        loop.run(fail)
    loop.close()


def test_a_failed_opening_reaches_the_caller_and_the_next_call_tries_again() -> None:
    loop = LoopThread("second try", Opener(failures=1))
    with pytest.raises(OSError, match="not yet"):
        loop.run(Resource.use)
    wait_until(lambda: not any(thread.name == "second try" for thread in threading.enumerate()))
    assert loop.run(Resource.use) == "second try"
    loop.close()


def test_close_cancels_what_runs_before_it_closes_the_resource() -> None:
    opener = Opener()
    loop = LoopThread("busy", opener)
    ended: list[str] = []

    def hang() -> None:
        with pytest.raises(CancelledError):
            loop.run(Resource.hang)
        ended.append("cancelled")

    thread = threading.Thread(target=hang)
    thread.start()
    wait_until(lambda: bool(opener.opened and opener.opened[0].uses))
    loop.close()
    thread.join(timeout=5)
    assert ended == ["cancelled"]
    assert (opener.opened[0].cancelled, opener.opened[0].is_open) == (1, False)


def test_a_closed_loop_refuses_work_and_closes_again_without_harm() -> None:
    loop = LoopThread("closed", Opener())
    loop.run(Resource.use)
    loop.close()
    loop.close()
    with pytest.raises(RuntimeError, match="closed is closed"):
        loop.run(Resource.use)
    assert not any(thread.name == "closed" for thread in threading.enumerate())
