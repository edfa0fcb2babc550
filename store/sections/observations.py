"""Turns a source's observations into states, history and notifications, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select

from domain.catalog_poll import ListedRow, digest
from domain.observation import Missing, Observation
from domain.plausibility import CONFIRM_OPENINGS_AFTER, filter_implausible
from domain.section import SectionKey
from domain.section_state import SectionEvent, SectionState, advance, is_current, miss
from store.database import chunks, insert_all_new
from store.notifications import create
from store.schema import sections, watches
from store.sections.states import (
    anomalies_of,
    columns_of,
    load,
    save,
    save_listed,
    write_history,
)

_WATCHED = (
    select(watches.c.section_id)
    .where(watches.c.section_id.in_(bindparam("ids", expanding=True)), watches.c.ended_at_ms.is_(None))
    .distinct()
)

Answer = Observation | Missing
A = TypeVar("A", bound=Answer)
Advance = tuple[SectionState, tuple[SectionEvent, ...]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The number of changed sections and of notifications, and the sections to re-check.

    Shape: `recheck_at` is None if they may be checked at once. `first_seen` are the observations of sections
    that a polled catalog lists for the first time.
    """

    changed: int = 0
    notifications: int = 0
    recheck: set[SectionKey] = field(default_factory=set)
    recheck_at: datetime | None = None
    first_seen: list[Observation] = field(default_factory=list)


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


def record_listed(
    connection: Connection,
    rows: Sequence[ListedRow],
    unchanged: Sequence[Observation],
    *,
    now: datetime,
    cooldown: timedelta,
    announces: bool = True,
) -> Recorded:
    """Write the `rows` of a polled catalog that differ from what is stored.

    Shape: `unchanged` are the other rows of the same answer. History and notifications are of watched
    sections only. An answer that does not `announce` has none; an operator has accepted it, so that all its
    changes count as confirmed. A row with an unconfirmed change stays different, so that the next poll
    observes it again.
    """
    known = load(connection, [row.listed.key for row in rows])
    stored = [row for row in rows if row.listed.key in known]
    current = [(known[row.listed.key][1], _bounded(row.observation, now)) for row in stored]
    if announces:
        advanced, unconfirmed = _advance_all(connection, current, unchanged)
    else:
        advanced, unconfirmed = (
            [advance(replace(state, anomalies={}), seen) for state, seen in current],
            set(),
        )
    digests = {known[row.listed.key][0]: digest(row.listed) for row in stored}
    after = {known[state.key][0]: state for state, _ in advanced}
    save_listed(connection, after, {i: None if after[i].anomalies else digests[i] for i in after})
    watched = _watched(connection, after)
    before = {row_id: state for row_id, state in known.values() if row_id in watched}
    write_history(connection, {row_id: (state, after[row_id]) for row_id, state in before.items()})
    news = [(known[state.key][0], state, event) for state, events in advanced for event in events]
    news = [each for each in news if announces and each[0] in watched]
    return Recorded(
        changed=len(after),
        notifications=create.create(connection, news, now, cooldown),
        recheck=unconfirmed,
        recheck_at=now + CONFIRM_OPENINGS_AFTER if unconfirmed else None,
        first_seen=[row.observation for row in stored if not known[row.listed.key][1].revision],
    )


def add_listed(connection: Connection, seen: Sequence[Observation], now: datetime) -> None:
    """Add sections that a polled catalog lists for the first time: their baseline, which causes no event."""
    rows = []
    for each in seen:
        key = each.key
        state, _ = advance(SectionState(key), _bounded(each, now))
        place = {"source": key.source, "term": key.term, "number": key.number, "is_even": key.is_even}
        rows.append(place | columns_of(state) | {"digest": digest(each)})
    if rows:
        insert_all_new(connection, sections, rows)


def _watched(connection: Connection, row_ids: Collection[int]) -> set[int]:
    """Those of the sections that have an active watch."""
    found: set[int] = set()
    for ids in chunks(sorted(row_ids)):
        found |= set(connection.execute(_WATCHED, {"ids": ids}).scalars())
    return found


def _advance_all(
    connection: Connection,
    current: Sequence[tuple[SectionState, Answer]],
    unchanged: Sequence[Observation] = (),
) -> tuple[list[Advance], set[SectionKey]]:
    """The new state and events of each section, and the sections whose openings are unconfirmed."""
    seen = [(state, answer) for state, answer in current if isinstance(answer, Observation)]
    plausible = filter_implausible(seen, cache(partial(anomalies_of, connection)), unchanged)
    advanced: list[Advance] = [advance(each.state, each.observation) for each in plausible]
    advanced += [(miss(state, answer), ()) for state, answer in current if isinstance(answer, Missing)]
    return advanced, {each.state.key for each in plausible if each.is_unconfirmed_opening}


def _bounded(answer: A, now: datetime) -> A:
    """Bound the time of an observation by the time of its recording."""
    return replace(answer, observed_at=now) if answer.observed_at > now else answer
