"""Admission control: bounds the concurrent requests of each class, so that none starves the others.

A request beyond the limits of its class is rejected at once with 503 and `Retry-After`. A body counts while
it is read, and has a total time limit: a slow sender occupies a body slot, never a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from ingress.problems import ProblemError

T = TypeVar("T")

RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request class.

    Shape: up to `bodies` are read concurrently, each within `body_seconds`; `threads` requests run, and
    `waiting` more wait for a thread. The threads that use the database do not exceed its pool's 15
    connections.
    """

    name: str
    bodies: int
    body_seconds: float
    threads: int
    waiting: int


_PROBES = Limits("probes", bodies=1, body_seconds=2, threads=2, waiting=500)
_HEALTH = Limits("health", bodies=1, body_seconds=2, threads=2, waiting=500)  # mostly a shared reading
_METRICS = Limits("metrics", bodies=1, body_seconds=2, threads=1, waiting=8)
_STUDENTS = Limits("students", bodies=8, body_seconds=5, threads=3, waiting=200)
_WEBHOOKS = Limits("webhooks", bodies=32, body_seconds=5, threads=2, waiting=64)
_SIGN_IN = Limits("sign-in", bodies=8, body_seconds=5, threads=1, waiting=32)  # anonymous callers
_CONSOLE = Limits("console", bodies=8, body_seconds=30, threads=2, waiting=32)  # signed-in operators
_RUNBOOK = Limits("runbook", bodies=1, body_seconds=2, threads=1, waiting=64)
_API = Limits("api", bodies=16, body_seconds=60, threads=3, waiting=128)  # callers with a token
# Their threads wait for disks and the scanner; two short transactions take a connection for milliseconds.
_UPLOADS = Limits("uploads", bodies=4, body_seconds=300, threads=2, waiting=8)

CLASSES = {
    "/livez": _PROBES,
    "/readyz": _PROBES,
    "/health": _HEALTH,
    "/metrics": _METRICS,
    "/unsubscribe": _STUDENTS,
    "/webhooks": _WEBHOOKS,
    "/console": _CONSOLE,
    "/console/sign-in": _SIGN_IN,
    "/console/sign-out": _SIGN_IN,
    "/console/static": _SIGN_IN,
    "/runbook": _RUNBOOK,
    "/uploads": _UPLOADS,
}
"""The limits of a request, by the first or the first two parts of its path. What is open to strangers shares
no class with what is not: the rest of the API does its work on the event loop until a token is shown."""

NAMES = sorted({limits.name for limits in (*CLASSES.values(), _API)})


class Admission:
    """The lanes of every class, for one application; `refused` takes the class of each rejected request."""

    def __init__(self, refused: Callable[[str], object]) -> None:
        self._lanes = {limits: Lane(limits, refused) for limits in (*CLASSES.values(), _API)}

    def lane(self, path: str) -> Lane:
        """Return the lane of the class of `path`."""
        parts = path.split("/")
        first, two = "/".join(parts[:2]), "/".join(parts[:3])
        return self._lanes[CLASSES.get(two) or CLASSES.get(first, _API)]


class Lane:
    """The slots of one request class. Use it only on the event loop."""

    def __init__(self, limits: Limits, refused: Callable[[str], object]) -> None:
        self.name = limits.name
        self._body_seconds = limits.body_seconds
        busy = partial(_busy, limits.name, refused)
        self._bodies = _Places(limits.bodies, busy)
        self._requests = _Places(limits.threads + limits.waiting, busy)
        self._threads = CapacityLimiter(limits.threads)

    async def read(self, body: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `body`. Raises: ProblemError (503) over the limit, (408) for a slow sender."""
        with self._bodies.one():
            try:
                async with asyncio.timeout(self._body_seconds):
                    return await body()
            except TimeoutError as error:
                detail = f"The body must arrive within {self._body_seconds:g} s."
                raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, detail) from error

    async def work(self, handler: Callable[[], T]) -> T:
        """Run `handler` on a thread of this class. Raises: ProblemError (503) when too many wait."""
        with self._requests.one():
            return await run_sync(handler, limiter=self._threads)


class _Places:
    """A bounded number of slots."""

    def __init__(self, most: int, busy: Callable[[], ProblemError]) -> None:
        self._free = most
        self._busy = busy

    @contextmanager
    def one(self) -> Iterator[None]:
        if not self._free:
            raise self._busy()
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


def _busy(name: str, refused: Callable[[str], object]) -> ProblemError:
    refused(name)
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many such requests are in progress; try again soon.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )
