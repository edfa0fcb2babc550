from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.history import HistoryEntry
from ingress.console.charts import SeatsChart, seats_chart

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def chart(*counts: int | None) -> SeatsChart | None:
    """Of one sighting an hour, the oldest first, the last an hour ago."""
    oldest = NOW - timedelta(hours=len(counts))
    seen = [HistoryEntry(oldest + timedelta(hours=at), n, 30, None) for at, n in enumerate(counts)]
    return seats_chart(seen[::-1], NOW)


def test_the_line_steps_at_each_observation_and_goes_on_until_now() -> None:
    found = chart(0, 2, 1)
    assert found is not None
    assert found.path == "M0.0 110.0H200.0V0.0H400.0V55.0H600.0"
    assert (found.most, found.since) == (2, NOW - timedelta(hours=3))


def test_unknown_seats_break_it() -> None:
    found = chart(1, None, 1)
    assert found is not None
    assert found.path == "M0.0 0.0H200.0M400.0 0.0H600.0"


def test_a_section_that_was_always_full_has_a_line_on_the_floor() -> None:
    found = chart(0)
    assert found is not None
    assert (found.path, found.most) == ("M0.0 110.0H600.0", 0)


def test_without_any_number_there_is_no_line() -> None:
    assert chart() is None
    assert chart(None, None) is None
