"""What a source said of sections becomes states, history and notifications, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from domain.changes import Change, SectionState, advance, is_current, miss
from domain.observation import Missing, Observation
from domain.section import SectionKey
from store import notices
from store.sections import load, save

Answer = Observation | Missing


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many sections changed, how many notifications that caused, and which sections to ask again."""

    changed: int = 0
    notifications: int = 0
    again: set[SectionKey] = field(default_factory=set)


def record(
    connection: Connection,
    answers: Sequence[Answer],
    revisions: Mapping[SectionKey, int],
    now: datetime,
    cooldown: timedelta,
) -> Recorded:
    """Write `answers`, which were asked for when the sections had `revisions`.

    An answer that another has overtaken counts nothing, and its section is to be asked again: nobody can say
    which of the two is newer.
    """
    if not answers:
        return Recorded()
    rows = load(connection, [answer.key for answer in answers])
    current = [each for each in answers if is_current(rows[each.key][1], revisions.get(each.key))]
    after: dict[int, SectionState] = {}
    news: list[tuple[int, SectionState, Change]] = []
    for answer in current:
        row_id, state = rows[answer.key]
        after[row_id], changes = _moved(state, answer, now)
        news += [(row_id, after[row_id], change) for change in changes]
    save(connection, dict(rows.values()), after)
    notified = notices.add(connection, news, now, cooldown)
    overtaken = {each.key for each in answers} - {each.key for each in current}
    return Recorded(len({row_id for row_id, _, _ in news}), notified, overtaken)


def _moved(state: SectionState, answer: Answer, now: datetime) -> tuple[SectionState, tuple[Change, ...]]:
    if answer.observed_at > now:  # nothing was seen after it is written
        answer = replace(answer, observed_at=now)
    return advance(state, answer) if isinstance(answer, Observation) else (miss(state, answer), ())
