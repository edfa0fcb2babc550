"""Records why a message died in its body, and decodes dead letters for people and for requeueing.

Dramatiq moves the body to the dead letters as it was enqueued. The last failure, its traceback and its count
exist only in the worker's memory, and a message that never failed (expired, unknown actor) records no cause.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import SkipMessage

from resilience.crash_budget import GIVEN_UP
from resilience.scripts import UNREACHABLE, Scripts, moment

CAUSE = "rollcall_cause"
EXPIRED = "expired"
_SKIPS = {"Message age limit exceeded": EXPIRED}  # text of dramatiq/middleware/age_limit.py
_FRAMES = 30


class DeadLetterCause(Middleware):
    """Writes cause, traceback and retries into a rejected message, just before Redis moves it.

    `packages` are our top-level packages, whose frames distinguish causes. A message that succeeds costs
    nothing, a dying one costs one round trip; if that fails, the message dies without a recorded cause. For
    Dramatiq's Redis broker only.
    """

    def __init__(self, client: redis.Redis, packages: Iterable[str], *, namespace: str = "dramatiq") -> None:
        self._scripts = Scripts(client)
        self._packages = frozenset(packages)
        self._namespace = namespace

    def before_nack(self, _broker: Broker, message: MessageProxy) -> None:
        """Record the cause. Idempotent: called again if the rejection is retried."""
        error = message._exception  # noqa: SLF001 - meant for middleware; no public name
        if error is None:
            return
        options: dict[str, str] = {CAUSE: cause_of(error, message.actor_name, self._packages)}
        if not isinstance(error, SkipMessage | ActorNotFound):
            options["traceback"] = "".join(traceback.format_exception(error, limit=-_FRAMES))
        body = message.copy(options=options).encode()
        with suppress(*UNREACHABLE):  # the rejection then fails as well, and is retried
            self._scripts.dead_letters_explain(
                [f"{self._namespace}:{message.queue_name}.msgs"], [message.options["redis_message_id"], body]
            )


def cause_of(error: BaseException, actor: str, packages: frozenset[str]) -> str:
    """The fingerprint that groups dead letters by cause.

    Shape: `{exception} in {module}:{function}` of our last frame, without line and message, which vary
    between releases and cases; else "expired", "unknown actor {name}", or the reason why the message was
    skipped.
    """
    if isinstance(error, ActorNotFound):
        return f"unknown actor {actor}"
    if isinstance(error, SkipMessage):
        return _SKIPS.get(str(error), str(error) or "skipped")
    place = _place(error, packages)
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def _place(error: BaseException, packages: frozenset[str]) -> str | None:
    """The location of the failure: our last frame, else the last frame."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), frame.f_code.co_name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    ours = [frame for frame in frames if frame[0].partition(".")[0] in packages]
    return ":".join((ours or frames)[-1]) if frames else None


UNKNOWN = "unknown cause"
_RETRIED, _DEATHS, _ENQUEUED_MS = "rollcall_retried", "rollcall_deaths", "rollcall_enqueued_ms"
_RESET = {CAUSE, GIVEN_UP, "traceback", "retries", "requeue_timestamp"}
_DEATHS_KEPT = 5
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that does not run again by itself. `key` is its id among the dead letters, new each time.

    Attempts and age restart when it is requeued.
    """

    key: str
    queue: str
    message: Message[Any] = field(repr=False)
    died_ms: int
    expires_at: datetime

    @property
    def message_id(self) -> str:
        """Dramatiq's message id; requeueing keeps it."""
        return self.message.message_id

    @property
    def died_at(self) -> datetime:
        """Time of death, by its worker's clock."""
        return moment(self.died_ms)

    @property
    def enqueued_at(self) -> datetime:
        """When it was first enqueued."""
        return moment(self.message.options.get(_ENQUEUED_MS, self.message.message_timestamp))

    @property
    def cause(self) -> str:
        """The cause recorded by `cause_of`, else the exception of the last traceback."""
        lines = self.traceback
        cause = self.message.options.get(CAUSE) or (lines[-1].partition(":")[0] if lines else "")
        return str(cause or UNKNOWN)

    @property
    def given_up(self) -> str | None:
        """The work abandoned when its crash budget was spent; None for other causes."""
        work: str | None = self.message.options.get(GIVEN_UP)
        return work

    @property
    def traceback(self) -> list[str]:
        """The last lines of the traceback; empty without an exception."""
        return str(self.message.options.get("traceback", "")).strip().splitlines()[-_LINES_SHOWN:]

    @property
    def failures(self) -> int:
        """Failures since it was last enqueued (Dramatiq's retries), including the last one."""
        return int(self.message.options.get("retries", 0))

    @property
    def retried(self) -> int:
        """How often it was requeued from the dead letters."""
        return int(self.message.options.get(_RETRIED, 0))

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """At most five earlier deaths, oldest first: `at`, `cause`, `failures`."""
        deaths: list[dict[str, Any]] = self.message.options.get(_DEATHS, [])
        return [{**death, "at": moment(death["at"])} for death in deaths]

    def requeued(self, now_ms: int) -> Message[Any]:
        """The message to requeue: reset like a new one, with its history."""
        options = {name: value for name, value in self.message.options.items() if name not in _RESET}
        death = {"at": self.died_ms, "cause": self.cause, "failures": self.failures}
        options |= {
            "redis_message_id": str(uuid4()),
            _RETRIED: self.retried + 1,
            _DEATHS: [*options.get(_DEATHS, []), death][-_DEATHS_KEPT:],
            _ENQUEUED_MS: options.get(_ENQUEUED_MS, self.message.message_timestamp),
        }
        # Its age restarts, or an expired message would expire again.
        return replace(self.message, queue_name=self.queue, message_timestamp=now_ms, options=options)
