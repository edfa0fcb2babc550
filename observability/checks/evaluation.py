"""Runs checks that wait for other servers, and summarises findings for people."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread

from domain.alert import AlertMessage
from domain.check import (
    Check,
    Finding,
    Part,
    S,
    Severity,
    cause,
    read_findings,
    unhealthy_checks,
    unreadable,
    worst,
)

_Answer = SimpleQueue[list[Finding]]


def examine(checks: Sequence[Check[S]], state: S) -> list[Finding]:
    """As `evaluate`, concurrently and with a time limit for each check, so that none delays the others.

    A check is not read after one that it needs was found unhealthy; its finding is explained by that one.
    """
    found: dict[str, list[Finding]] = {}
    while waiting := [check for check in checks if check.name not in found]:
        names = {check.name for check in waiting}
        ready = [check for check in waiting if names.isdisjoint(check.needs)]
        unhealthy = unhealthy_checks(finding for each in found.values() for finding in each)
        found |= {check.name: findings for check, findings in _side_by_side(ready, state, unhealthy)}
    return [finding for check in checks for finding in found[check.name]]


def _side_by_side(
    checks: Sequence[Check[S]], state: S, unhealthy: set[str]
) -> list[tuple[Check[S], list[Finding]]]:
    begun = time.monotonic()
    answers = [(check, _start(check, state, unhealthy)) for check in checks]
    return [(check, _await(check, answer, begun)) for check, answer in answers]


def _start(check: Check[S], state: S, unhealthy: set[str]) -> _Answer:
    answer: _Answer = SimpleQueue()
    if failed := cause(check, unhealthy):
        answer.put([replace(unreadable(check, f"{failed} has failed"), cause=failed)])
    else:
        # A daemon: a hanging check must not block the exit of the command.
        Thread(target=lambda: answer.put(read_findings(check, state)), name=check.name, daemon=True).start()
    return answer


def _await(check: Check[S], answer: _Answer, begun: float) -> list[Finding]:
    try:
        return answer.get(timeout=max(0.0, begun + check.limit_seconds - time.monotonic()))
    except Empty:
        return [unreadable(check, f"no answer within {check.limit_seconds:g} s")]


class Light(StrEnum):
    """A part's status, in order of severity."""

    OK = "ok"
    PAUSED = "paused"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A status, and its reason in a few words."""

    light: Light
    text: str


@dataclass(frozen=True, slots=True)
class StatusSummary:
    """An operator's first three questions and what is wrong; `health` is the status of `/health`."""

    health: str
    polling: PartStatus
    sending: PartStatus
    draining: PartStatus
    failures: Sequence[AlertMessage]

    @property
    def light(self) -> Light:
        """Return the worst of the three."""
        return max((self.polling.light, self.sending.light, self.draining.light), key=list(Light).index)

    @property
    def sentence(self) -> str:
        """Return all three in one sentence."""
        text = f"{self.polling.text}; {self.sending.text}; {self.draining.text}."
        return text[0].upper() + text[1:]


def summarize(findings: Iterable[Finding]) -> StatusSummary:
    """Return the worst finding of each part; of equals, the first."""
    failing = [finding for finding in findings if finding.failure is not None]
    polling, sending, draining = (_part(part, failing) for part in Part)
    return StatusSummary(
        health=worst(failing).name.lower(),
        polling=polling,
        sending=sending,
        draining=draining,
        failures=[finding.failure for finding in failing if finding.failure is not None],
    )


def _part(part: Part, failing: Sequence[Finding]) -> PartStatus:
    found = [(_light(finding), finding) for finding in failing if part in finding.affects]
    if not found:
        return PartStatus(Light.OK, part.value)
    light, finding = max(found, key=lambda each: list(Light).index(each[0]))
    return PartStatus(light, f"{_PREFIX[light].format(part)}: {_subject(finding)}")


def _light(finding: Finding) -> Light:
    if finding.is_unreadable:
        return Light.UNKNOWN
    if finding.check.is_deliberate:
        return Light.PAUSED
    return Light.DOWN if finding.severity is Severity.UNHEALTHY else Light.TROUBLE


def _subject(finding: Finding) -> str:
    subject = "" if finding.failure is None else finding.failure.subject
    return subject[:1].lower() + subject[1:]


_PREFIX = {
    Light.PAUSED: "{} is paused",
    Light.TROUBLE: "{} in trouble",
    Light.UNKNOWN: "{} unknown",
    Light.DOWN: "not {}",
}
