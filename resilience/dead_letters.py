"""The dead letters of Dramatiq's Redis broker: select, group, requeue and delete.

They stay where Dramatiq stores them: sorted set `{namespace}:{queue}.XQ` and hash
`{namespace}:{queue}.XQ.msgs`. Source: the key schema at the top of dramatiq/brokers/redis/dispatch.lua.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import DEFAULT_DEAD_MESSAGE_TTL
from dramatiq.common import xq_name

from resilience.dead_letter_cause import DeadLetter
from resilience.scripts import Clock, Scripts, chunks, moment, text, translate_errors


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters that match all given criteria.

    Shape: `cause` is a case-insensitive substring of the cause, `exact_cause` the whole cause; `older_than`
    is the time since death.
    """

    queue: str | None = None
    actor: str | None = None
    cause: str | None = None
    older_than: timedelta | None = None
    message_ids: tuple[str, ...] = ()
    exact_cause: str | None = None

    @property
    def criteria(self) -> dict[str, Any]:
        """The given criteria as JSON-compatible values."""
        criteria = {name: value for name, value in asdict(self).items() if value}
        if self.older_than is not None:
            criteria["older_than_seconds"] = criteria.pop("older_than", timedelta()).total_seconds()
        return criteria

    def matches(self, letter: DeadLetter) -> bool:
        """Whether `letter` matches, ignoring `older_than`, which the reader checks."""
        return (
            (self.queue is None or letter.queue == self.queue)
            and (self.actor is None or letter.message.actor_name == self.actor)
            and (self.cause is None or self.cause.casefold() in letter.cause.casefold())
            and (self.exact_cause is None or self.exact_cause == letter.cause)
            and (not self.message_ids or letter.message_id in self.message_ids)
        )


ALL = DeadLetterFilter()


@dataclass(slots=True)
class CauseGroup:
    """The dead letters of one cause: their number, and the latest of them."""

    cause: str
    letters: deque[DeadLetter]
    count: int = 0


def grouped(letters: Iterable[DeadLetter], limit: int) -> list[CauseGroup]:
    """Group `letters` (oldest first) by cause, the most frequent first, with the latest `limit` of each."""
    groups: dict[str, CauseGroup] = {}
    for letter in letters:
        group = groups.setdefault(letter.cause, CauseGroup(letter.cause, deque(maxlen=limit)))
        group.letters.appendleft(letter)
        group.count += 1
    return sorted(groups.values(), key=lambda group: (-group.count, group.cause))


CHUNK = 200
"""Dead letters per script call: many enough to be cheap, few enough not to block Redis."""

DeadLetterAction = Callable[[str, Sequence[DeadLetter]], int]


class DeadLetterQueue:
    """The dead letters of `queues`. Raises: UnreachableError from every method.

    Both operations act on the letters that match when they begin, at most `limit`, in chunks, no faster than
    `per_second`. They yield after each chunk, so that the progress of an interrupted operation is known.
    `wait` sleeps between the chunks.
    """

    def __init__(
        self,
        client: redis.Redis,
        queues: Iterable[str],
        *,
        namespace: str = "dramatiq",
        now_ms: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._queues = tuple(queues)
        self._namespace = namespace
        self._now_ms = now_ms or self._server_ms
        self._wait = wait

    def find(self, wanted: DeadLetterFilter = ALL) -> Iterator[DeadLetter]:
        """The dead letters that match `wanted`, oldest first; read lazily."""
        found = (self._find(queue, wanted) for queue in self._chosen(wanted))
        return heapq.merge(*found, key=lambda letter: letter.died_ms)

    def count(self, wanted: DeadLetterFilter = ALL) -> int:
        """How many match `wanted`: the dry run of both operations."""
        return sum(1 for _ in self.find(wanted))

    def retry(
        self, wanted: DeadLetterFilter, *, per_second: float | None = None, limit: int | None = None
    ) -> Iterator[int]:
        """Requeue them atomically at the end of their queues, reset like new; yield the count per chunk."""
        return self._for_each(self._retry, wanted, per_second, limit)

    def purge(
        self, wanted: DeadLetterFilter, *, per_second: float | None = None, limit: int | None = None
    ) -> Iterator[int]:
        """Delete them; yield the count per chunk."""
        return self._for_each(self._purge, wanted, per_second, limit)

    def _find(self, queue: str, wanted: DeadLetterFilter) -> Iterator[DeadLetter]:
        # All ids are read first: later deaths are not included, or a retry might never end.
        with translate_errors():
            ids: list[Any] = self._client.zrangebyscore(
                self._keys(queue)[0], "-inf", self._latest(wanted), withscores=True
            )
        for chunk in chunks(ids, CHUNK):
            yield from (letter for letter in self._read(queue, chunk) if wanted.matches(letter))

    def _read(self, queue: str, ids: Sequence[tuple[bytes | str, float]]) -> list[DeadLetter]:
        with translate_errors():
            bodies: list[Any] = self._client.hmget(self._keys(queue)[1], [key for key, _ in ids])
        return [
            DeadLetter(text(key), queue, Message.decode(body), int(died_ms), _expiry(died_ms))
            for (key, died_ms), body in zip(ids, bodies, strict=True)
            if body is not None
        ]

    def _for_each(
        self, act: DeadLetterAction, wanted: DeadLetterFilter, per_second: float | None, limit: int | None
    ) -> Iterator[int]:
        pause_seconds, left = 0.0, limit
        size = min(CHUNK, max(1, int(per_second))) if per_second else CHUNK
        for queue in self._chosen(wanted):
            for letters in chunks(islice(self._find(queue, wanted), left), size):
                self._wait(pause_seconds)
                yield act(queue, letters)
                pause_seconds = len(letters) / per_second if per_second else 0.0
                left = None if left is None else left - len(letters)

    def _retry(self, queue: str, letters: Sequence[DeadLetter]) -> int:
        now_ms = self._now_ms()
        requeued = [(letter.key, letter.requeued(now_ms)) for letter in letters]
        args = [
            part
            for key, message in requeued
            for part in (key, message.options["redis_message_id"], text(message.encode()))
        ]
        name = f"{self._namespace}:{queue}"
        with translate_errors():
            return int(self._scripts.dead_letters_retry([*self._keys(queue), name, f"{name}.msgs"], args))

    def _purge(self, queue: str, letters: Sequence[DeadLetter]) -> int:
        with translate_errors():
            keys: list[str | int] = [letter.key for letter in letters]
            return int(self._scripts.dead_letters_purge(self._keys(queue), keys))

    def _chosen(self, wanted: DeadLetterFilter) -> Iterable[str]:
        return self._queues if wanted.queue is None else [wanted.queue]

    def _latest(self, wanted: DeadLetterFilter) -> int | str:
        if wanted.older_than is None:
            return "+inf"
        return self._now_ms() - round(wanted.older_than.total_seconds() * 1000)

    def _keys(self, queue: str) -> list[str]:
        dead = f"{self._namespace}:{xq_name(queue)}"
        return [dead, f"{dead}.msgs"]

    def _server_ms(self) -> int:
        with translate_errors():
            seconds, microseconds = self._client.time()
        return int(seconds * 1000 + microseconds // 1000)


def _expiry(died_ms: float) -> datetime:
    return moment(died_ms + DEFAULT_DEAD_MESSAGE_TTL)
