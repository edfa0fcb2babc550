"""A finding: the result of a check, and the one step that fixes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of result; `hint` is the command to type or the setting to correct, empty when ok."""

    status: Status
    seen: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result under a name that is stable across releases."""

    id: str
    status: Status
    seen: str
    hint: str


def ok(seen: str) -> Verdict:
    """Everything is in order."""
    return Verdict(Status.OK, seen)


def warning(seen: str, hint: str) -> Verdict:
    """It works, but needs attention; or it could not be checked."""
    return Verdict(Status.WARNING, seen, hint)


def failure(seen: str, hint: str) -> Verdict:
    """It does not work."""
    return Verdict(Status.FAILURE, seen, hint)
