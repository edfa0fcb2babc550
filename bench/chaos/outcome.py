"""What the season under fire came to: the mails that had to be sent, and everything that was not right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from bench.chaos.lanes import Round
from bench.replay.oracle import Mails, Sight, Verdict, expected, judge
from bench.replay.season import Season

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """What the scraper answered: the status that each section had at each moment."""

    told: Mapping[Sight, int]

    def of(self, played: Round) -> set[Sight]:
        """What was told to the run of `played`."""
        check = played.check
        return {sight for sight in self.told if sight[1] == check.time_ms and check.covers(sight[0])}


@dataclass(frozen=True, slots=True)
class Account:
    """Which answers the runs must have committed.

    The clock stands during a run, so a section has one reading at a check, however often it was answered;
    what a run counts as checked was answered. Each answer was committed, but for the sections that the run
    gave up: what was answered came too late, or to a worker that died. Of a section that the catalog does not
    know yet nothing tells whether it was among them: when fewer were checked than that leaves, those are
    `doubtful`, and not judged.
    """

    seen: set[Sight]
    doubtful: set[str]
    faults: list[str]


def account(rounds: Sequence[Round], answers: Answers) -> Account:
    """The account of `rounds`; a number that cannot be explained is a fault."""
    result = Account(set(), set(), [])
    for each in rounds:
        told, run = answers.of(each), each.run
        kept = {sight for sight in told if sight[0] not in each.given_up}
        result.seen.update(kept)
        if run.checked == len(kept):
            continue
        unknown = {section for section, time_ms in kept if answers.told[section, time_ms] != HTTPStatus.OK}
        result.doubtful.update(unknown)
        if not 0 < len(kept) - run.checked <= len(unknown):
            result.faults.append(
                f"run {run.run_id}: {run.checked} checked, but {len(kept)} answered and kept"
            )
    return result


@dataclass(frozen=True, slots=True)
class Judgement:
    """The mails that had to be sent, how those that were compare, and every fault in words."""

    wanted: Mails
    verdict: Verdict
    doubtful: set[str]
    faults: list[str]


def judge_rounds(
    season: Season,
    rounds: Sequence[Round],
    watchers: Mapping[str, Sequence[str]],
    answers: Answers,
    sent: Mails,
) -> Judgement:
    """Judge every mail of every section that is beyond doubt."""
    told = account(rounds, answers)
    checks = [each.check for each in rounds]
    sure = {section: them for section, them in watchers.items() if section not in told.doubtful}
    wanted = expected(season, checks, sure, told.seen)
    judged = Mails({mail: times for mail, times in sent.items() if mail.section in sure})
    verdict = judge(wanted, judged)
    return Judgement(wanted, verdict, told.doubtful, [*told.faults, *_unfinished(rounds), *_wrong(verdict)])


def _unfinished(rounds: Sequence[Round]) -> list[str]:
    return [
        f"run {each.run.run_id} was {each.run.state} after {each.seconds:.0f} s"
        for each in rounds
        if not each.is_over
    ]


def _wrong(verdict: Verdict) -> list[str]:
    sorts = {"missing": verdict.missing, "unexpected": verdict.unexpected, "doubled": verdict.doubled}
    return [
        f"{sort} {times} x: {' '.join(map(str, mail))}"
        for sort, mails in sorts.items()
        for mail, times in mails.most_common(SHOWN)
    ]
