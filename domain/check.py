"""Health checks: rules over a state, evaluated to findings.

`/health`, `rollcall status`, `rollcall doctor`, the console, alerts, gauges and the Prometheus rules all show
the same findings. "Check" alone means a health check; a section check is one request for one section.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, Generic, TypeVar

from domain.alert import AlertMessage

S = TypeVar("S")

UNREADABLE = "unreadable"
"""Prefix of the name of a finding whose state could not be read."""

UNREADABLE_PENDING = timedelta(minutes=2)


class Severity(IntEnum):
    """Severity of a finding; the worst one is the overall status."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


class Part(StrEnum):
    """The parts of the system that an operator asks about first."""

    POLLING = "polling"
    SENDING = "sending"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check for one subject; `failure` is None if it is healthy.

    Shape: `note` describes a healthy subject. A non-empty `affects` and a `severity` replace those of the
    check.
    """

    subject: str = ""
    failure: AlertMessage | None = None
    affects: tuple[Part, ...] = ()
    note: str = ""
    severity: Severity | None = None


def healthy(note: str) -> Result:
    """Return a healthy result."""
    return Result(note=note)


def degraded(subject: str, command: str) -> Result:
    """Return a failure that leaves the system working; `command` corrects it."""
    return Result(failure=AlertMessage(subject, "", command), severity=Severity.DEGRADED)


def unhealthy(subject: str, command: str) -> Result:
    """Return a failure that stops the system; `command` corrects it."""
    return Result(failure=AlertMessage(subject, "", command), severity=Severity.UNHEALTHY)


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One rule over a state of the system.

    Shape: `read` yields one result per subject and raises if the state cannot be read, which is never
    healthy. `severity` applies to a failure and to an unreadable state; with HEALTHY the check is advisory:
    it alerts, and the system stays healthy. A failure that lasts for `pending_for` becomes an alert.
    `command` is the first command to run, `page` the path below `/console/` that shows the state, `runbook`
    the section of docs/operations.md. `needs` names checks: if one of them is unhealthy, it explains why this
    one is unreadable. `is_critical` marks failures during which seats are missed, now or soon,
    `is_deliberate` what an operator or Rollcall has switched off on purpose. `limit_seconds` bounds a read
    that waits for another server.
    """

    name: str
    read: Callable[[S], Iterable[Result]]
    severity: Severity = Severity.UNHEALTHY
    affects: tuple[Part, ...] = ()
    command: str = ""
    runbook: str = ""
    page: str = ""
    needs: tuple[str, ...] = ()
    pending_for: timedelta = timedelta(0)
    is_critical: bool = False
    is_deliberate: bool = False
    limit_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of a check about one subject.

    Shape: `name` is `check/subject`, `check` without a subject, or `unreadable/check`. `cause` is the
    unhealthy check that explains why the state is unreadable, or empty.
    """

    name: str
    check: Check[Any]
    result: Result
    is_unreadable: bool = False
    cause: str = ""

    @property
    def is_about_subject(self) -> bool:
        """Whether it is about a subject, not about reading the state."""
        return not self.name.startswith(f"{UNREADABLE}/")

    @property
    def failure(self) -> AlertMessage | None:
        """Message of the failure, None for a healthy subject."""
        return self.result.failure

    @property
    def affects(self) -> tuple[Part, ...]:
        """Parts that the subject belongs to."""
        return self.result.affects or self.check.affects

    @property
    def severity(self) -> Severity:
        """Severity of the finding; HEALTHY without a failure."""
        if self.failure is None:
            return Severity.HEALTHY
        return self.check.severity if self.result.severity is None else self.result.severity


def evaluate(checks: Sequence[Check[S]], state: S) -> list[Finding]:
    """The findings of `checks` over `state`, in the order of the checks."""
    found = [finding for check in checks for finding in read_findings(check, state)]
    names = unhealthy_checks(found)
    return [
        replace(finding, cause=cause(finding.check, names)) if finding.is_unreadable else finding
        for finding in found
    ]


def read_findings(check: Check[S], state: S) -> list[Finding]:
    """The findings of one check: whether its state is readable, and one for each of its results."""
    try:
        results = list(check.read(state))
    except Exception as error:  # noqa: BLE001 - the finding reports any error
        return [unreadable(check, str(error) or type(error).__name__)]
    readable = Finding(f"{UNREADABLE}/{check.name}", check, Result())
    return [readable, *(_finding(check, result) for result in results)]


def unreadable(check: Check[Any], reason: str) -> Finding:
    """The finding of a check whose state could not be read."""
    detail = f"Its state is unknown: {reason}"
    failure = AlertMessage(f"Cannot read {check.name}", detail, check.command, UNREADABLE_PENDING)
    return Finding(f"{UNREADABLE}/{check.name}", check, Result(failure=failure), is_unreadable=True)


def unhealthy_checks(findings: Iterable[Finding]) -> set[str]:
    """The names of the checks with an unhealthy finding."""
    return {finding.check.name for finding in findings if finding.severity is Severity.UNHEALTHY}


def cause(check: Check[Any], unhealthy: Collection[str]) -> str:
    """The first of the checks that `check` needs that is `unhealthy`, or an empty string."""
    return next((name for name in check.needs if name in unhealthy), "")


def worst(findings: Iterable[Finding]) -> Severity:
    """The overall severity."""
    return max((finding.severity for finding in findings), default=Severity.HEALTHY)


def alerts(findings: Iterable[Finding]) -> dict[str, AlertMessage | None]:
    """The failure of each finding by name, None for no failure or an explained unreadable state."""
    return {finding.name: None if finding.cause else finding.failure for finding in findings}


def _finding(check: Check[S], result: Result) -> Finding:
    name = f"{check.name}/{result.subject}" if result.subject else check.name
    failure = result.failure
    if failure is not None and failure.pending_for < check.pending_for:
        result = replace(result, failure=replace(failure, pending_for=check.pending_for))
    return Finding(name, check, result)
