"""Section observations over time, blind spans, and the nightly rollup of section days.

A run that checked anything counts as an observation of every watched section of its parity; single sections
that it could not read are not recorded. Term statistics come from the rollup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import BigInteger, Connection, RowMapping, ScalarSelect, and_, cast, delete, func, or_, select

from domain import history
from domain.history import ObservedPeriod, SectionHistory, in_sequence
from domain.observation import Details
from domain.section import SectionKey, Stagger
from store.database import Database, chunks, from_ms, insert_all_new, to_ms
from store.schema import runs, section_daily_rollups, section_history, sections, watches
from store.sections.states import history_entry, is_section

HOUR_MS = 3_600_000
BLIND_AFTER_HOURS = 3  # without an observation; shorter gaps are normal


@dataclass(frozen=True, slots=True)
class ObservedHours:
    """The hours, since the epoch, in which runs of each half checked sections."""

    hours: Mapping[Stagger, Collection[int]] = field(default_factory=dict)

    def at(self, row: RowMapping) -> set[int]:
        """The hours in which the section of `row` was in such a run."""
        half = Stagger.EVEN if row["is_even"] else Stagger.ODD
        return {*self.hours.get(half, ()), *self.hours.get(Stagger.ALL, ())}


class Histories:
    """Reads histories whole, for reports and statistics."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, keys: Sequence[SectionKey], until: datetime) -> list[SectionHistory]:
        """The history of each of `keys` until then; empty if the section was never observed."""
        with self._database.snapshot() as connection:
            rows = [_row(connection, key) for key in keys]
            observed_hours = read_observed_hours(connection, 0, to_ms(until))
            return [
                SectionHistory(key) if row is None else read(connection, row, observed_hours, to_ms(until))
                for key, row in zip(keys, rows, strict=True)
            ]


def read(
    connection: Connection, row: RowMapping, observed_hours: ObservedHours, until_ms: int, since_ms: int = 0
) -> SectionHistory:
    """The history of the section in `row`, a row of `sections`."""
    found = _entries(connection, row["id"], since_ms, until_ms)
    details = Details(row["course"], row["title"], row["location"], row["meeting_times"])
    key = SectionKey(row["source"], row["term"], row["number"])
    if not found or row["observed_at_ms"] is None:
        return SectionHistory(key, details)
    until_ms = min(row["observed_at_ms"], until_ms)
    entries = in_sequence([history_entry(each) for each in found], from_ms(until_ms))
    times_ms = [to_ms(each.observed_at) for each in entries]
    span = (times_ms[0], max(times_ms[-1], until_ms))
    observed = observed_hours.at(row) & _watched_hours(connection, row["id"], span)
    observed |= {at_ms // HOUR_MS for at_ms in (*times_ms, *span)}
    return SectionHistory(key, details, entries, from_ms(span[1]), _blind(observed))


def read_observed_hours(connection: Connection, since_ms: int, until_ms: int) -> ObservedHours:
    """The hours in which runs checked sections."""
    columns = runs.c
    hour = columns.started_at_ms - columns.started_at_ms % HOUR_MS
    query = (
        select(columns.stagger, hour)
        .where(columns.checked > 0, columns.started_at_ms >= since_ms, columns.started_at_ms < until_ms)
        .distinct()
    )
    hours: dict[Stagger, set[int]] = {}
    for stagger, at_ms in connection.execute(query):
        hours.setdefault(Stagger(stagger), set()).add(at_ms // HOUR_MS)
    return ObservedHours(hours)


def _row(connection: Connection, key: SectionKey) -> RowMapping | None:
    return connection.execute(select(sections).where(is_section(key))).mappings().first()


def _entries(connection: Connection, section_id: int, since_ms: int, until_ms: int) -> list[RowMapping]:
    """The entries of that period, preceded by the state at its beginning."""
    columns = section_history.c
    is_its = (columns.section_id == section_id) & (columns.observed_at_ms < until_ms)
    query = select(section_history).where(is_its)
    is_within = columns.observed_at_ms >= since_ms
    found = list(connection.execute(query.where(is_within).order_by(columns.id)).mappings())
    if since_ms == 0:
        return found
    first_id = found[0]["id"] if found else None
    is_before = ~is_within if first_id is None else columns.id < first_id
    before = query.where(is_before).order_by(columns.id.desc()).limit(1)
    return [*connection.execute(before).mappings(), *found]


def _watched_hours(connection: Connection, section_id: int, span: tuple[int, int]) -> set[int]:
    columns = watches.c
    query = select(columns.created_at_ms, columns.ended_at_ms).where(columns.section_id == section_id)
    hours: set[int] = set()
    for start_ms, end_ms in connection.execute(query):
        first, last = max(start_ms, span[0]), min(end_ms or span[1], span[1])
        hours.update(range(first // HOUR_MS, last // HOUR_MS + 1))
    return hours


def _blind(observed: set[int]) -> list[ObservedPeriod]:
    """Long gaps, from the end of an observed hour to the start of the next."""
    return [
        ObservedPeriod(from_ms((before + 1) * HOUR_MS), from_ms(after * HOUR_MS))
        for before, after in pairwise(sorted(observed))
        if after - before > BLIND_AFTER_HOURS
    ]


_DAY_MS = 24 * HOUR_MS
_MARGIN_MS = (BLIND_AFTER_HOURS + 1) * HOUR_MS  # the last observation before midnight counts too
_ROWS_AT_ONCE = 500  # per transaction: other writers wait for it
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TermTotal:
    """The totals of one section's days; `last_day` is the newest of them."""

    number: str
    openings: int
    open: timedelta
    polled_time: timedelta
    last_day: int


class DailyRollups:
    """The rows of `section_daily_rollups`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unfinished(self, before_day: int) -> list[int]:
        """The sections with days before `before_day` to roll up, or with rollups of unfinished days."""
        newest = func.coalesce(_newest_day(), -1)
        is_behind = and_(newest < before_day - 1, sections.c.observed_at_ms >= (newest + 1) * _DAY_MS)
        is_ahead = newest >= before_day
        with self._database.read() as connection:
            query = select(sections.c.id).where(or_(is_behind, is_ahead)).order_by(sections.c.id)
            found = connection.execute(query)
            return list(found.scalars())

    def roll_up(self, section_ids: Sequence[int], before_day: int) -> int:
        """Write the missing days before `before_day` of these sections; return their number. Idempotent.

        Rollups of days that have not ended come from a clock that ran ahead; they are replaced.
        """
        self._delete(section_ids, before_day)
        query = select(sections, func.coalesce(_newest_day() + 1, 0).label("first_day"))
        with self._database.snapshot() as connection:
            found = list(connection.execute(query.where(sections.c.id.in_(section_ids))).mappings())
            since_ms = min((row["first_day"] * _DAY_MS for row in found), default=0)
            observed_hours = read_observed_hours(connection, since_ms - _MARGIN_MS, before_day * _DAY_MS)
            rows = [each for row in found for each in _days(connection, row, observed_hours, before_day)]
        for chunk in chunks(rows, _ROWS_AT_ONCE):
            with self._database.write() as connection:
                insert_all_new(connection, section_daily_rollups, chunk)
        return len(rows)

    def _delete(self, section_ids: Sequence[int], from_day: int) -> None:
        days = section_daily_rollups.c
        is_ahead = (days.section_id.in_(section_ids)) & (days.day >= from_day)
        with self._database.read() as connection:
            if connection.execute(select(days.day).where(is_ahead).limit(1)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(delete(section_daily_rollups).where(is_ahead))

    def totals(self, source: str, term: str) -> list[TermTotal]:
        """The totals of each section of a term."""
        days = section_daily_rollups.c
        query = (
            select(
                sections.c.number,
                func.sum(days.openings),
                func.sum(days.open_ms),
                func.sum(days.polled_ms),
                func.max(days.day),
            )
            .join(sections, sections.c.id == days.section_id)
            .where(sections.c.source == source, sections.c.term == term)
            .group_by(sections.c.number)
            .order_by(sections.c.number)
        )
        with self._database.read() as connection:
            return [
                TermTotal(
                    number, int(openings), int(open_ms) * _MILLISECOND, int(polled_ms) * _MILLISECOND, last
                )
                for number, openings, open_ms, polled_ms, last in connection.execute(query)
            ]


def _newest_day() -> ScalarSelect[Any]:
    mine = section_daily_rollups.c.section_id == sections.c.id
    newest = cast(func.max(section_daily_rollups.c.day), BigInteger)  # it is multiplied to milliseconds
    return select(newest).where(mine).correlate(sections).scalar_subquery()


def _days(
    connection: Connection, row: RowMapping, observed_hours: ObservedHours, before_day: int
) -> Iterator[dict[str, Any]]:
    entries = read(connection, row, observed_hours, before_day * _DAY_MS, row["first_day"] * _DAY_MS)
    for day in history.days(entries):
        if row["first_day"] <= day.number < before_day:
            yield {
                "section_id": row["id"],
                "day": day.number,
                "openings": day.openings,
                "open_ms": day.open // _MILLISECOND,
                "polled_ms": day.polled_time // _MILLISECOND,
            }
