from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.history import HistoryEntry
from domain.section import SectionKey
from operations.timeline_events import Event, EventType, newest_first, observations

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
KEY = SectionKey("scraper", "2261", "12430")
HOUR = timedelta(hours=1)
HISTORY = [HistoryEntry(NOW, 1, 30, None), HistoryEntry(NOW - HOUR, 0, 30, None)]


def test_the_newest_comes_first_and_of_one_moment_what_followed() -> None:
    sent, seen = Event(NOW, EventType.SENT, ""), Event(NOW, EventType.SEEN, "")
    before = Event(NOW - timedelta(seconds=1), EventType.SENT, "")
    assert newest_first([before, seen, sent]) == [sent, seen, before]


def test_the_oldest_observation_of_a_whole_history_is_the_first() -> None:
    changed, first = observations(KEY, HISTORY, NOW - HOUR)
    assert (changed.at, changed.text) == (NOW, "0 open of 30 → 1 open of 30")
    assert (first.at, first.text) == (NOW - HOUR, "first seen: 0 open of 30")


def test_where_older_observations_are_not_shown_none_is_said_to_be_the_first() -> None:
    _, oldest = observations(KEY, HISTORY, NOW - 9 * HOUR)
    assert oldest.text == "older observations are not shown, then: 0 open of 30"


def test_a_section_that_was_never_seen_has_no_observations() -> None:
    assert list(observations(KEY, [], None)) == []
