"""Protocols between the application and its adapters: clock, source, mailer, storage, rate limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from domain.notification import DeliveryResult, OutboundMessage
from domain.observation import Outcome
from domain.section import SectionKey


class Clock(Protocol):
    """The source of time, so that tests can control it."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""


class Source(Protocol):
    """One catalog of sections, implemented by a module in `catalogs/`."""

    @property
    def name(self) -> str:
        """The name in every `SectionKey.source`; also names its breaker."""

    def plan(self, keys: Iterable[SectionKey]) -> Iterable[Sequence[SectionKey]]:
        """`keys` in the batches best observed together: those of one upstream request, or a chunk."""

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        """The current outcome for each of `keys`, in the order in which the answers arrive.

        Exactly one outcome per key; a failed check is a `CheckFailure`, never an exception.
        """

    def longest_probe_seconds(self, probes: int) -> float:
        """The maximum duration of `observe` for `probes` sections; the lease of a probe lasts longer."""

    def close(self) -> None:
        """Release connections and threads; the source is not used afterwards."""


def unconditionally() -> None:
    """The default `before_handover`: do nothing."""


class Mailer(Protocol):
    """One way to send mail."""

    @property
    def name(self) -> str:
        """The transport, as in `MAIL_TRANSPORT`."""

    @property
    def batch_size(self) -> int:
        """The maximum number of messages under one idempotency key."""

    @property
    def is_idempotent(self) -> bool:
        """Whether repeating a call with the same messages and key sends no mail twice."""

    @property
    def longest_send_seconds(self) -> float:
        """The maximum duration of one `send`: the sum of the transport's timeouts."""

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send `messages`; one result each, in order. A message with attachments is sent alone.

        `before_handover` is called immediately before every hand-over, while the messages can still be
        withheld; if it raises, the call ends and nothing was handed over.

        Raises: TransientError if it is unknown whether any message was accepted; PermanentError if none was:
        AccountRefusedError if all our messages would be refused, RejectedError if these were refused and a
        split batch may succeed in part; IdempotencyKeyUsedError if the key has sent other messages.
        After the hand-over, UnreachableError, RateLimitedError and AccountRefusedError mean that none was
        accepted; from a transport without keys, UpstreamError does too.
        """


class Storage(Protocol):
    """Storage of assets and results. A key is a path of plain names, such as `jobs/{id}/report.pdf`.

    Raises: StorageWriteError if no object exists under the key; StorageFullError; TransientError if the
    storage is unreachable.
    """

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store `content` under `key` atomically, replacing what was there."""

    def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        """Store the rest of `file` like `put`, in constant memory."""

    def get(self, key: str) -> bytes:
        """The content under `key`."""

    def size(self, key: str) -> int:
        """The size of the content under `key` in bytes."""

    def stream(self, key: str) -> Iterator[bytes]:
        """The content under `key` in chunks."""

    def address(self, key: str) -> str | None:
        """A temporary URL that needs no login; None if only `stream` provides the content."""

    def delete(self, prefix: str) -> None:
        """Delete everything under `prefix`, which ends in a slash."""


class RateLimiterPort(Protocol):
    """Spaces the requests of every process to one provider."""

    def wait(self) -> None:
        """Wait for a turn. Raises: RateLimitedError when none comes soon."""

    def hold(self, seconds: float) -> None:
        """Grant no turn for `seconds` from now."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether a request may begin: now, or else ask again in `wait_seconds`, because of `reason`."""

    wait_seconds: float
    reason: str = ""

    @property
    def is_granted(self) -> bool:
        """Whether the request begins now."""
        return self.wait_seconds == 0


@dataclass(frozen=True, slots=True)
class HostUsage:
    """The requests to a host on this UTC day, and for how many seconds it is still held."""

    requests_today: int
    held_seconds: float


class HostGatePort(Protocol):
    """Admits the requests of the whole fleet to one host. No method waits."""

    def enter(self) -> Turn:
        """Begin a request if it is our turn; `leave` ends it. Raises: NoTurnError if that is unknown."""

    def leave(self) -> None:
        """End the request that was begun, whatever its result."""

    def hold(self, seconds: float) -> None:
        """Begin no request for `seconds` from now, because the host asked for fewer."""


class Reservation(Protocol):
    """Reserved slots: request `i` of the batch starts `start_in_seconds + i * interval_seconds` from now."""

    @property
    def start_in_seconds(self) -> float:
        """How long the first request waits."""

    @property
    def interval_seconds(self) -> float:
        """How long each further request waits after the one before it."""


class Pacer(Protocol):
    """Reserves request slots for the whole fleet. Neither method raises; without Redis it falls back."""

    def reserve(self, n: int, *, patience_seconds: float) -> Reservation:
        """Slots for the next `n` requests; none is used if the first is more than `patience_seconds` away."""

    def hold(self, seconds: float) -> None:
        """Grant no slot for `seconds`, because the upstream asked for fewer requests."""
