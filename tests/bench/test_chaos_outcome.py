from __future__ import annotations

from collections import Counter

from bench.api import Run
from bench.chaos.lanes import Round
from bench.chaos.outcome import Answers, account, judge_rounds
from bench.replay.oracle import Mail, Sight
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


def without(*sights: Sight) -> dict[Sight, int]:
    return {sight: status for sight, status in ALL.items() if sight not in sights}


def test_what_was_answered_and_checked_was_seen() -> None:
    told = account([round_at(0), round_at(10)], Answers(ALL))
    assert (told.seen, told.doubtful, told.faults) == (set(ALL), set(), [])


def test_a_section_that_was_never_answered_was_not_seen() -> None:
    told = account([round_at(0), round_at(10, checked=1)], Answers(without(("12", 10))))
    assert ("12", 10) not in told.seen
    assert (told.doubtful, told.faults) == (set(), [])


def test_an_answer_that_was_lost_before_the_section_was_given_up_was_not_seen() -> None:
    told = account([round_at(0), round_at(10, checked=1, given_up="12")], Answers(ALL))
    assert ("12", 10) not in told.seen
    assert (told.doubtful, told.faults) == (set(), [])


def test_a_section_that_the_catalog_did_not_know_and_may_have_been_given_up_is_undecided() -> None:
    told = account([round_at(0), round_at(10, checked=1)], Answers(ALL | {("12", 10): 404}))
    assert (told.doubtful, told.faults) == ({"12"}, [])


def test_a_count_that_nothing_explains_is_a_fault() -> None:
    few, many = round_at(0, checked=1), round_at(10, checked=3)
    assert account([few, many], Answers(ALL)).faults == [
        "run r0: 1 checked, but 2 answered and kept",
        "run r10: 3 checked, but 2 answered and kept",
    ]


def test_the_right_mails_have_no_faults() -> None:
    sent = Counter([FIRST, FIRST._replace(section="14")])
    assert judge_rounds(SEASON, [round_at(0), round_at(10)], WATCHERS, Answers(ALL), sent).faults == []


def test_an_opening_that_the_scraper_did_not_report_is_not_expected() -> None:
    answers, rounds = Answers(without(("12", 10))), [round_at(0), round_at(10, checked=1)]
    assert judge_rounds(SEASON, rounds, WATCHERS, answers, Counter([FIRST])).faults == [
        f"missing 1 x: {ADA} seat_available 14 1",
        f"unexpected 1 x: {ADA} seat_available 12 1",
    ]


def test_a_section_undecided_is_not_judged() -> None:
    answers, rounds = Answers(ALL | {("12", 10): 404}), [round_at(0), round_at(10, checked=1)]
    judgement = judge_rounds(SEASON, rounds, WATCHERS, answers, Counter([FIRST._replace(section="14")]))
    assert (judgement.doubtful, judgement.faults) == ({"12"}, [])


def test_a_mail_that_came_twice_is_a_fault() -> None:
    sent = Counter({FIRST: 2, FIRST._replace(section="14"): 1})
    judgement = judge_rounds(SEASON, [round_at(0), round_at(10)], WATCHERS, Answers(ALL), sent)
    assert judgement.faults == [f"doubled 1 x: {ADA} seat_available 12 1"]


def test_a_run_that_does_not_end_is_a_fault() -> None:
    judgement = judge_rounds(SEASON, [round_at(0, state="running")], WATCHERS, Answers(ALL), Counter())
    assert "run r0 was running after 300 s" in judgement.faults
