from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.availability import SeatFacts, observation
from domain.catalog import CatalogFault
from domain.catalog_poll import GuardState, TermPoll
from domain.observation import Observation, SectionStatus
from domain.poll_judgement import (
    DRIFT,
    PollEvidence,
    PollHistory,
    doubt_about_counts,
    doubt_about_openings,
    doubt_about_poll,
    doubt_about_rows,
    guard_after,
    learned,
    most_openings,
)
from domain.section import SectionKey
from tests.test_replay import DATA

NOW = datetime(2026, 8, 20, 15, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
POLL = TermPoll("utsa", "202420", completed_at=NOW - MINUTE, known_rows=12_000)
NEW = PollHistory()
SEASONED = PollHistory(opening_rate=0.001, hours=400, seatless=0.1)


def rows(count: int, *, seatless: int = 0) -> list[Observation]:
    return [
        observation(
            SectionKey("utsa", "202420", str(n)), NOW, SeatFacts(own=n >= seatless, status=SectionStatus.OPEN)
        )
        for n in range(count)
    ]


def evidence(count: int, openings: int = 0, seatless: int = 0, as_of: datetime | None = None) -> PollEvidence:
    return PollEvidence(count, seatless, openings, as_of)


def test_a_term_that_lost_more_than_half_of_its_rows_is_doubtful() -> None:
    doubt = doubt_about_rows(POLL, 5_999, 12_000)
    assert doubt == "202420 has 5\u202f999 sections, and had 12\u202f000"
    assert doubt_about_rows(POLL, 9, 100, "subjects CSE") == "subjects CSE has 9 sections, and had 100"
    assert doubt_about_rows(POLL, 6_000, 12_000) is None
    assert doubt_about_rows(POLL, 0, None) is None
    assert doubt_about_rows(POLL, 1, 4) is None


def test_an_answer_whose_rows_lost_their_counts_is_doubtful() -> None:
    assert doubt_about_counts(POLL, 100, 51) == "51 of 100 sections no longer state a count of seats"
    assert doubt_about_counts(POLL, 100, 50) is None
    assert doubt_about_counts(POLL, 10, 10) is None


@pytest.mark.parametrize(
    ("rows_", "hours", "history", "most"),
    [
        (100, 0.02, NEW, 40),
        (12_000, 0.02, NEW, 3_000),
        (100, 24, NEW, 240),  # the usual rate, until a week is known
        (100, 24, SEASONED, 48),
        (100, 24, PollHistory(opening_rate=0.1, hours=400), 4_800),
    ],
)
def test_the_most_plausible_openings(rows_: int, hours: float, history: PollHistory, most: int) -> None:
    assert most_openings(history, rows_, hours) == most


def test_more_openings_than_plausible_are_doubtful_until_the_operator_decides() -> None:
    many = evidence(12_000, openings=3_001)
    doubt = doubt_about_openings(POLL, NEW, many, NOW)
    assert doubt == (
        "3\u202f001 sections of 12\u202f000 would open at once; at most 3\u202f000 are plausible"
    )
    assert doubt_about_openings(POLL, NEW, evidence(12_000, openings=3_000), NOW) is None
    for decision in (GuardState.RELEASED, GuardState.DISCARDED):
        assert doubt_about_openings(replace(POLL, guard=decision), NEW, many, NOW) is None


def test_a_jump_of_open_sections_without_a_seat_is_doubtful_in_a_whole_term_only() -> None:
    jump = evidence(100, seatless=41)
    assert doubt_about_poll(replace(POLL, known_rows=100), SEASONED, jump, 100, NOW) == (
        '41% of the sections are "open" without a seat; it was 10%'
    )
    assert doubt_about_poll(POLL, SEASONED, jump, None, NOW) is None
    assert doubt_about_poll(POLL, NEW, jump, None, NOW) is None


def test_a_stamp_that_stands_still_is_doubtful_only_where_it_usually_moves() -> None:
    old = evidence(100, as_of=NOW - timedelta(hours=37))
    nightly = PollHistory(stamp_seconds=86_400, stamp_moves=9)
    half_hourly = PollHistory(stamp_seconds=1_800, stamp_moves=9)
    assert doubt_about_poll(POLL, half_hourly, old, None, NOW) == (
        "its data is 1 d 13 h old; it is renewed every 30 min"
    )
    assert doubt_about_poll(POLL, nightly, old, None, NOW) is None
    assert doubt_about_poll(POLL, replace(half_hourly, stamp_moves=2), old, None, NOW) is None
    assert doubt_about_poll(POLL, NEW, old, None, NOW) is None


def test_a_good_poll_teaches_the_rate_the_shares_and_the_interval_of_the_stamp() -> None:
    poll = replace(POLL, completed_at=NOW - HOUR, as_of=NOW - 2 * HOUR)
    seen = evidence(100, openings=2, seatless=5, as_of=NOW - HOUR)
    known = learned(poll, NEW, seen, NOW)
    assert known == PollHistory(0.02, 1.0, 0.05, 3_600, 1)
    part = learned(poll, known, evidence(50), NOW, {"subjects CSE": 50})
    assert part == replace(known, opening_rate=0.01, hours=2.0, scopes={"subjects CSE": 50})
    assert PollHistory.of(part.to_dict() | {"of a later release": 1}) == part


def guards(*faults: CatalogFault | None, start: TermPoll = POLL) -> Iterator[GuardState]:
    """The guard after each of consecutive polls with `faults`."""
    poll = start
    for fault in faults:
        guard = guard_after(poll, fault)
        poll = replace(
            poll,
            guard=guard,
            fault=fault,
            failures=poll.failures + 1 if fault else 0,
            good_polls=0 if fault else poll.good_polls + 1,
        )
        yield guard


CLEAR, FROZEN = GuardState.CLEAR, GuardState.FROZEN


def test_two_bad_polls_in_a_row_freeze_and_two_good_ones_thaw() -> None:
    bad = CatalogFault.SCHEMA
    assert list(guards(bad, None, bad)) == [CLEAR, CLEAR, CLEAR]
    assert list(guards(bad, CatalogFault.PARTIAL, None, None)) == [CLEAR, FROZEN, FROZEN, CLEAR]
    assert list(guards(bad, bad, None, bad, None, None))[1:] == [FROZEN, FROZEN, FROZEN, FROZEN, CLEAR]


@pytest.mark.parametrize("fault", sorted(set(CatalogFault) - DRIFT))
def test_a_poll_without_an_answer_does_not_freeze(fault: CatalogFault) -> None:
    assert set(guards(fault, fault, fault)) == {CLEAR}


def test_a_term_that_is_gone_freezes_at_once() -> None:
    assert list(guards(CatalogFault.SESSION, CatalogFault.TERM_GONE)) == [CLEAR, FROZEN]


def test_implausible_openings_hold_whatever_the_guard_until_they_are_plausible_twice() -> None:
    for guard in (CLEAR, FROZEN, GuardState.HELD):
        poll = replace(POLL, guard=guard)
        assert guard_after(poll, CatalogFault.DOUBTFUL, is_held=True) is GuardState.HELD
    assert list(guards(None, None, start=replace(POLL, guard=GuardState.HELD))) == [GuardState.HELD, CLEAR]


@pytest.mark.parametrize("guard", [GuardState.RELEASED, GuardState.DISCARDED])
def test_a_decision_ends_with_the_next_good_poll(guard: GuardState) -> None:
    bad = CatalogFault.PARTIAL
    assert list(guards(bad, bad, None, start=replace(POLL, guard=guard))) == [guard, guard, CLEAR]


@given(
    faults=st.lists(st.sampled_from([None, *CatalogFault]), max_size=30),
    start=st.sampled_from([GuardState.CLEAR, GuardState.FROZEN, GuardState.HELD]),
)
def test_only_two_good_polls_in_a_row_end_a_guard(
    faults: list[CatalogFault | None], start: GuardState
) -> None:
    found = [start, *guards(*faults, start=replace(POLL, guard=start))]
    for n in range(1, len(found)):
        if found[n - 1] is not CLEAR and found[n] is CLEAR:
            assert n >= 2
            assert faults[n - 2 : n] == [None, None]


def openings_by_poll(every: timedelta) -> Iterator[tuple[datetime, int]]:
    """The number of openings between polls of the recorded season."""
    seats: dict[str, int] = {}
    opened: set[str] = set()
    at: datetime | None = None
    with gzip.open(DATA) as file:
        for row in csv.DictReader(io.TextIOWrapper(file)):
            now = datetime.fromtimestamp(int(row["observed_at_ms"]) / 1000, UTC)
            at = at or now
            while now >= at + every:
                at += every
                yield at, len(opened)
                opened.clear()
            section, left = row["section_id"], int(row["seats_available"])
            if seats.get(section, 1) <= 0 < left:
                opened.add(section)
            seats[section] = left


@pytest.mark.skipif(not DATA.exists(), reason="the recorded season is not here")
@pytest.mark.parametrize("every", [timedelta(minutes=1), timedelta(minutes=30), HOUR, 24 * HOUR])
@pytest.mark.parametrize("copies", [1, 50])
def test_the_recorded_season_never_trips(every: timedelta, copies: int) -> None:
    """At any interval, in a catalog of its size, and in one that is larger and moves as one."""
    history, poll = NEW, replace(POLL, completed_at=None)
    for at, openings in openings_by_poll(every):
        seen = evidence(100 * copies, openings=openings * copies)
        assert doubt_about_openings(poll, history, seen, at) is None
        history = learned(poll, history, seen, at)
        poll = replace(poll, completed_at=at)


@pytest.mark.skipif(not DATA.exists(), reason="the recorded season is not here")
def test_a_catalog_that_shows_every_full_section_open_trips_in_any_week_of_the_recorded_season() -> None:
    history, poll = NEW, replace(POLL, completed_at=None)
    for at, openings in openings_by_poll(HOUR):
        false = evidence(12_000, openings=4_000)
        assert doubt_about_openings(replace(poll, completed_at=at - MINUTE), history, false, at) is not None
        seen = evidence(100, openings=openings)
        history, poll = learned(poll, history, seen, at), replace(poll, completed_at=at)
