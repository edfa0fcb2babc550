from __future__ import annotations

from collections import Counter

from bench.api import Run
from bench.chaos.drivers import Round
from bench.chaos.verification import Answers, assess, committed_answers
from bench.replay.oracle import Mail, ObservationPoint
from bench.replay.season import Check, Reading, Timeline

ADA = "ada@campus.test"
FIRST = Mail(ADA, "seat_available", "12", 1)
SEASON = {
    section: Timeline((0, 10), tuple(Reading("CSE 1", "A01", "Staff", seats, 40) for seats in (0, 3)))
    for section in ("12", "14")
}
WATCHERS = {"12": [ADA], "14": [ADA]}
ALL = {(section, time_ms): 200 for section in SEASON for time_ms in (0, 10)}


def round_at(time_ms: int, checked: int = 2, state: str = "finished", given_up: str = "") -> Round:
    run = Run(f"r{time_ms}", state, None, 2, checked, 2 - checked, None, None)
    return Round(Check(time_ms, "even"), run, 300.0, frozenset(given_up.split()))


def without(*points: ObservationPoint) -> dict[ObservationPoint, int]:
    return {point: status for point, status in ALL.items() if point not in points}


def test_what_was_answered_and_checked_was_observed() -> None:
    committed = committed_answers([round_at(0), round_at(10)], Answers(ALL))
    assert (committed.observed, committed.ambiguous, committed.violations) == (set(ALL), set(), [])


def test_a_section_that_was_never_answered_was_not_observed() -> None:
    committed = committed_answers([round_at(0), round_at(10, checked=1)], Answers(without(("12", 10))))
    assert ("12", 10) not in committed.observed
    assert (committed.ambiguous, committed.violations) == (set(), [])


def test_an_answer_that_was_lost_before_the_section_was_given_up_was_not_observed() -> None:
    committed = committed_answers([round_at(0), round_at(10, checked=1, given_up="12")], Answers(ALL))
    assert ("12", 10) not in committed.observed
    assert (committed.ambiguous, committed.violations) == (set(), [])


def test_a_section_that_the_catalog_did_not_know_and_may_have_been_given_up_is_ambiguous() -> None:
    committed = committed_answers([round_at(0), round_at(10, checked=1)], Answers(ALL | {("12", 10): 404}))
    assert (committed.ambiguous, committed.violations) == ({"12"}, [])


def test_a_count_that_nothing_explains_is_a_violation() -> None:
    few, many = round_at(0, checked=1), round_at(10, checked=3)
    assert committed_answers([few, many], Answers(ALL)).violations == [
        "run r0: 1 checked, but 2 answered and committed",
        "run r10: 3 checked, but 2 answered and committed",
    ]


def test_the_right_mails_have_no_violations() -> None:
    sent = Counter([FIRST, FIRST._replace(section="14")])
    assert assess(SEASON, [round_at(0), round_at(10)], WATCHERS, Answers(ALL), sent).violations == []


def test_an_opening_that_the_scraper_did_not_report_is_not_expected() -> None:
    answers, rounds = Answers(without(("12", 10))), [round_at(0), round_at(10, checked=1)]
    assert assess(SEASON, rounds, WATCHERS, answers, Counter([FIRST])).violations == [
        f"missing 1 x: {ADA} seat_available 14 1",
        f"unexpected 1 x: {ADA} seat_available 12 1",
    ]


def test_an_ambiguous_section_is_not_verified() -> None:
    answers, rounds = Answers(ALL | {("12", 10): 404}), [round_at(0), round_at(10, checked=1)]
    assessment = assess(SEASON, rounds, WATCHERS, answers, Counter([FIRST._replace(section="14")]))
    assert (assessment.ambiguous, assessment.violations) == ({"12"}, [])


def test_a_mail_that_came_twice_is_a_violation() -> None:
    sent = Counter({FIRST: 2, FIRST._replace(section="14"): 1})
    assessment = assess(SEASON, [round_at(0), round_at(10)], WATCHERS, Answers(ALL), sent)
    assert assessment.violations == [f"doubled 1 x: {ADA} seat_available 12 1"]


def test_a_run_that_does_not_end_is_a_violation() -> None:
    assessment = assess(SEASON, [round_at(0, state="running")], WATCHERS, Answers(ALL), Counter())
    assert "run r0 was running after 300 s" in assessment.violations
