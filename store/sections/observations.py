"""Turns a source's observations into states, history and notifications, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial

from sqlalchemy import Connection

from domain.observation import Missing, Observation
from domain.plausibility import CONFIRM_OPENINGS_AFTER, filter_implausible
from domain.section import SectionKey
from domain.section_state import SectionEvent, SectionState, advance, is_current, miss
from store.notifications import create
from store.sections.states import anomalies_of, load, save

Answer = Observation | Missing
Advance = tuple[SectionState, tuple[SectionEvent, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The number of changed sections and of notifications, and the sections to re-check.

    Shape: `recheck_at` is None if they may be checked at once.
    """

    changed: int = 0
    notifications: int = 0
    recheck: set[SectionKey] = field(default_factory=set)
    recheck_at: datetime | None = None


def record(
    connection: Connection,
    answers: Sequence[Answer],
    revisions: Mapping[SectionKey, int],
    now: datetime,
    cooldown: timedelta,
) -> Recorded:
    """Write `answers` to queries made when the sections had `revisions`.

    An answer is discarded if another was recorded since, because their order is unknown; its section is
    re-checked. A section with an unconfirmed opening is re-checked a little later.
    """
    if not answers:
        return Recorded()
    rows = load(connection, [answer.key for answer in answers])
    current = [
        (rows[answer.key][1], _bounded(answer, now))
        for answer in answers
        if is_current(rows[answer.key][1], revisions.get(answer.key))
    ]
    advanced, unconfirmed = _advance_all(connection, current)
    after = {rows[state.key][0]: state for state, _ in advanced}
    news = [(rows[state.key][0], state, change) for state, changes in advanced for change in changes]
    save(connection, dict(rows.values()), after)
    return Recorded(
        changed=len({row_id for row_id, _, _ in news}),
        notifications=create.create(connection, news, now, cooldown),
        recheck={answer.key for answer in answers} - {state.key for state, _ in current} | unconfirmed,
        recheck_at=now + CONFIRM_OPENINGS_AFTER if unconfirmed else None,
    )


def _advance_all(
    connection: Connection, current: Sequence[tuple[SectionState, Answer]]
) -> tuple[list[Advance], set[SectionKey]]:
    """The new state and events of each section, and the sections whose openings are unconfirmed."""
    seen = [(state, answer) for state, answer in current if isinstance(answer, Observation)]
    plausible = filter_implausible(seen, cache(partial(anomalies_of, connection)))
    advanced: list[Advance] = [advance(each.state, each.observation) for each in plausible]
    advanced += [(miss(state, answer), ()) for state, answer in current if isinstance(answer, Missing)]
    return advanced, {each.state.key for each in plausible if each.is_unconfirmed_opening}


def _bounded(answer: Answer, now: datetime) -> Answer:
    """Bound the time of an observation by the time of its recording."""
    return replace(answer, observed_at=now) if answer.observed_at > now else answer
