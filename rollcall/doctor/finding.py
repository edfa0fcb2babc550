"""What a check saw, and the one step that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of what was seen; `hint` is the command to type or the setting to correct, empty when ok."""

    status: Status
    seen: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict under the name that it keeps from release to release."""

    id: str
    status: Status
    seen: str
    hint: str


def ok(seen: str) -> Verdict:
    """All is well."""
    return Verdict(Status.OK, seen)


def warning(seen: str, hint: str) -> Verdict:
    """It works, and something should be done; or nobody could look."""
    return Verdict(Status.WARNING, seen, hint)


def failure(seen: str, hint: str) -> Verdict:
    """It does not work."""
    return Verdict(Status.FAILURE, seen, hint)
