"""The test oracle: the expected notifications, computed from the committed history of the sections alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.journal import Commit

Notification = tuple[int, str, int]
"""Watch, kind, episode."""


@dataclass
class Section:
    """The state of a section after its history so far; None is unknown."""

    open_seats: int | None = None
    instructor: str | None = None
    openings: int = 0
    fillings: int = 0
    assignments: int = 0
    retirements: int = 0


@dataclass
class Oracle:
    """Follows the commits in order; `expected` are all notifications that the changes require.

    Shape: `_news` and `_ends` hold, by notification, the number of the last commit that required it, and of
    the last one that withdrew it.
    """

    expected: set[Notification] = field(default_factory=set)
    _news: dict[Notification, int] = field(default_factory=dict)
    _ends: dict[Notification, int] = field(default_factory=dict)
    _commits: int = 0
    _sections: dict[int, Section] = field(default_factory=lambda: defaultdict(Section))
    _watches: dict[int, list[Any]] = field(default_factory=dict)
    _named: dict[Notification, str] = field(default_factory=dict)
    _withdrawn: set[Notification] = field(default_factory=set)

    def problems(self, commit: Commit) -> Iterator[str]:
        """The differences between the notifications of one commit and those that its changes require."""
        for watch in commit.of("watches"):
            self._watches[watch[0]] = watch
        self._commits += 1
        news = set(self._due(commit))
        self._news |= dict.fromkeys(news, self._commits)
        for _, *row, _, state in commit.of("watch_notifications"):
            if state in {"suppressed", "dead"}:
                self._ends[row[0], row[1], row[2]] = self._commits
                self._withdrawn.add((row[0], row[1], row[2]))
            if state == "sending":
                yield from self._outdated(commit.at_ms, row[0], row[1], row[2])
        due = news - self.expected
        made = [(line[1], line[2], line[3]) for line in commit.of("watch_notifications") if line[4] is None]
        if sorted(made) != sorted(due):
            yield f"{commit.at_ms}: notifications {sorted(made)} instead of {sorted(due)}"
        self.expected |= due

    def is_news_again(self, notification: Notification) -> bool:
        """Whether a later commit required the notification after it was withdrawn."""
        return self._news[notification] > self._ends[notification]

    def _outdated(self, at_ms: int, watch_id: int, kind: str, episode: int) -> Iterator[str]:
        """A problem if a notification is being sent that is no longer true."""
        _, row_id, _, min_seats, _ = self._watches[watch_id]
        section, notification = self._sections[row_id], (watch_id, kind, episode)
        if kind == "instructor_assigned" and section.instructor:
            self._named[notification] = section.instructor
        is_true = {
            "seat_available": section.openings == episode and (section.open_seats or 0) >= min_seats,
            "seat_filled": section.fillings == episode and section.open_seats == 0,
            "instructor_assigned": bool(section.instructor),
            "section_retired": section.retirements == episode,
        }
        if not is_true[kind]:
            yield f"{at_ms}: {notification} is being sent, and is no longer true: {section}"

    def _due(self, commit: Commit) -> Iterator[Notification]:
        for facts in commit.of("sections"):
            if facts[13]:  # listed again: every seat that it has open is news
                self._sections[facts[0]].open_seats = 0
        for section, seats, instructor in commit.of("section_history"):
            yield from self._observed(section, seats, instructor)
        for facts in commit.of("sections"):
            self._sections[facts[0]].retirements = facts[8]
            if facts[8] > facts[7]:
                yield from self._notifications(facts[0], "section_retired", facts[8], lambda _: True)

    def _observed(self, row_id: int, seats: int | None, instructor: str | None) -> Iterator[Notification]:
        section = self._sections[row_id]
        before, section.open_seats = section.open_seats, seats
        if before is not None and seats is not None and seats > before:
            section.openings += before == 0
            yield from self._notifications(
                row_id, "seat_available", section.openings, lambda wanted: before < wanted <= seats
            )
        if before and seats == 0:
            section.fillings += 1
            yield from self._notifications(row_id, "seat_filled", section.fillings, lambda _: True)
        was_unassigned, section.instructor = section.instructor == "", instructor
        if was_unassigned and instructor:
            section.assignments += 1
            for notification in self._notifications(
                row_id, "instructor_assigned", section.assignments, lambda _: True
            ):
                if self._last_named(notification[0]) != instructor:
                    self._named[notification] = instructor
                    yield notification

    def _last_named(self, watch_id: int) -> str | None:
        """The instructor in the newest assignment notification that was not withdrawn."""
        named = [each for each in self._named if each[0] == watch_id and each not in self._withdrawn]
        return self._named[max(named)] if named else None

    def _notifications(self, row_id: int, kind: str, episode: int, is_enough: Any) -> Iterator[Notification]:
        for watch_id, section, kinds, min_seats, ended in self._watches.values():
            if section == row_id and ended is None and kind in _listed(kinds) and is_enough(min_seats):
                yield watch_id, kind, episode


def follow(commits: Iterable[Commit]) -> tuple[Oracle, list[str]]:
    """The oracle after all commits, and the problems of them."""
    oracle = Oracle()
    return oracle, [problem for commit in commits for problem in oracle.problems(commit)]


def _listed(kinds: Any) -> list[str]:
    return list(json.loads(kinds) if isinstance(kinds, str) else kinds)
