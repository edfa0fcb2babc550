"""What a person is shown before something is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanField:
    """One field that is still open: a choice of (value, label), or a text where there are no choices."""

    name: str
    label: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do now.

    Shape: `title` is the question and `button` its answer; `effects` are sentences, and say how much is
    touched. What cannot be taken back is `is_grave`. Where there is nothing to do, `button` is empty.
    """

    title: str
    button: str
    effects: tuple[str, ...]
    questions: tuple[PlanField, ...] = ()
    is_grave: bool = False
