"""Which dead letters are meant, and what they have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from resilience.dead_letter import DeadLetter


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters are meant: those that meet everything that is said.

    Shape: `cause` is a part of the cause, in any case of letters, and `exact_cause` all of it as it is;
    `older_than` is the time since death.
    """

    queue: str | None = None
    actor: str | None = None
    cause: str | None = None
    older_than: timedelta | None = None
    message_ids: tuple[str, ...] = ()
    exact_cause: str | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What is said, as JSON can hold it."""
        said = {name: value for name, value in asdict(self).items() if value}
        if self.older_than is not None:
            said["older_than_seconds"] = said.pop("older_than", timedelta()).total_seconds()
        return said

    def matches(self, letter: DeadLetter) -> bool:
        """Whether it is meant; its age aside, which the one who reads it knows."""
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
    """Everything that died of one cause: how many, and the last of them."""

    cause: str
    letters: deque[DeadLetter]
    count: int = 0


def grouped(letters: Iterable[DeadLetter], limit: int) -> list[CauseGroup]:
    """`letters`, the oldest first, by their cause: the most frequent first, the last `limit` of each."""
    groups: dict[str, CauseGroup] = {}
    for letter in letters:
        group = groups.setdefault(letter.cause, CauseGroup(letter.cause, deque(maxlen=limit)))
        group.letters.appendleft(letter)
        group.count += 1
    return sorted(groups.values(), key=lambda group: (-group.count, group.cause))
