from __future__ import annotations

from collections import Counter

from bench.api import Run
from bench.replay.oracle import Mail, Mails
from bench.replay.outcome import Outcome, ReplayResult
from bench.replay.season import Check
from bench.usage import Usage

MAIL = Mail("ada@campus.test", "seat_available", "12", 1)
CHECKS = [Check(0, "even"), Check(30, "odd")]


def run(state: str = "finished", failed: int = 0) -> Run:
    return Run("r1", state, None, 50, 50, failed, None, None)


def outcome(*runs: Run, sent: Mails) -> Outcome:
    before, after = Usage({"worker": 1.0}, {"worker": 50.0}), Usage({"worker": 1.1}, {"worker": 52.0})
    return Outcome(CHECKS, Counter([MAIL]), ReplayResult(runs, 2.0, sent, before, after, 100, 0))


def test_a_correct_replay_has_no_violations() -> None:
    assert outcome(run(), run(), sent=Counter([MAIL])).violations == []


def test_a_failed_check_is_a_violation() -> None:
    assert outcome(run(), run(failed=3), sent=Counter([MAIL])).violations == [
        "run r1: finished, 3 checks failed, None"
    ]


def test_a_run_that_does_not_finish_is_a_violation_and_so_are_those_after_it() -> None:
    assert outcome(run("running"), sent=Counter([MAIL])).violations == [
        "run r1: running, 0 checks failed, None",
        "1 checks were not run",
    ]


def test_a_missing_mail_is_named() -> None:
    assert outcome(run(), run(), sent=Counter()).violations == [
        "missing 1 x: ada@campus.test seat_available 12 1"
    ]


def test_the_figures_are_per_check() -> None:
    report = outcome(run(), run(), sent=Counter([MAIL])).report()
    assert report["checks"] == 100
    assert report["checks_per_second"] == 50
    assert round(float(str(report["worker_cpu_ms_per_check"])), 6) == 1
