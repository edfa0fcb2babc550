"""The check schedule of each source: what its sections have shown, and which of them are checked next.

What the checks of a section have shown is derived from its state when the next checks are planned, so that
recording an answer costs nothing more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, select, update

from domain.check_schedule import LONGEST_ACCRUAL_HOURS, SectionActivity, SourceActivity
from domain.rhythm import Rhythm
from domain.section import SectionKey, Stagger
from store.database import Database, from_ms_or_none, insert_all_new, to_ms
from store.schema import check_estimates, check_schedules, runs, sections
from store.sections.states import IS_WATCHED

HOUR_MS = 3_600_000
RETENTION = timedelta(days=3)
"""How long the runs of the check schedule are kept: there is one a minute."""
_LONGEST = timedelta(hours=LONGEST_ACCRUAL_HOURS)
_IS_OF_SOURCES = sections.c.source.in_(bindparam("sources", expanding=True))
_WATCHED = (
    select(
        sections.c.id,
        sections.c.source,
        sections.c.term,
        sections.c.number,
        sections.c.open_seats.label("seats_now"),
        sections.c.observed_at_ms,
        sections.c.retired,
        sections.c.misses,
        check_estimates,
    )
    .outerjoin(check_estimates, check_estimates.c.section_id == sections.c.id)
    .where(IS_WATCHED, _IS_OF_SOURCES)
    .order_by(sections.c.id)
)
_UNPLANNED = select(sections.c.id).where(
    IS_WATCHED,
    _IS_OF_SOURCES,
    ~select(check_estimates).where(check_estimates.c.section_id == sections.c.id).exists(),
)
_OLDEST_CHECK = (
    select(func.min(check_estimates.c.checked_at_ms))
    .join(sections)
    .where(IS_WATCHED, _IS_OF_SOURCES, sections.c.retired.is_(False))
)
_SCHEDULES = select(check_schedules).where(check_schedules.c.source.in_(bindparam("sources", expanding=True)))
_SAVE_SCHEDULE = update(check_schedules).where(check_schedules.c.source == bindparam("of_source"))
_SAVE_ESTIMATE = update(check_estimates).where(check_estimates.c.section_id == bindparam("row_id"))
# A few at once: as many as begin.
_OLD_RUNS = (
    select(runs.c.number)
    .where(runs.c.stagger == Stagger.BUDGET, runs.c.finished_at_ms < bindparam("before_ms"))
    .order_by(runs.c.finished_at_ms)
    .limit(10)
)
_DELETE_RUNS = delete(runs).where(runs.c.number.in_(_OLD_RUNS.scalar_subquery()))
_TIMES = ("checked_at", "answered_at", "changed_at")


@dataclass(frozen=True, slots=True)
class WatchedSection:
    """A watched section and its activity.

    Shape: `open_seats` are those of the last answer, at `observed_at` in hours since the epoch.
    """

    row_id: int
    key: SectionKey
    open_seats: int | None
    observed_at: float | None
    is_missing: bool
    is_retired: bool
    is_planned: bool
    activity: SectionActivity


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """The next checks of one source, and what changes with them.

    Shape: `changed` are the sections whose activity is to be stored, `chosen` those to check.
    """

    source: str
    activity: SourceActivity
    planned_at: datetime
    due_at: datetime
    chosen: Sequence[SectionKey] = ()
    changed: Sequence[WatchedSection] = field(default=(), repr=False)


class CheckPlans:
    """Reading schedules; `store.runs.runs` saves a plan when its run starts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_due(self, sources: Collection[str], now: datetime) -> bool:
        """Return whether a check of one of `sources` may be due, or a watched section was never planned.

        A time that is too far ahead comes from a clock that was set back.
        """
        due_at = self.due_at(sources)
        if due_at is None or not now < due_at <= now + _LONGEST:
            return True
        with self._database.read() as connection:
            return connection.execute(_UNPLANNED.limit(1), {"sources": list(sources)}).first() is not None

    def due_at(self, sources: Collection[str]) -> datetime | None:
        """Return when the next check of one of `sources` is due; None if one of them was never planned."""
        query = _SCHEDULES.with_only_columns(func.min(check_schedules.c.due_at_ms), func.count())
        with self._database.read() as connection:
            due_at_ms, planned = connection.execute(query, {"sources": list(sources)}).one()
        return from_ms_or_none(due_at_ms) if planned == len(sources) else None

    def oldest_check_at(self, sources: Collection[str]) -> datetime | None:
        """Return when the watched section of `sources` that has waited longest was checked, or None."""
        with self._database.read() as connection:
            return from_ms_or_none(connection.execute(_OLDEST_CHECK, {"sources": list(sources)}).scalar())

    def activities(self, sources: Collection[str]) -> dict[str, SourceActivity]:
        """Return the activity of each of `sources`."""
        with self._database.read() as connection:
            rows = connection.execute(_SCHEDULES, {"sources": list(sources)}).mappings()
            found = {row["source"]: _activity_of(row) for row in rows}
        return {source: found.get(source) or SourceActivity() for source in sources}

    def watched(self, sources: Iterable[str]) -> list[WatchedSection]:
        """Return the watched sections of `sources`."""
        with self._database.read() as connection:
            rows = connection.execute(_WATCHED, {"sources": list(sources)}).mappings()
            return [_section_of(row) for row in rows]


def save(connection: Connection, plans: Iterable[CheckPlan]) -> None:
    """Store what changes with `plans`, and delete the runs of plans that ended long ago."""
    for plan in plans:
        connection.execute(_DELETE_RUNS, {"before_ms": to_ms(plan.planned_at - RETENTION)})
        _save_schedule(connection, plan)
        rows = {section.row_id: _columns_of(section.activity) for section in plan.changed}
        new = [section.row_id for section in plan.changed if not section.is_planned]
        if new:
            insert_all_new(connection, check_estimates, [{"section_id": i, **rows.pop(i)} for i in new])
        if rows:
            connection.execute(_SAVE_ESTIMATE, [{"row_id": i, **columns} for i, columns in rows.items()])


def _save_schedule(connection: Connection, plan: CheckPlan) -> None:
    columns = {
        "planned_at_ms": to_ms(plan.planned_at),
        "due_at_ms": to_ms(plan.due_at),
        "activity": _json_of(plan.activity),
    }
    if connection.execute(_SAVE_SCHEDULE, {"of_source": plan.source} | columns).rowcount == 0:
        insert_all_new(connection, check_schedules, [{"source": plan.source} | columns])


def _section_of(row: RowMapping) -> WatchedSection:
    is_planned = row["section_id"] is not None
    activity = SectionActivity()
    if is_planned:
        activity = SectionActivity(
            open_seats=row["open_seats"],
            **{name: _hours(row[f"{name}_ms"]) for name in _TIMES},
            openings=row["openings"],
            exposure=row["exposure"],
        )
    return WatchedSection(
        row_id=row["id"],
        key=SectionKey(row["source"], row["term"], row["number"]),
        open_seats=row["seats_now"],
        observed_at=_hours(row["observed_at_ms"]),
        is_missing=row["misses"] > 0,
        is_retired=row["retired"],
        is_planned=is_planned,
        activity=activity,
    )


def _columns_of(activity: SectionActivity) -> dict[str, Any]:
    times = {f"{name}_ms": _ms(getattr(activity, name)) for name in _TIMES}
    return times | {
        "open_seats": activity.open_seats,
        "openings": activity.openings,
        "exposure": activity.exposure,
    }


def _json_of(activity: SourceActivity) -> dict[str, Any]:
    return {
        "openings": activity.openings.counts,
        "closings": activity.closings.counts,
        "weekdays": activity.weekdays.counts,
        "burst": activity.burst,
        "burst_at": activity.burst_at,
        "allowance": activity.allowance,
        "saved": activity.saved,
    }


def _activity_of(row: RowMapping) -> SourceActivity:
    stored = dict(row["activity"])
    return SourceActivity(
        openings=Rhythm.daily(stored.pop("openings")),
        closings=Rhythm.daily(stored.pop("closings")),
        weekdays=Rhythm.weekly(stored.pop("weekdays")),
        planned_at=_hours(row["planned_at_ms"]),
        **stored,
    )


def _hours(moment_ms: int | None) -> float | None:
    return None if moment_ms is None else moment_ms / HOUR_MS


def _ms(hours: float | None) -> int | None:
    return None if hours is None else round(hours * HOUR_MS)
