"""What the people must be told, worked out anew from nothing but the committed history of the sections."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.journal import Commit

Told = tuple[int, str, int]
"""Watch, kind, episode."""


@dataclass
class Section:
    """What its history has said so far; None is unknown."""

    open_seats: int | None = None
    instructor: str | None = None
    openings: int = 0
    assignments: int = 0
    retirements: int = 0


@dataclass
class Oracle:
    """Follows the commits in their order; `told` is everything that was to be told.

    Shape: `_news` and `_ends` count the commits until that which last had news for a notification, and until
    that which last called it off.
    """

    text: set[Told] = field(default_factory=set)
    _news: dict[Told, int] = field(default_factory=dict)
    _ends: dict[Told, int] = field(default_factory=dict)
    _commits: int = 0
    _sections: dict[int, Section] = field(default_factory=lambda: defaultdict(Section))
    _watches: dict[int, list[Any]] = field(default_factory=dict)
    _named: dict[Told, str] = field(default_factory=dict)
    _withdrawn: set[Told] = field(default_factory=set)

    def problems(self, commit: Commit) -> Iterator[str]:
        """How the notifications of one commit differ from those that its changes call for."""
        for watch in commit.of("watches"):
            self._watches[watch[0]] = watch
        self._commits += 1
        news = set(self._due(commit))
        self._news |= dict.fromkeys(news, self._commits)
        for _, *text, _, state in commit.of("watch_notifications"):
            if state in {"suppressed", "dead"}:
                self._ends[text[0], text[1], text[2]] = self._commits
                self._withdrawn.add((text[0], text[1], text[2]))
            if state == "sending":
                yield from self._outdated(commit.at_ms, text[0], text[1], text[2])
        due = news - self.text
        made = [(line[1], line[2], line[3]) for line in commit.of("watch_notifications") if line[4] is None]
        if sorted(made) != sorted(due):
            yield f"{commit.at_ms}: notifications {sorted(made)} instead of {sorted(due)}"
        self.text |= due

    def is_news_again(self, text: Told) -> bool:
        """Whether there was news for a notification after it was called off."""
        return self._news[text] > self._ends[text]

    def _outdated(self, at_ms: int, watch_id: int, kind: str, episode: int) -> Iterator[str]:
        """Whether a notification is about to leave that is true no longer."""
        _, row_id, _, min_seats, _ = self._watches[watch_id]
        section, text = self._sections[row_id], (watch_id, kind, episode)
        if kind == "instructor_assigned" and section.instructor:
            self._named[text] = section.instructor
        is_true = {
            "seat_available": section.openings == episode and (section.open_seats or 0) >= min_seats,
            "instructor_assigned": bool(section.instructor),
            "section_retired": section.retirements == episode,
        }
        if not is_true[kind]:
            yield f"{at_ms}: {text} is about to leave, and is true no longer: {section}"

    def _due(self, commit: Commit) -> Iterator[Told]:
        for section, seats, instructor in commit.of("section_history"):
            yield from self._seen(section, seats, instructor)
        for facts in commit.of("sections"):
            self._sections[facts[0]].retirements = facts[8]
            if facts[8] > facts[7]:
                yield from self._tell(facts[0], "section_retired", facts[8], lambda _: True)

    def _seen(self, row_id: int, seats: int | None, instructor: str | None) -> Iterator[Told]:
        section = self._sections[row_id]
        before, section.open_seats = section.open_seats, seats
        if before is not None and seats is not None and seats > before:
            section.openings += before == 0
            yield from self._tell(
                row_id, "seat_available", section.openings, lambda wanted: before < wanted <= seats
            )
        nobody, section.instructor = section.instructor == "", instructor
        if nobody and instructor:
            section.assignments += 1
            for text in self._tell(row_id, "instructor_assigned", section.assignments, lambda _: True):
                if self._last_named(text[0]) != instructor:
                    self._named[text] = instructor
                    yield text

    def _last_named(self, watch_id: int) -> str | None:
        """Whom the newest notification of an assignment named that was not withdrawn."""
        text = [each for each in self._named if each[0] == watch_id and each not in self._withdrawn]
        return self._named[max(text)] if text else None

    def _tell(self, row_id: int, kind: str, episode: int, is_enough: Any) -> Iterator[Told]:
        for watch_id, section, kinds, min_seats, ended in self._watches.values():
            if section == row_id and ended is None and kind in _listed(kinds) and is_enough(min_seats):
                yield watch_id, kind, episode


def follow(commits: Iterable[Commit]) -> tuple[Oracle, list[str]]:
    """The oracle after all commits, and what was wrong with them."""
    oracle = Oracle()
    return oracle, [problem for commit in commits for problem in oracle.problems(commit)]


def _listed(kinds: Any) -> list[str]:
    return list(json.loads(kinds) if isinstance(kinds, str) else kinds)
