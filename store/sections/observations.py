"""Turns a source's observations into states, history and notifications, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial

from sqlalchemy import Connection

from domain.observation import Missing, Observation
from domain.plausibility import CONFIRM_OPENINGS_AFTER, judge
from domain.section import SectionKey
from domain.section_state import SectionEvent, SectionState, advance, is_current, miss
from store.notifications import create
from store.sections.states import anomalies_of, load, save

Answer = Observation | Missing
Move = tuple[SectionState, tuple[SectionEvent, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many sections changed, how many notifications that caused, and which sections to ask again when.

    Shape: `again_at` is None where they may be asked at once.
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
    """Write `answers`, which were asked for when the sections had `revisions`.

    An answer that another has overtaken counts nothing, and its section is to be asked again: nobody can say
    which of the two is newer. So is, a little later, a section whose opening is doubted.
    """
    if not answers:
        return Recorded()
    rows = load(connection, [answer.key for answer in answers])
    look = [
        (rows[answer.key][1], _bounded(answer, now))
        for answer in answers
        if is_current(rows[answer.key][1], revisions.get(answer.key))
    ]
    moves, unconfirmed = _moves(connection, look)
    after = {rows[state.key][0]: state for state, _ in moves}
    news = [(rows[state.key][0], state, change) for state, changes in moves for change in changes]
    save(connection, dict(rows.values()), after)
    return Recorded(
        changed=len({row_id for row_id, _, _ in news}),
        notifications=create.create(connection, news, now, cooldown),
        recheck={answer.key for answer in answers} - {state.key for state, _ in look} | unconfirmed,
        recheck_at=now + CONFIRM_OPENINGS_AFTER if unconfirmed else None,
    )


def _moves(
    connection: Connection, look: Sequence[tuple[SectionState, Answer]]
) -> tuple[list[Move], set[SectionKey]]:
    """How each section moves, and whose openings are to be confirmed."""
    seen = [(state, answer) for state, answer in look if isinstance(answer, Observation)]
    judged = judge(seen, cache(partial(anomalies_of, connection)))
    moves: list[Move] = [advance(each.state, each.observation) for each in judged]
    moves += [(miss(state, answer), ()) for state, answer in look if isinstance(answer, Missing)]
    return moves, {each.state.key for each in judged if each.is_unconfirmed_opening}


def _bounded(answer: Answer, now: datetime) -> Answer:
    """Nothing was seen after it is written."""
    return replace(answer, observed_at=now) if answer.observed_at > now else answer
