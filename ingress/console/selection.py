"""The filter of dead letters, as a form."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from actors import QUEUES
from domain.text import duration
from ingress.rules import rule
from operations.inputs import DurationText, Text, one_of, text
from resilience.dead_letters import DeadLetterFilter


@rule(type="string", examples=["2h"])
def length(value: object) -> str:
    """A length of time such as 90s, 15m, 2h or 3d, as it is written."""
    written = text(value)
    duration(written)
    return written


def _queue(given: Any) -> str | None:
    return None if given == "" else one_of(given, QUEUES)


class DeadLettersInput(Struct, frozen=True, kw_only=True):
    """The filter; a blank field does not filter."""

    queue: Annotated[str | None, Meta(extra={"parse": _queue})] = None
    actor: Text | None = None
    cause: Text | None = None
    older_than: DurationText | None = None
    message_id: Text | None = None
    exact_cause: Text | None = None

    @property
    def selection(self) -> DeadLetterFilter:
        """Return the combined filter."""
        age = None if self.older_than is None else duration(self.older_than)
        ids = () if self.message_id is None else (self.message_id,)
        return DeadLetterFilter(self.queue, self.actor, self.cause, age, ids, self.exact_cause)

    @property
    def given(self) -> dict[str, str]:
        """Return the filter as form fields, including blank ones."""
        names = ("queue", "actor", "cause", "older_than", "message_id", "exact_cause")
        return {name: getattr(self, name) or "" for name in names}
