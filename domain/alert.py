"""Alerts: the message of a failing check, the alert it becomes, and the notifications about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class AlertState(StrEnum):
    """Whether a person is needed."""

    CLEARED = "cleared"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What is wrong now, in words for the operator.

    Shape: `subject` is one line, `detail` says more (whom it affects, where that is known), `command` is the
    first to type. It becomes an alert once it has held for `hold_off` without interruption.
    """

    subject: str
    detail: str
    command: str
    hold_off: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition as it stands. `episode` counts how often it was raised, `since` when it last began."""

    name: str
    state: AlertState
    episode: int
    subject: str
    detail: str
    command: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RunbookLink:
    """Where a person reads on about an alert: absolute addresses, the same for its whole life."""

    health: str
    console: str
    runbook: str


@dataclass(frozen=True, slots=True)
class AlertNotification:
    """One thing to tell over one channel: that an alert was raised, or that it is over.

    Shape: the words are those of the moment, so that a repetition says the same. `at` is when the state
    changed, `since` when the condition began.
    """

    id: int
    alert: Alert
    channel: str
    at: datetime
    attempts: int = 0
