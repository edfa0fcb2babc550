"""The confirmation page of an action."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanField:
    """An open field: a choice of (value, label), or free text without choices."""

    name: str
    label: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The effect of an action if it were confirmed now.

    Shape: `title` is the question and `button` confirms; `effects` are sentences that state the extent. An
    irreversible action is `is_grave`. `button` is empty when there is nothing to do.
    """

    title: str
    button: str
    effects: tuple[str, ...]
    questions: tuple[PlanField, ...] = ()
    is_grave: bool = False
