"""Health checks: rules over a snapshot of the system's state, evaluated to findings.

`/health`, `rollcall status`, the console, alerts and gauges all show the same findings. "Check" alone means a
health check; a section check is one request for one section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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

    Shape: a non-empty `affects` replaces that of the check.
    """

    subject: str
    failure: AlertMessage | None = None
    affects: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One rule over a snapshot of the system's state.

    Shape: `read` yields one result per subject and raises if the state cannot be read, which is never
    healthy. `severity` applies to a failure and to an unreadable state; with HEALTHY the check is advisory:
    it alerts, and the system stays healthy. `command` is the first command to run when the state is
    unreadable, `page` the path below `/console/` that shows it, `runbook` the section of docs/operations.md.
    `needs` names the check whose failure explains why this one is unreadable. `is_deliberate` marks what an
    operator or Rollcall has switched off on purpose.
    """

    name: str
    read: Callable[[S], Iterable[Result]]
    severity: Severity
    affects: tuple[Part, ...]
    command: str
    runbook: str
    page: str = ""
    needs: str = ""
    is_deliberate: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of a check about one subject.

    Shape: `name` is `check/subject` or `unreadable/check`. `is_explained` marks an unreadable state whose
    cause is another finding.
    """

    name: str
    check: Check[Any]
    failure: AlertMessage | None
    affects: tuple[Part, ...]
    is_unreadable: bool = False
    is_explained: bool = False

    @property
    def severity(self) -> Severity:
        """Severity of the finding; HEALTHY without a failure."""
        return Severity.HEALTHY if self.failure is None else self.check.severity


def evaluate(checks: Sequence[Check[S]], state: S) -> list[Finding]:
    """The findings of `checks` over `state`, in the order of the checks."""
    found = [finding for check in checks for finding in _findings(check, state)]
    failing = {finding.check.name for finding in found if finding.failure is not None}
    return [_explained(finding, failing) for finding in found]


def worst(findings: Iterable[Finding]) -> Severity:
    """The overall severity."""
    return max((finding.severity for finding in findings), default=Severity.HEALTHY)


def alerts(findings: Iterable[Finding]) -> dict[str, AlertMessage | None]:
    """The failure of each finding by name, None for no failure or an explained unreadable state."""
    return {finding.name: None if finding.is_explained else finding.failure for finding in findings}


def _findings(check: Check[S], state: S) -> list[Finding]:
    unreadable = f"{UNREADABLE}/{check.name}"
    try:
        results = list(check.read(state))
    except Exception as error:  # noqa: BLE001 - the finding reports any error
        failure = _unreadable(check, error)
        return [Finding(unreadable, check, failure, check.affects, is_unreadable=True)]
    readable = Finding(unreadable, check, None, check.affects)
    return [readable, *(_finding(check, result) for result in results)]


def _finding(check: Check[S], result: Result) -> Finding:
    affects = result.affects or check.affects
    return Finding(f"{check.name}/{result.subject}", check, result.failure, affects)


def _unreadable(check: Check[S], error: Exception) -> AlertMessage:
    return AlertMessage(
        f"Cannot read {check.name}", f"Its state is unknown: {error}", check.command, UNREADABLE_PENDING
    )


def _explained(finding: Finding, failing: set[str]) -> Finding:
    if not finding.is_unreadable or finding.check.needs not in failing:
        return finding
    return Finding(
        finding.name, finding.check, finding.failure, finding.affects, is_unreadable=True, is_explained=True
    )
