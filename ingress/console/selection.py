"""The filter of dead letters, as a form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from actors import QUEUES
from domain.text import duration
from ingress.fields import one_of, text, unless_blank
from ingress.rules import rule
from resilience.dead_letters import DeadLetterFilter


@rule(type="string", examples=["2h"])
def length(value: object) -> str:
    """A length of time such as 90s, 15m, 2h or 3d, as it is written."""
    written = text(value)
    duration(written)
    return written


@dataclass(frozen=True, slots=True)
class SelectionForm:
    """The filter; a blank field does not filter."""

    queue: Annotated[str | None, unless_blank(one_of(QUEUES))] = None
    actor: Annotated[str | None, unless_blank(text)] = None
    cause: Annotated[str | None, unless_blank(text)] = None
    older_than: Annotated[str | None, unless_blank(length)] = None
    message_id: Annotated[str | None, unless_blank(text)] = None
    exact_cause: Annotated[str | None, unless_blank(text)] = None

    @property
    def selection(self) -> DeadLetterFilter:
        """Return the combined filter."""
        age: timedelta | None = None if self.older_than is None else duration(self.older_than)
        ids = () if self.message_id is None else (self.message_id,)
        return DeadLetterFilter(self.queue, self.actor, self.cause, age, ids, self.exact_cause)

    @property
    def given(self) -> dict[str, str]:
        """Return the filter as form fields, including blank ones."""
        names = ("queue", "actor", "cause", "older_than", "message_id", "exact_cause")
        return {name: getattr(self, name) or "" for name in names}
