from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog import (
    BlockedError,
    MaintenanceError,
    PartialAnswerError,
    RouteGoneError,
)
from domain.catalog_poll import (
    MISS_INTERVAL,
    ScopeProgress,
    TermPoll,
    WatchedRow,
    counts_as_miss,
    digest,
    is_overdue,
    may_hide_seats,
    next_due,
    retry_due,
    with_details,
)
from domain.errors import RateLimitedError, RollcallError, UnreachableError
from domain.observation import Details, Missing, Observation, SectionStatus
from domain.section import SectionKey
from domain.section_state import SectionState, miss

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = SectionKey("boulder", "2261", "12430")
SEEN = Observation(KEY, NOW, 1, 30, "Ada Lovelace", Details("CSCI 1300", "Programming"), is_counted=False)


@given(st.lists(st.sets(st.sampled_from("abcdef"), max_size=3), max_size=5), st.integers(0, 7))
def test_a_scope_is_complete_only_with_as_many_distinct_sections_as_its_answers_state(
    pages: list[set[str]], total: int
) -> None:
    scope = ScopeProgress(pending=len(pages))
    for page in pages:
        assert not scope.is_complete
        scope.add(page, total, continues=False)
    assert scope.is_complete == (not pages or len(set().union(*pages)) == total)


def test_a_scope_without_totals_is_complete_when_each_unit_has_answered() -> None:
    scope = ScopeProgress(pending=2)
    scope.add(["a"], None, continues=False)
    assert not scope.is_complete
    scope.add([], None, continues=False)
    assert scope.is_complete


def test_a_scope_whose_total_changes_between_its_pages_is_incomplete() -> None:
    scope = ScopeProgress(pending=2)
    scope.add(["a"], 2, continues=False)
    scope.add(["b", "c"], 3, continues=False)
    assert not scope.is_complete


def test_a_scope_waits_for_its_continuations_and_a_failed_unit_leaves_it_incomplete() -> None:
    scope = ScopeProgress(pending=1)
    scope.add(["a"], 2, continues=True)
    assert not scope.is_complete
    scope.add(["b"], 2, continues=False)
    assert scope.is_complete
    scope.fail()
    assert not scope.is_complete


@pytest.mark.parametrize(
    "changes",
    [
        {"open_seats": 2},
        {"capacity": 31},
        {"instructor": "Grace Hopper"},
        {"unreserved_seats": 1},
        {"status": SectionStatus.OPEN},
        {"is_counted": True},
        {"waitlist_places": 1},
        {"waitlist_length": 0},
        {"details": Details("CSCI 1300", "Programming", "ECCR 105")},
    ],
)
def test_each_statement_about_a_section_changes_its_digest(changes: dict[str, object]) -> None:
    assert digest(replace(SEEN, **changes)) != digest(SEEN)  # type: ignore[arg-type] # its fields


def test_times_and_the_key_do_not_change_a_digest() -> None:
    later = replace(SEEN, observed_at=NOW + MINUTE, as_of=NOW, took_seconds=2.0)
    assert digest(later) == digest(SEEN)


def test_details_count_and_the_row_fills_their_gaps() -> None:
    detailed = Observation(KEY, NOW + MINUTE, 5, None, None, Details(location="ECCR 105"))
    found = with_details(replace(SEEN, status=SectionStatus.OPEN, as_of=NOW), detailed)
    assert (found.open_seats, found.is_counted, found.observed_at) == (5, True, NOW + MINUTE)
    assert (found.capacity, found.instructor, found.status, found.as_of) == (
        30,
        "Ada Lovelace",
        SectionStatus.OPEN,
        NOW,
    )
    assert found.details == Details("CSCI 1300", "Programming", "ECCR 105")


@pytest.mark.parametrize(
    ("is_counted", "open_seats", "hides"), [(False, 1, True), (True, 0, True), (True, 3, False)]
)
def test_an_unchanged_row_may_hide_seats_that_only_its_details_state(
    is_counted: bool, open_seats: int, hides: bool
) -> None:
    row = WatchedRow(1, "12430", "CSCI 1300", open_seats, is_counted, is_retired=False)
    assert may_hide_seats(row, SEEN) is hides


def test_a_section_that_is_missing_for_long_is_missed_once_in_half_an_hour() -> None:
    state = SectionState(KEY, observed_at=NOW)
    assert counts_as_miss(state, NOW + MINUTE)
    missed = miss(state, Missing(KEY, NOW + MINUTE))
    assert not counts_as_miss(missed, NOW + MISS_INTERVAL)
    assert counts_as_miss(missed, NOW + MINUTE + MISS_INTERVAL)


@given(st.floats(0, 1))
def test_a_good_poll_is_followed_by_the_next_an_interval_after_its_start(jitter: float) -> None:
    due = next_due(NOW, NOW + timedelta(seconds=20), MINUTE, jitter)
    assert NOW + MINUTE <= due <= NOW + timedelta(seconds=62)


def test_a_poll_that_takes_longer_than_its_interval_is_followed_at_once() -> None:
    assert next_due(NOW, NOW + 2 * MINUTE, MINUTE, 0) == NOW + 2 * MINUTE


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (UnreachableError("no route"), [1, 2, 4, 8, 15, 15]),
        (PartialAnswerError("cut"), [1, 2, 4, 8, 10, 10]),
        (MaintenanceError("planned"), [5, 10, 20, 30, 30, 30]),
        (RouteGoneError("404"), [15, 30, 60, 60, 60, 60]),
        (BlockedError("403"), [15, 30, 60, 60, 60, 60]),
        (RateLimitedError("429", retry_after_seconds=180), [3, 3, 4, 8, 15, 15]),
    ],
)
def test_the_wait_after_bad_polls_depends_on_the_fault(error: RollcallError, waits: list[int]) -> None:
    dues = [retry_due(NOW, MINUTE, failures, error) for failures in range(1, 7)]
    assert [(due - NOW) // MINUTE for due in dues] == waits


def test_no_bad_poll_is_repeated_sooner_than_a_good_one() -> None:
    assert retry_due(NOW, 10 * MINUTE, 1, UnreachableError("no route")) == NOW + 10 * MINUTE


def test_a_watched_term_is_overdue_after_ten_intervals_without_a_complete_answer() -> None:
    poll = TermPoll("boulder", "2261")
    assert not is_overdue(poll, NOW, MINUTE, NOW + 15 * MINUTE)
    assert is_overdue(poll, NOW, MINUTE, NOW + 16 * MINUTE)
    answered = replace(poll, completed_at=NOW + 5 * MINUTE)
    assert not is_overdue(answered, NOW, MINUTE, NOW + 16 * MINUTE)
    assert not is_overdue(answered, NOW, 10 * MINUTE, NOW + 100 * MINUTE)
