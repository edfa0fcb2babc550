"""Alerts: the message of a failing check, the alert it becomes, and the notifications about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class AlertState(StrEnum):
    """Whether an operator is needed."""

    CLEARED = "cleared"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """A current problem, described for the operator.

    Shape: `subject` is one line, `detail` adds more (who is affected, if known), `command` is the first
    command to run. The problem becomes an alert once it has lasted for `pending_for` without interruption.
    """

    subject: str
    detail: str
    command: str
    pending_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Alert:
    """The state of one alert rule. `episode` counts how often it was raised, `since` is its last start."""

    name: str
    state: AlertState
    episode: int
    subject: str
    detail: str
    command: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RunbookLink:
    """Absolute URLs with more about an alert. They do not change during its lifetime."""

    health: str
    console: str
    runbook: str


@dataclass(frozen=True, slots=True)
class AlertNotification:
    """One notification for one channel: an alert was raised, or it has cleared.

    Shape: the text is fixed when the state changes, so a retry sends the same. `at` is when the state
    changed; `alert.since` is when the problem began.
    """

    id: int
    alert: Alert
    channel: str
    at: datetime
    attempts: int = 0
