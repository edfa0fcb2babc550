"""A fenced lease in Redis: one holder at a time, for a limited time, renewed while the holder works."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from domain.errors import TransientError, UnreachableError
from resilience.scripts import Clock, Script, Scripts, clock_argument, moment, text, translate_errors


@contextmanager
def keep_renewed(renew: Callable[[], bool], every_seconds: float) -> Iterator[None]:
    """Call `renew` every `every_seconds` during the block, until it returns False.

    An attempt that does not reach the server is repeated at the next interval; with a third of the TTL as
    interval, two attempts remain. A lost lease is not reported: the protected resource rejects the fence.
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


def this_process(**work: str) -> dict[str, str]:
    """Describe the current process as the holder of a lease, with its `work`."""
    return {**work, "host": socket.gethostname(), "pid": str(os.getpid())}


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """The holder of a lease. `holder` describes it, for example by host and process.

    Shape: `held_seconds` is by Redis's clock, as is `since`, which must not be compared with another clock.
    """

    token: str
    fence: int
    since: datetime
    expires_in_seconds: float
    holder: Mapping[str, str]
    held_seconds: float

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self.holder.items()) or self.token


class LeaseHeldError(TransientError):
    """Another token holds the lease; `holder` describes its holder."""

    def __init__(self, name: str, holder: LeaseHolder) -> None:
        super().__init__(
            f"the lease {name!r} is held by {holder} since {holder.since:%Y-%m-%d %H:%M:%S} UTC",
            retry_after_seconds=holder.expires_in_seconds,
        )
        self.holder = holder


class Lease:
    """The lease `name`, on Redis's clock unless `now_ms` is given.

    Each fence is higher than all earlier ones, also after the lease expired or was force-released: store it
    with the protected resource and reject a lower one. Shape: hash `{prefix}:lease:{name}`, counter
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
        """The fence, higher than `above`, or None while another token holds the lease.

        The holding token can acquire it again with a higher fence and a full TTL: a redelivered message takes
        over from its previous delivery, whose fence becomes invalid.
        """
        taken = self._take(token, holder, above)
        return taken if isinstance(taken, int) else None

    def renew(self, token: str, fence: int) -> bool:
        """Restart the TTL; False if the lease is no longer held with this token and fence."""
        return self._change(self._scripts.lease_renew, token, fence, self._ttl_ms)

    def release(self, token: str, fence: int) -> bool:
        """Release it; False if it was no longer held with this token and fence."""
        return self._change(self._scripts.lease_release, token, fence)

    def held(self) -> LeaseHolder | None:
        """The current holder, or None."""
        with translate_errors():
            return _holder(self._scripts.lease_read([self._key], [self._now(), self._ttl_ms]))

    def force_release(self, by: str) -> LeaseHolder | None:
        """Release it for any holder, and return that holder; `by` is stored with the fence."""
        with translate_errors():
            return _holder(self._scripts.lease_force_release(self._keys, [self._now(), by, self._ttl_ms]))

    @contextmanager
    def holding(self, token: str, holder: Mapping[str, str], *, above: int = 0) -> Iterator[int]:
        """Hold the lease during the block, which receives the fence; renewed every third of its TTL.

        `above` is the newest fence that the protected resource has seen. Without it, a Redis that lost its
        fences while a clock ran ahead would issue fences that are rejected until that time.

        If the release does not reach Redis, the lease expires. Raises: LeaseHeldError.
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
        since=moment(since_ms),
        expires_in_seconds=expires_in_ms / 1000,
        holder=json.loads(holder),
        held_seconds=held_ms / 1000,
    )
