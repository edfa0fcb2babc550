"""When runs and source answers are expected, and when they last came."""

from __future__ import annotations

from datetime import datetime

from actors.services import Services
from domain.section import Stagger
from observability.checks.snapshot import RunSchedule, SourceStatus
from store.watches import Audience


def run_times(services: Services, *, is_scheduled: bool) -> RunSchedule:
    """Return when runs were expected and finished.

    Without the scheduler, runs are expected after one over HTTP.
    """
    runs, now = services.store.runs, services.clock.now()
    return RunSchedule(
        expected_since=runs.first_opened_at(None if is_scheduled else "http"),
        finished_at=runs.last_finished_at(),
        succeeded_at=runs.last_succeeded_at(),
        two_ago=services.timetable.slot_before(Stagger.ALL, now, 2),
    )


def sources(services: Services, *, is_scheduled: bool) -> dict[str, SourceStatus]:
    """Return each source's status. Sections may all be in one half: patience is two of its intervals."""
    store, timetable, now = services.store, services.timetable, services.clock.now()
    seen, audiences = store.sections.last_success(now), store.watches.audiences()
    expected_since = run_times(services, is_scheduled=is_scheduled).expected_since
    two_ago = min(timetable.slot_before(half, now, 2) for half in (Stagger.EVEN, Stagger.ODD))
    interval = timetable.slot(Stagger.ALL, now) - timetable.slot_before(Stagger.ALL, now, 1)
    found = {}
    for name in services.sources:
        audience = audiences.get(name)
        since = _heard(seen.get(name), audience, expected_since)
        is_silent = since is not None and since < two_ago
        found[name] = SourceStatus(seen.get(name), audience, since if is_silent else None, interval)
    return found


def _heard(
    seen_at: datetime | None, audience: Audience | None, expected_since: datetime | None
) -> datetime | None:
    """Return since when a source is expected to answer; None while no watch needs it."""
    if audience is None or expected_since is None:
        return None
    return max(at for at in (seen_at, audience.since, expected_since) if at is not None)
