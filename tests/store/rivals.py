"""Threads that set out at the same moment, and transactions that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from sqlalchemy import Connection, text

from store.database import Database
from tests.support.stack import wait_until

T = TypeVar("T")
U = TypeVar("U")
DEADLINE_SECONDS = 30
_IS_ANY_BLOCKED = text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")


def together(*actions: Callable[[], T]) -> list[T]:
    """Carry `actions` out at once, a thread each; what they return, in their order, or the first error."""
    start = Barrier(len(actions))

    def carry_out(action: Callable[[], T]) -> T:
        start.wait(DEADLINE_SECONDS)
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        futures = [threads.submit(carry_out, action) for action in actions]
        return [future.result(DEADLINE_SECONDS) for future in futures]


class HeldDatabase(Database):
    """A database whose first transaction commits only after `before_commit`."""

    def __init__(self, database: Database, before_commit: Callable[[], object]) -> None:
        super().__init__(database.url)
        self._before_commit = [before_commit]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
            if self._before_commit:
                self._before_commit.pop()()


def overlapping(database: Database, first: Callable[[Database], T], second: Callable[[], U]) -> tuple[T, U]:
    """What `first` and `second` return, where `first` has written and not committed while `second` runs.

    `second` goes on in a thread of its own until it waits for a lock, or is done. PostgreSQL only.
    """
    following = list[Future[U]]()
    with ThreadPoolExecutor(1) as threads:

        def let_second_run() -> None:
            following.append(threads.submit(second))
            wait_until(lambda: following[0].done() or is_any_blocked(database), "the second did nothing")

        held = HeldDatabase(database, let_second_run)
        try:
            return first(held), following[0].result(DEADLINE_SECONDS)
        finally:
            held.close()


def is_any_blocked(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.execute(_IS_ANY_BLOCKED).scalar())
