"""The real database and the real Redis, with a place before and after each use where anything may happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import redis
from redis.commands.core import Script
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from store.database import _WRITES, Database
from tests.simulation.faults import Fault, Outage
from tests.simulation.scheduler import TaskScheduler
from tests.simulation.tasks import Task, current
from tests.simulation.timeline import Timeline

_AGE = """
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
end
"""
_AGED_EVERY_MS = 20_000


class LostDatabaseError(OperationalError):
    """The database could not be reached, or its answer was lost."""

    def __init__(self, text: str) -> None:
        super().__init__(text, None, Exception(text))


class FaultyDatabase(Database):
    """A database whose transactions are indivisible for the tasks, as the lock of a writer makes them."""

    scheduler: TaskScheduler | None = None
    transaction = 0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        event.listen(self._engine, "connect", self._prepare)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._before("read")
        try:
            yield self._reader
        finally:
            self._reader.rollback()
        self._after("read", lost=False)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._before("write")
        self.transaction += 1
        with self._writer.begin():
            yield self._writer
        self._after("committed", lost=True)

    @cached_property
    def _reader(self) -> Connection:
        return self._engine.connect()

    @cached_property
    def _writer(self) -> Connection:
        return self._engine.connect().execution_options(**{_WRITES: True})

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        super().close()

    def _before(self, label: str) -> None:
        scheduler = self.scheduler
        if scheduler is not None and current():
            scheduler.pause(label)
            if scheduler.weather.lasts(Outage.DATABASE) or scheduler.weather.strikes(Fault.DATABASE_ERROR):
                raise LostDatabaseError("the database cannot be reached")

    def _after(self, label: str, *, lost: bool) -> None:
        scheduler = self.scheduler
        if scheduler is not None and current():
            scheduler.pause(label)
            if lost and scheduler.weather.strikes(Fault.DATABASE_ANSWER_LOST):
                raise LostDatabaseError("the answer to the commit was lost")

    def stamp(self) -> tuple[int, int, int | None]:
        """Which transaction it is, at what time, and under which fence its task believes to write."""
        task = current()
        now_ms = 0 if self.scheduler is None else self.scheduler.timeline.now_ms
        return self.transaction, now_ms, None if task is None else task.fence

    def _prepare(self, dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.execute("PRAGMA synchronous = OFF")  # processes die here, machines do not
        for at, name in enumerate(("sim_transaction", "sim_now", "sim_fence")):
            dbapi_connection.create_function(name, 0, lambda at=at: self.stamp()[at])


class ServerNow(int):
    """The time by the server's clock: read when the command arrives, however late that is."""

    __slots__ = ()


class FaultyRedis(redis.Redis):
    """A client whose server lives in virtual time: what has a time to live ages with the timeline."""

    scheduler: TaskScheduler | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, single_connection_client=True)
        self._known: dict[str, Script] = {}
        self._keys: set[str] = set()
        self._aged_ms = 0
        self.wipes = 0
        self._ahead_ms = 0
        self._holder: tuple[str, int] | None = None

    def register_script(self, scenario: Any) -> Script:
        if scenario not in self._known:
            self._known[scenario] = super().register_script(scenario)
            self._execute("SCRIPT LOAD", scenario)  # so that no seed is the first
        return self._known[scenario]

    def execute_command(self, *args: Any, **_options: Any) -> Any:
        task, scheduler = current(), self.scheduler
        if scheduler is None or task is None:
            return self._execute(*self._timed(args))
        scheduler.pause("redis")
        if scheduler.weather.lasts(Outage.REDIS) or scheduler.weather.strikes(Fault.REDIS_ERROR):
            task.permit = None
            raise redis.ConnectionError("no server")
        if args[0] == "EVALSHA" and ":breaker:" not in args[3]:  # breakers do not expire
            self._age(scheduler.timeline)
        permit_ms = scheduler.timeline.now_ms
        reply = self._execute(*self._timed(args))
        if args[0] == "EVALSHA":
            self._keys.update(args[3 : 3 + args[2]])
            self._note(args[3:], reply, permit_ms)
        scheduler.pause(f"{args[3] if args[0] == 'EVALSHA' else args[0]} -> {reply}")
        if scheduler.weather.strikes(Fault.REDIS_ANSWER_LOST):
            task.permit = None
            raise redis.TimeoutError("no answer")
        return reply

    def _execute(self, *args: Any) -> Any:
        """Straight through the one connection: the client's own retries have nothing to do here."""
        connection = self.connection
        assert connection is not None
        connection.send_command(*args)  # type: ignore[no-untyped-call]
        return connection.read_response()

    def flush(self) -> None:
        """Forget everything, as a server without its file does."""
        if self._keys:
            self._execute("DEL", *sorted(self._keys))
        self._keys.clear()
        self._holder = None
        self.wipes += 1

    def step_clock(self, by_ms: int) -> None:
        """The server's clock is set: what has a time to live ends earlier, or later, by as much.

        For those who judge it is as if everything had been forgotten: a lease or a probe may end early.
        """
        self._ahead_ms += by_ms
        if self._keys:
            self._execute("EVAL", _AGE, len(self._keys), *sorted(self._keys), by_ms)
        self._holder = None
        self.wipes += 1

    @property
    def ahead_ms(self) -> int:
        """How far the server's clock is ahead."""
        return self._ahead_ms

    def _timed(self, args: tuple[Any, ...]) -> list[Any]:
        now_ms = 0 if self.scheduler is None else self.scheduler.timeline.now_ms + self._ahead_ms
        return [now_ms if isinstance(arg, ServerNow) else arg for arg in args]

    def _age(self, timeline: Timeline) -> None:
        passed_ms = timeline.now_ms - self._aged_ms
        if passed_ms < _AGED_EVERY_MS:
            return
        if self._keys and self._aged_ms:
            self._execute("EVAL", _AGE, len(self._keys), *sorted(self._keys), passed_ms)
        self._aged_ms = timeline.now_ms

    def begin(self, scheduler: TaskScheduler) -> None:
        """Serve another world."""
        self.flush()
        self._ahead_ms = 0
        self.scheduler, self.wipes, self._aged_ms = scheduler, 0, scheduler.timeline.now_ms

    def _note(self, args: tuple[Any, ...], reply: Any, at_ms: int) -> None:
        """What a task was granted, for those who judge what it does with it."""
        key, task = args[0], current()
        assert task is not None
        if ":breaker:" in key and isinstance(reply, list) and len(reply) == 6:
            task.permit = (reply[4].decode(), (self.wipes, reply[2]), at_ms)
        elif ":lease:" in key and isinstance(reply, list) and len(reply) == 1:
            task.fence = int(reply[0])
            self._judge_lease(args[3], at_ms, at_ms + int(args[4]))
        elif ":lease:" in key and (reply == 1 or (isinstance(reply, list) and _may_break(task, reply))):
            self._holder = None

    def _judge_lease(self, token: str, now_ms: int, until_ms: int) -> None:
        """Two different holders at once would be one too many."""
        holder, self._holder = self._holder, (token, until_ms)
        if holder is not None and holder[0] != token and now_ms < holder[1] and self.scheduler is not None:
            self.scheduler.record_violation("the lease was given away while somebody held it")


def _may_break(task: Task, reply: list[Any]) -> bool:
    """Whether the lease that a task took away was its own, or the task is an operator's."""
    return bool(reply) and task.fence in (None, reply[1])
