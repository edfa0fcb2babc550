"""What each section's days came to, condensed once a night: what a term comes to is read from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, RowMapping, ScalarSelect, and_, cast, delete, func, or_, select

from domain import history
from store.database import Database, insert_all_new
from store.histories import BLIND_AFTER_HOURS, HOUR_MS, ObservedHours, read, read_looks
from store.schema import section_days, sections

_DAY_MS = 24 * HOUR_MS
_MARGIN_MS = (BLIND_AFTER_HOURS + 1) * HOUR_MS  # the last look before midnight counts too
_ROWS_AT_ONCE = 500  # in one transaction: other writers wait for it
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TermTotal:
    """What one section's days came to together; `last_day` is the last of them."""

    number: str
    openings: int
    open: timedelta
    looked_at: timedelta
    last_day: int


class DailyRollups:
    """The rows of `section_days`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unfinished(self, before_day: int) -> list[int]:
        """The sections with days before that which are not condensed yet, or days that are yet to end."""
        newest = func.coalesce(_newest_day(), -1)
        is_behind = and_(newest < before_day - 1, sections.c.observed_at_ms >= (newest + 1) * _DAY_MS)
        is_ahead = newest >= before_day
        with self._database.read() as connection:
            query = select(sections.c.id).where(or_(is_behind, is_ahead)).order_by(sections.c.id)
            found = connection.execute(query)
            return list(found.scalars())

    def condense(self, section_ids: Sequence[int], before_day: int) -> int:
        """Write the missing days before that of these sections; how many. Safe to repeat.

        Days that are yet to end were written by a clock that ran ahead, and are written again when they have.
        """
        self._forget(section_ids, before_day)
        query = select(sections, func.coalesce(_newest_day() + 1, 0).label("first_day"))
        with self._database.snapshot() as connection:
            found = list(connection.execute(query.where(sections.c.id.in_(section_ids))).mappings())
            since_ms = min((row["first_day"] * _DAY_MS for row in found), default=0)
            looks = read_looks(connection, since_ms - _MARGIN_MS, before_day * _DAY_MS)
            rows = [each for row in found for each in _days(connection, row, looks, before_day)]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with self._database.write() as connection:
                insert_all_new(connection, section_days, rows[start : start + _ROWS_AT_ONCE])
        return len(rows)

    def _forget(self, section_ids: Sequence[int], from_day: int) -> None:
        days = section_days.c
        is_ahead = (days.section_id.in_(section_ids)) & (days.day >= from_day)
        with self._database.read() as connection:
            if connection.execute(select(days.day).where(is_ahead).limit(1)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(delete(section_days).where(is_ahead))

    def totals(self, source: str, term: str) -> list[TermTotal]:
        """What the days of each section of a term came to."""
        days = section_days.c
        query = (
            select(
                sections.c.number,
                func.sum(days.openings),
                func.sum(days.open_ms),
                func.sum(days.looked_at_ms),
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
                    number, int(openings), int(open_ms) * _MILLISECOND, int(looked_ms) * _MILLISECOND, last
                )
                for number, openings, open_ms, looked_ms, last in connection.execute(query)
            ]


def _newest_day() -> ScalarSelect[Any]:
    mine = section_days.c.section_id == sections.c.id
    newest = cast(func.max(section_days.c.day), BigInteger)  # it is multiplied to milliseconds
    return select(newest).where(mine).correlate(sections).scalar_subquery()


def _days(
    connection: Connection, row: RowMapping, looks: ObservedHours, before_day: int
) -> Iterator[dict[str, Any]]:
    seen = read(connection, row, looks, before_day * _DAY_MS, row["first_day"] * _DAY_MS)
    for day in history.days(seen):
        if row["first_day"] <= day.number < before_day:
            yield {
                "section_id": row["id"],
                "day": day.number,
                "openings": day.openings,
                "open_ms": day.open // _MILLISECOND,
                "looked_at_ms": day.looked_at // _MILLISECOND,
            }
