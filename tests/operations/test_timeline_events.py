from __future__ import annotations

from datetime import UTC, datetime, timedelta

from operations.timeline_events import Event, EventType, newest_first

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def test_the_newest_comes_first_and_of_one_moment_what_followed() -> None:
    sent, seen = Event(NOW, EventType.SENT, ""), Event(NOW, EventType.SEEN, "")
    before = Event(NOW - timedelta(seconds=1), EventType.SENT, "")
    assert newest_first([before, seen, sent]) == [sent, seen, before]
