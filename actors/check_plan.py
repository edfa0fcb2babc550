"""Plans the next checks of each source by its check schedule (`CHECK_SCHEDULE=budget`).

The dispatcher of a run plans under the cron lease, and the plan is stored in the transaction that starts the
run: a dispatcher that dies before has spent nothing, and one that lost its lease stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from actors.services import Services
from domain.catalog_poll import MISS_INTERVAL
from domain.check_schedule import LONGEST_ACCRUAL_HOURS, CheckSchedule, SourceActivity
from store.check_plans import HOUR_MS, CheckPlan, WatchedSection
from store.database import from_ms, to_ms
from store.sections.states import LOOK_AGAIN_AFTER, RETIRED_AT_ONCE

PERIOD = timedelta(minutes=1)
"""How often the schedule asks whether a check is due."""


def available_sources(services: Services, now: datetime) -> list[str]:
    """Return the sources that are not paused and whose breaker permits requests."""
    return [
        source
        for source in services.sources
        if services.store.pauses.paused(source, now) is None and _may_permit(services, source)
    ]


def is_check_due(services: Services, now: datetime) -> bool:
    """Return whether the check schedule of an available source may choose a section at `now`."""
    sources = available_sources(services, now)
    return bool(sources) and services.store.check_plans.is_due(sources, now)


def plan_checks(services: Services, now: datetime) -> list[CheckPlan]:
    """Return the plan of each available source. It is in force once it is stored."""
    sources = available_sources(services, now)
    activities = services.store.check_plans.activities(sources)
    watched: dict[str, list[WatchedSection]] = {source: [] for source in sources}
    for section in services.store.check_plans.watched(sources):
        watched[section.key.source].append(section)
    return [_plan(source, activities[source], watched[source], now) for source in sources]


def _plan(
    source: str, activity: SourceActivity, watched: Sequence[WatchedSection], now: datetime
) -> CheckPlan:
    now_hours, schedule = to_ms(now) / HOUR_MS, CheckSchedule(activity)
    listed = [each for each in watched if not each.is_retired and not _has_just_been_missed(each, now_hours)]
    answered = [section for section in listed if _record(schedule, section, now_hours)]
    activities = [section.activity for section in listed]
    chosen = schedule.choose(activities, now_hours, now_hours + _horizon(activity, now_hours))
    by_activity = {id(section.activity): section for section in listed}
    checked = [by_activity[id(each)] for each in chosen]
    retired = _retired(watched, now_hours)
    due_at = from_ms(round(schedule.next_choice(activities, now_hours) * HOUR_MS))
    changed = {section.row_id: section for section in (*answered, *checked, *retired)}
    keys = [section.key for section in (*checked, *retired)]
    return CheckPlan(source, activity, now, due_at, keys, list(changed.values()))


def _has_just_been_missed(section: WatchedSection, now: float) -> bool:
    """Return whether another miss would come too soon: each counts towards the section's retirement."""
    since = now - MISS_INTERVAL / timedelta(hours=1)
    return section.is_missing and since < (section.activity.checked_at or 0.0) <= now


def _horizon(activity: SourceActivity, now: float) -> float:
    """Return the hours to the next choice at the latest; an HTTP cron may be slower than the scheduler."""
    elapsed = 0.0 if activity.planned_at is None else now - activity.planned_at
    return max(2 * PERIOD / timedelta(hours=1), min(elapsed, LONGEST_ACCRUAL_HOURS))


def _record(schedule: CheckSchedule, section: WatchedSection, now: float) -> bool:
    """Record an answer that came since the last plan; return whether there was one.

    Times ahead of `now` come from a clock that was set back.
    """
    activity = section.activity
    answered_at = -1.0 if activity.answered_at is None else min(activity.answered_at, now)
    if section.observed_at is None or min(section.observed_at, now) <= answered_at:
        return False
    observed_at = min(section.observed_at, now)
    schedule.record(activity, section.open_seats, observed_at)
    activity.checked_at = max(activity.checked_at or 0.0, observed_at)  # also by a run of all sections
    return True


def _retired(watched: Sequence[WatchedSection], now: float) -> list[WatchedSection]:
    """Return retired sections to check, once a day as in the stagger: they may be listed again."""
    earliest = now - LOOK_AGAIN_AFTER / timedelta(hours=1)
    due = [
        section
        for section in watched
        if section.is_retired and not earliest <= (section.activity.checked_at or 0.0) <= now
    ]
    due = sorted(due, key=lambda section: section.activity.checked_at or 0.0)[:RETIRED_AT_ONCE]
    for section in due:
        section.activity.checked_at = now
    return due


def _may_permit(services: Services, source: str) -> bool:
    snapshot = services.breakers[source].snapshot()
    return snapshot.state != "open" or snapshot.retry_after_seconds == 0
