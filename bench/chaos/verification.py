"""Verifies a chaos experiment: the expected mails, and every violation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from bench.chaos.drivers import Round
from bench.replay.oracle import Comparison, Mails, ObservationPoint, compare, expected
from bench.replay.season import Season


@dataclass(frozen=True, slots=True)
class Answers:
    """The scraper's answers: the HTTP status of each section at each moment."""

    statuses: Mapping[ObservationPoint, int]

    def during(self, each: Round) -> set[ObservationPoint]:
        """The answers to the run of a round."""
        check = each.check
        return {point for point in self.statuses if point[1] == check.time_ms and check.covers(point[0])}


@dataclass(frozen=True, slots=True)
class CommittedAnswers:
    """The answers that the runs must have committed.

    The clock stands during a run, so a section has one reading per check, for any number of answers; every
    section that a run counts as checked was answered. Each answer was committed, except for the sections that
    the run gave up: their answers came too late, or to a worker that died. If a run checked fewer sections,
    those that the catalog does not have yet are `ambiguous`, and not verified.
    """

    observed: set[ObservationPoint]
    ambiguous: set[str]
    violations: list[str]


def committed_answers(rounds: Sequence[Round], answers: Answers) -> CommittedAnswers:
    """The committed answers of `rounds`; an unexplained count is a violation."""
    result = CommittedAnswers(set(), set(), [])
    for each in rounds:
        answered, run = answers.during(each), each.run
        committed = {point for point in answered if point[0] not in each.given_up}
        result.observed.update(committed)
        if run.checked == len(committed):
            continue
        unknown = {
            section for section, time_ms in committed if answers.statuses[section, time_ms] != HTTPStatus.OK
        }
        result.ambiguous.update(unknown)
        if not 0 < len(committed) - run.checked <= len(unknown):
            result.violations.append(
                f"run {run.run_id}: {run.checked} checked, but {len(committed)} answered and committed"
            )
    return result


@dataclass(frozen=True, slots=True)
class Assessment:
    """The expected mails, how the sent ones compare, and every violation in words."""

    expected: Mails
    comparison: Comparison
    ambiguous: set[str]
    violations: list[str]


def assess(
    season: Season,
    rounds: Sequence[Round],
    watchers: Mapping[str, Sequence[str]],
    answers: Answers,
    sent: Mails,
) -> Assessment:
    """Verify every mail of every unambiguous section."""
    committed = committed_answers(rounds, answers)
    checks = [each.check for each in rounds]
    verified = {section: people for section, people in watchers.items() if section not in committed.ambiguous}
    wanted = expected(season, checks, verified, committed.observed)
    compared = Mails({mail: times for mail, times in sent.items() if mail.section in verified})
    comparison = compare(wanted, compared)
    violations = [*committed.violations, *_unfinished(rounds), *comparison.violations()]
    return Assessment(wanted, comparison, committed.ambiguous, violations)


def _unfinished(rounds: Sequence[Round]) -> list[str]:
    return [
        f"run {each.run.run_id} was {each.run.state} after {each.seconds:.0f} s"
        for each in rounds
        if not each.is_over
    ]
