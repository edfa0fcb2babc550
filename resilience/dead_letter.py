"""A dead letter as a person reads it, and as it goes back to its queue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from dramatiq import Message

from resilience.obituary import CAUSE
from resilience.quarantine import GIVEN_UP

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
        """Why it died: `resilience.obituary.cause_of`, or what its last traceback tells without it."""
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
