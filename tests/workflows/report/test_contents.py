from __future__ import annotations

from datetime import timedelta

import pytest

from domain.history import HistoryEntry, SectionHistory
from domain.observation import Details
from tests.workflows.report.examples import at, history
from workflows.report.contents import UNKNOWN, SectionPage, TermFigures, contents_of, duration

MADE_AT = at(100)


def page(found: SectionHistory) -> SectionPage:
    return contents_of("2261", [found], None, MADE_AT).pages[0]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 min"),
        (59, "under 1 min"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3 * 3600 + 20 * 60, "3 h 20 min"),
        (86_400, "1 d"),
        (2 * 86_400 + 4 * 3600 + 59 * 60, "2 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_a_section_is_reported_in_figures() -> None:
    found = page(history((0, 0), (2, 1), (3, 0), (10, 4), (13, 0), until=24))
    assert (found.openings, found.typical, found.longest) == ("2", "2 h", "3 h")
    assert (found.open_share, found.seats, found.instructor) == ("17%", "0 of 30", "Ann")
    assert found.opening_rows.shown == [
        ("15 Jan 2026, 10:00 UTC", "4", "3 h"),
        ("15 Jan 2026, 02:00 UTC", "1", "1 h"),
    ]


def test_a_baseline_an_end_and_a_gap_are_reported_as_what_they_are() -> None:
    found = page(history((0, 1), (2, 0), (4, 2), (12, 0), (20, 3), blind=((5, 9),)))
    assert [row[2] for row in found.opening_rows.shown] == [
        "4 h, and still open",
        "at most 8 h, not observed all the time",
        "at least 2 h",
    ]
    assert found.opening_rows.shown[-1][0] == "before 15 Jan 2026, 00:00 UTC"
    assert (found.openings, found.typical) == ("2", UNKNOWN)
    assert found.blind_rows.shown == [("15 Jan 2026, 05:00 to 15 Jan 2026, 09:00 UTC", "4 h")]


def test_what_was_never_observed_is_unknown_and_not_zero() -> None:
    contents = contents_of("2261", [history(number="1"), history(number="2")], None, MADE_AT)
    found = contents.pages[0]
    figures = (found.openings, found.open_share, found.typical, found.longest, found.seats, found.instructor)
    assert figures == (UNKNOWN,) * 6
    assert contents.collected == UNKNOWN
    assert contents.never_observed == "sections 1 and 2"


def test_one_observation_knows_of_no_opening() -> None:
    found = page(history((3, 7), until=3))
    assert (found.openings, found.open_share, found.seats) == (UNKNOWN, UNKNOWN, "7 of 30")
    assert found.opening_rows.shown == [("before 15 Jan 2026, 03:00 UTC", "7", "seen open once")]


def test_seats_that_were_never_notified_are_unknown() -> None:
    found = page(history((0, None), capacity=None))
    assert (found.seats, found.open_share) == (UNKNOWN, UNKNOWN)


def test_only_the_newest_openings_are_listed_and_the_others_counted() -> None:
    seats = [(hour, hour % 2) for hour in range(100)]
    rows = page(history(*seats, until=100)).opening_rows
    assert (len(rows.shown), rows.left_out) == (40, 10)


def test_what_the_catalog_wrote_comes_out_short_and_plain() -> None:
    details = Details("CSE\u202e 100\x07", "A long title " * 50, "", "MWF")
    found = page(history((0, 1), details=details))
    assert (found.course, len(found.title), found.place) == ("CSE 100", 90, "MWF")


def test_an_instructor_change_names_both() -> None:
    entries = [HistoryEntry(at(hour), 0, 30, name) for hour, name in enumerate(("", "Ann"))]
    found = page(SectionHistory(history().key, entries=entries, observed_until=at(2)))
    assert found.change_rows.shown == [("15 Jan 2026, 01:00 UTC", "not assigned", "Ann")]


def test_the_term_is_reported_where_it_is_known() -> None:
    figures = TermFigures(100, 7.5, 0.314, at(0))
    note = contents_of("2261", [history((0, 1))], figures, MADE_AT).term_note
    assert "100 sections" in note
    assert "7.5 times" in note
    assert "31% of the time" in note
    assert contents_of("2261", [history((0, 1))], None, MADE_AT).term_note == ""
