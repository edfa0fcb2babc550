"""Protocols between the application and its adapters: clock, source, mailer, storage, rate limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from domain.notification import DeliveryResult, OutboundMessage
from domain.observation import Outcome
from domain.section import SectionKey


class Clock(Protocol):
    """Where the time comes from, so that tests can hold it."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""


class Source(Protocol):
    """One catalog of sections. Adding one is adding a module in `sources/` that speaks this."""

    @property
    def name(self) -> str:
        """The name in every `SectionKey.source`; also names its breaker."""

    def plan(self, keys: Iterable[SectionKey]) -> Iterable[Sequence[SectionKey]]:
        """The batches in which `keys` are best observed: what one upstream request answers, or a chunk."""

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        """What the catalog says of each of `keys` now, in the order in which the answers came.

        Exactly one outcome a key; trouble with a section is its `Failure`, never an exception.
        """

    def close(self) -> None:
        """Let go of connections and threads; the source is not used after it."""


def unconditionally() -> None:
    """A hand-over of which nobody keeps account."""


class Mailer(Protocol):
    """One way to send mail."""

    @property
    def name(self) -> str:
        """The transport, as in `MAIL_TRANSPORT`."""

    @property
    def batch_size(self) -> int:
        """How many letters may go out under one key."""

    @property
    def is_idempotent(self) -> bool:
        """Whether a call may be repeated with the same letters and key, and mails nobody twice."""

    @property
    def longest_send_seconds(self) -> float:
        """The bound of one `send`: the sum of the transport's own time-outs."""

    def send(
        self,
        letters: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send `letters`; one receipt each, in their order. A letter with attachments goes alone.

        `before_handover` is called at the last moment at which the letters can still be kept, before every
        hand-over; what it raises ends the call, and nothing was handed over.

        Raises: TransientError when it is unknown whether any letter was taken; PermanentError when none was:
        AccountRefusedError where no letter of ours would be, RejectedError where these were refused and a
        split batch may leave in part; IdempotencyKeyUsedError when the key has sent other letters.
        After the hand-over UnreachableError, RateLimitedError and AccountRefusedError say that none was
        taken, and from a transport without keys UpstreamError too.
        """


class Storage(Protocol):
    """Where assets and results lie. A key is a path of plain names, such as `jobs/{id}/report.pdf`.

    Raises: NotStoredError where there is nothing under the key; StorageFullError; TransientError when the
    storage cannot be reached.
    """

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Keep `content` under `key`, in the place of what was there; whole or not at all."""

    def get(self, key: str) -> bytes:
        """What is kept under `key`."""

    def size(self, key: str) -> int:
        """How many bytes that has."""

    def stream(self, key: str) -> Iterator[bytes]:
        """The same in chunks."""

    def address(self, key: str) -> str | None:
        """Where everybody who is told can get it for a while; None where only `stream` gives it."""

    def delete(self, prefix: str) -> None:
        """Forget everything under `prefix`, which ends in a slash."""


class RateLimiterPort(Protocol):
    """Spaces the requests of every process to one provider."""

    def wait(self) -> None:
        """Wait for a turn. Raises: RateLimitedError when none comes soon."""

    def hold(self, seconds: float) -> None:
        """Give nobody a turn before `seconds` from now."""


class Reservation(Protocol):
    """Reserved slots: request `i` of the batch starts `start_in_seconds + i * interval_seconds` from now."""

    @property
    def start_in_seconds(self) -> float:
        """How long the first request waits."""

    @property
    def interval_seconds(self) -> float:
        """How long each further request waits after the one before it."""


class Pacer(Protocol):
    """Hands out slots for the whole fleet. Neither call raises: one that lost its store has a fallback."""

    def reserve(self, n: int, *, patience_seconds: float) -> Reservation:
        """The slots of the next `n` requests; none is spent when the first is more than that away."""

    def hold(self, seconds: float) -> None:
        """Give out no slot for `seconds`: the other side asked for fewer requests."""
