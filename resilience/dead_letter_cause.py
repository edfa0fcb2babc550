"""Records why a message died in its body, and decodes dead letters for people and for requeueing.

Dramatiq moves the body to the dead letters as it was enqueued. The last failure, its traceback and its count
exist only in the worker's memory, and a message that never failed (expired, unknown actor) records no cause.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import SkipMessage

from resilience.crash_budget import GIVEN_UP
from resilience.scripts import UNREACHABLE, Scripts

CAUSE = "rollcall_cause"
EXPIRED = "expired"
_SKIPS = {"Message age limit exceeded": EXPIRED}  # as dramatiq/middleware/age_limit.py says it
_FRAMES = 30


class DeadLetterCause(Middleware):
    """Writes cause, traceback and retries into a rejected message, just before Redis moves it.

    `packages` are the top-level packages that are ours, whose frames tell causes apart. A message that
    ends well costs nothing, one that dies one round trip; when that cannot be made the message dies
    without a word. For Dramatiq's Redis broker alone.
    """

    def __init__(self, client: redis.Redis, packages: Iterable[str], *, namespace: str = "dramatiq") -> None:
        self._scripts = Scripts(client)
        self._packages = frozenset(packages)
        self._namespace = namespace

    def before_nack(self, _broker: Broker, message: MessageProxy) -> None:
        """Write the last word. Called again, with the same outcome, when the rejection must be repeated."""
        error = message._exception  # noqa: SLF001 - kept there for middleware; it has no other name
        if error is None:
            return
        told: dict[str, str] = {CAUSE: cause_of(error, message.actor_name, self._packages)}
        if not isinstance(error, SkipMessage | ActorNotFound):
            told["traceback"] = "".join(traceback.format_exception(error, limit=-_FRAMES))
        body = message.copy(options=told).encode()
        with suppress(*UNREACHABLE):  # the rejection fails as well then, and is repeated
            self._scripts.dead_letters_explain(
                [f"{self._namespace}:{message.queue_name}.msgs"], [message.options["redis_message_id"], body]
            )


def cause_of(error: BaseException, actor: str, packages: frozenset[str]) -> str:
    """The fingerprint by which deaths are alike.

    Shape: `{exception} in {module}:{function}` of the last frame of ours, without line and message, which
    differ from release to release and from case to case; else "expired", "unknown actor {name}", or the
    reason for which the message was skipped.
    """
    if isinstance(error, ActorNotFound):
        return f"unknown actor {actor}"
    if isinstance(error, SkipMessage):
        return _SKIPS.get(str(error), str(error) or "skipped")
    place = _place(error, packages)
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def _place(error: BaseException, packages: frozenset[str]) -> str | None:
    """Where it happened: the last frame of ours, or the last of all when none is."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), frame.f_code.co_name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    ours = [frame for frame in frames if frame[0].partition(".")[0] in packages]
    return ":".join((ours or frames)[-1]) if frames else None


UNTOLD = "unknown cause"
_RETRIED, _DEATHS, _ENQUEUED_MS = "rollcall_retried", "rollcall_deaths", "rollcall_enqueued_ms"
_OF_THIS_LIFE = {CAUSE, GIVEN_UP, "traceback", "retries", "requeue_timestamp"}
_DEATHS_KEPT = 5
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that will not run again by itself. `key` is its id among the dead, new at each death.

    Its life begins anew each time that a person gives it another one.
    """

    key: str
    queue: str
    message: Message[Any] = field(repr=False)
    died_ms: int
    expires_at: datetime

    @property
    def message_id(self) -> str:
        """Dramatiq's own id: the same in every life."""
        return self.message.message_id

    @property
    def died_at(self) -> datetime:
        """When it died, by its worker's clock."""
        return _moment(self.died_ms)

    @property
    def enqueued_at(self) -> datetime:
        """When it was enqueued first."""
        return _moment(self.message.options.get(_ENQUEUED_MS, self.message.message_timestamp))

    @property
    def cause(self) -> str:
        """Why it died: what `cause_of` recorded, or else the exception of its last traceback."""
        lines = self.traceback
        told = self.message.options.get(CAUSE) or (lines[-1].partition(":")[0] if lines else "")
        return str(told or UNTOLD)

    @property
    def given_up(self) -> str | None:
        """What was given up with it when it had spent its crash budget; None for every other death."""
        told: str | None = self.message.options.get(GIVEN_UP)
        return told

    @property
    def traceback(self) -> list[str]:
        """The last lines of the traceback; none when no exception was raised."""
        return str(self.message.options.get("traceback", "")).strip().splitlines()[-_LINES_SHOWN:]

    @property
    def failures(self) -> int:
        """How often it failed in its last life: what Dramatiq calls retries, the one it died of included."""
        return int(self.message.options.get("retries", 0))

    @property
    def retried(self) -> int:
        """How often it came back from the dead."""
        return int(self.message.options.get(_RETRIED, 0))

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """Its earlier deaths, the oldest first, at most five: `at`, `cause`, `failures`."""
        told: list[dict[str, Any]] = self.message.options.get(_DEATHS, [])
        return [{**death, "at": _moment(death["at"])} for death in told]

    def revived(self, now_ms: int) -> Message[Any]:
        """The message as it is enqueued anew: as young and unspoilt as any, but with its history."""
        options = {name: value for name, value in self.message.options.items() if name not in _OF_THIS_LIFE}
        death = {"at": self.died_ms, "cause": self.cause, "failures": self.failures}
        options |= {
            "redis_message_id": str(uuid4()),
            _RETRIED: self.retried + 1,
            _DEATHS: [*options.get(_DEATHS, []), death][-_DEATHS_KEPT:],
            _ENQUEUED_MS: options.get(_ENQUEUED_MS, self.message.message_timestamp),
        }
        # Its age starts anew, or what has expired would expire again.
        return replace(self.message, queue_name=self.queue, message_timestamp=now_ms, options=options)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
