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
"""The first part of the name of a finding whose state could not be read."""

UNREADABLE_PENDING = timedelta(minutes=2)


class Severity(IntEnum):
    """How bad a finding is; the worst one decides the status of the whole."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


class Part(StrEnum):
    """What an operator asks about first."""

    POLLING = "polling"
    SENDING = "sending"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that a check has looked at; `failure` says what is wrong with it, None if nothing is.

    Shape: `affects` replaces that of the check where it is not empty.
    """

    subject: str
    failure: AlertMessage | None = None
    affects: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One rule over a snapshot of the system's state.

    Shape: `read` yields one result for each thing it looks at and raises when the state could not be read,
    which is never healthy. `severity` is that of a failure and of an unreadable state; where that is HEALTHY
    the check only advises: it alerts, and the system stays healthy. `command` is the first
    to type when it could not be read, `page` is the place below `/console/` that shows it, `runbook` the
    section of docs/operations.md. `needs` names the check whose failure explains why this one could not be
    read. `is_deliberate` marks what an operator, or Rollcall itself, has switched off on purpose.
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
    """What a check found about one of its subjects.

    Shape: `name` is `check/subject`, or `unreadable/check`. `is_explained` marks what could not be read for a
    reason that another finding names.
    """

    name: str
    check: Check[Any]
    failure: AlertMessage | None
    affects: tuple[Part, ...]
    is_unreadable: bool = False
    is_explained: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return Severity.HEALTHY if self.failure is None else self.check.severity


def evaluate(checks: Sequence[Check[S]], state: S) -> list[Finding]:
    """Every finding of `checks` over `state`, in their order."""
    found = [finding for check in checks for finding in _findings(check, state)]
    failing = {finding.check.name for finding in found if finding.failure is not None}
    return [_explained(finding, failing) for finding in found]


def worst(findings: Iterable[Finding]) -> Severity:
    """The severity of the whole."""
    return max((finding.severity for finding in findings), default=Severity.HEALTHY)


def alerts(findings: Iterable[Finding]) -> dict[str, AlertMessage | None]:
    """Each alert rule by its name, with its message where it holds. What could not be judged is left out."""
    return {finding.name: None if finding.is_explained else finding.failure for finding in findings}


def _findings(check: Check[S], state: S) -> list[Finding]:
    unreadable = f"{UNREADABLE}/{check.name}"
    try:
        results = list(check.read(state))
    except Exception as error:  # noqa: BLE001 - whatever it is, the finding reports it
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
