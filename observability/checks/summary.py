"""Summarises findings in one sentence per part of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.alert import AlertMessage
from domain.check import Finding, Part, Severity, worst


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
