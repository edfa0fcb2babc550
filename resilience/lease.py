"""A fenced lease in Redis: one holder at a time, for a limited time, renewed while the holder works."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from domain.errors import TransientError, UnreachableError
from resilience.scripts import Clock, Script, Scripts, clock_argument, text, translate_errors


@contextmanager
def keep_renewed(renew: Callable[[], bool], every_seconds: float) -> Iterator[None]:
    """Call `renew` every `every_seconds` for the length of the block, or until it says that all is lost.

    An attempt that does not reach the server is made again at the next turn: at a third of the time to
    live there are two turns left. Nobody is told of the loss: what the lease protects refuses the fence.
    """
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(renew, every_seconds, done), name="renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(renew: Callable[[], bool], every_seconds: float, done: threading.Event) -> None:
    while not done.wait(every_seconds):
        try:
            if not renew():
                return
        except UnreachableError:
            continue


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who holds a lease. `holder` is what they said of themselves, such as host and process.

    Shape: `held_seconds` is how long they have, by Redis' clock: `since` is not to be compared with another.
    """

    token: str
    fence: int
    since: datetime
    expires_in_seconds: float
    holder: Mapping[str, str]
    held_seconds: float


class LeaseHeldError(TransientError):
    """Somebody else holds the lease; `holder` is who."""

    def __init__(self, name: str, holder: LeaseHolder) -> None:
        told = ", ".join(f"{key} {value}" for key, value in holder.holder.items()) or holder.token
        super().__init__(
            f"the lease {name!r} is held by {told} since {holder.since:%Y-%m-%d %H:%M:%S} UTC",
            retry_after_seconds=holder.expires_in_seconds,
        )
        self.holder = holder


class Lease:
    """The lease `name`, on Redis' own clock unless `now_ms` is given.

    A fence is higher than every fence before it, also after the lease expired or was broken: keep it
    beside what the lease protects, and refuse a lower one. Shape: hash `{prefix}:lease:{name}`, counter
    `{prefix}:lease:{name}:fence`. Raises: UnreachableError from every method; nothing is acquired then.
    Source: Kleppmann, "How to do distributed locking" (a lease may run out during a pause).
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        ttl_seconds: float,
        *,
        now_ms: Clock | None = None,
        prefix: str = "rollcall",
    ) -> None:
        self.name = name
        self._scripts = Scripts(client)
        self._ttl_ms = round(ttl_seconds * 1000)
        self._now_ms = now_ms
        self._key = f"{prefix}:lease:{name}"
        self._keys = [self._key, f"{self._key}:fence"]

    def acquire(self, token: str, holder: Mapping[str, str], *, above: int = 0) -> int | None:
        """The fence, higher than `above`, or None while another token holds it.

        The token that holds it acquires it again under a higher fence, for the whole time: a redelivered
        message takes over from its dead twin, and the twin's fence is worth nothing any more.
        """
        taken = self._take(token, holder, above)
        return taken if isinstance(taken, int) else None

    def renew(self, token: str, fence: int) -> bool:
        """Start the time anew; False when the lease is no longer held under this token and fence."""
        return self._change(self._scripts.lease_renew, token, fence, self._ttl_ms)

    def release(self, token: str, fence: int) -> bool:
        """Give it back; False when it was no longer held under this token and fence."""
        return self._change(self._scripts.lease_release, token, fence)

    def held(self) -> LeaseHolder | None:
        """Who holds it now, if anybody."""
        with translate_errors():
            return _holder(self._scripts.lease_read([self._key], [self._now(), self._ttl_ms]))

    def force_release(self, by: str) -> LeaseHolder | None:
        """Take it away from whoever holds it, and tell who that was; `by` is kept beside the fence."""
        with translate_errors():
            return _holder(self._scripts.lease_break(self._keys, [self._now(), by, self._ttl_ms]))

    @contextmanager
    def holding(self, token: str, holder: Mapping[str, str], *, above: int = 0) -> Iterator[int]:
        """Hold it for the length of the block, which gets the fence; renewed at a third of its time.

        `above` is the newest fence that what the lease protects has seen: without it, a Redis that lost its
        fences while a clock ran ahead would hand out fences that are refused until that time has come.

        A release that does not reach Redis is left to the expiry. Raises: LeaseHeldError.
        """
        taken = self._take(token, holder, above)
        if isinstance(taken, LeaseHolder):
            raise LeaseHeldError(self.name, taken)
        try:
            with keep_renewed(lambda: self.renew(token, taken), self._ttl_ms / 3000):
                yield taken
        finally:
            with suppress(UnreachableError):
                self.release(token, taken)

    def _take(self, token: str, holder: Mapping[str, str], above: int) -> int | LeaseHolder:
        args = [self._now(), token, self._ttl_ms, json.dumps(dict(holder)), above]
        with translate_errors():
            fence, *other = self._scripts.lease_acquire(self._keys, args)
        return int(fence) or _read_holder(other)

    def _change(self, script: Script, token: str, fence: int, *args: int) -> bool:
        with translate_errors():
            return bool(script([self._key], [self._now(), token, fence, *args]))

    def _now(self) -> int | str:
        return clock_argument(self._now_ms)


def _holder(reply: Sequence[Any]) -> LeaseHolder | None:
    return _read_holder(reply) if reply else None


def _read_holder(reply: Sequence[Any]) -> LeaseHolder:
    token, fence, since_ms, expires_in_ms, holder, held_ms = reply
    return LeaseHolder(
        token=text(token),
        fence=fence,
        since=datetime.fromtimestamp(since_ms / 1000, UTC),
        expires_in_seconds=expires_in_ms / 1000,
        holder=json.loads(holder),
        held_seconds=held_ms / 1000,
    )
