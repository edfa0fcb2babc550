"""An event loop in a thread of its own, for synchronous callers in many threads.

The loop owns one asynchronous resource, such as a session with its open connections. Both start with the
first call, so that a process may fork before it, and both end with `close`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

# An exception raised asynchronously in a thread, as Dramatiq interrupts its workers, arrives only between
# two bytecodes: a thread that waits must come back to Python this often.
_INTERRUPTIBLE_SECONDS = 0.2

Resource = TypeVar("Resource")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Running(Generic[Resource]):
    loop: asyncio.AbstractEventLoop
    resource: Resource
    stop: asyncio.Event


class LoopThread(Generic[Resource]):
    """Runs coroutines for other threads, all on one loop, with the resource that `open_resource` makes."""

    def __init__(self, name: str, open_resource: Callable[[], AbstractAsyncContextManager[Resource]]) -> None:
        self._name = name
        self._open = open_resource
        self._lock = threading.Lock()
        self._started: Future[_Running[Resource]] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Callable[[Resource], Coroutine[Any, Any, Result]]) -> Result:
        """What `work` returns or raises; the calling thread waits and may be interrupted, which cancels it.

        Raises: RuntimeError after `close`; CancelledError when closed meanwhile; whatever `work` raises.
        """
        running = self._wait(self._start())
        coroutine = work(running.resource)
        future: Future[Result] | None = None
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, running.loop)
            return self._wait(future)
        except BaseException:
            future.cancel() if future else coroutine.close()
            raise

    def close(self) -> None:
        """Cancel what runs, close the resource and end the thread; more calls do nothing."""
        with self._lock:
            self._closed = True
            started, thread = self._started, self._thread
        if started and thread and thread.is_alive() and not started.exception():
            running = started.result()
            with suppress(RuntimeError):  # the loop of another call to `close` is gone already
                running.loop.call_soon_threadsafe(running.stop.set)
            thread.join()

    def _start(self) -> Future[_Running[Resource]]:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            if not self._started or not self._thread or not self._thread.is_alive():
                self._started = Future()
                self._thread = threading.Thread(
                    target=self._live, args=(self._started,), name=self._name, daemon=True
                )
                self._thread.start()
            return self._started

    def _wait(self, future: Future[Result]) -> Result:
        while not wait((future,), timeout=_INTERRUPTIBLE_SECONDS).done:
            is_alive = self._thread is not None and self._thread.is_alive()
            if not is_alive and not future.done():
                raise RuntimeError(f"{self._name} is closed")
        return future.result()

    def _live(self, started: Future[_Running[Resource]]) -> None:
        try:
            asyncio.run(self._serve(started))
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[_Running[Resource]]) -> None:
        async with self._open() as resource:
            stop = asyncio.Event()
            started.set_result(_Running(asyncio.get_running_loop(), resource, stop))
            await stop.wait()
            await _cancel_others()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
