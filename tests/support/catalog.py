"""A catalog that says what the test wrote into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.errors import RollcallError
from domain.observation import CheckFailure, Details, Missing, Observation, Outcome, instructor, seats
from domain.ports import Clock
from domain.section import SectionKey

DETAILS = Details("CSE 100", "Advanced Data Structures", "WLH 2001", "MWF 10:00-10:50")


@dataclass(slots=True)
class Row:
    """One section as the catalog shows it."""

    open_seats: int | None = 0
    capacity: int | None = 30
    instructor: str | None = "Staff"
    took_seconds: float | None = None


@dataclass(slots=True)
class Catalog:
    """A `domain.ports.Source` over `rows`; `errors` come in place of an answer, `calls` were asked."""

    clock: Clock
    name: str = "scraper"
    chunk: int = 25
    rows: dict[SectionKey, Row] = field(default_factory=dict)
    errors: dict[SectionKey, RollcallError] = field(default_factory=dict)
    calls: list[list[SectionKey]] = field(default_factory=list)

    def key(self, number: str, term: str = "2261") -> SectionKey:
        return SectionKey(self.name, term, number)

    def plan(self, keys: Iterable[SectionKey]) -> Iterable[Sequence[SectionKey]]:
        ordered = sorted(keys)
        return [ordered[at : at + self.chunk] for at in range(0, len(ordered), self.chunk)]

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        self.calls.append(list(keys))
        return [self._outcome(key) for key in keys]

    def longest_probe_seconds(self, probes: int) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing is open."""

    def _outcome(self, key: SectionKey) -> Outcome:
        if key in self.errors:
            return CheckFailure(key, self.errors[key])
        now, row = self.clock.now(), self.rows.get(key)
        if row is None:
            return Missing(key, now)
        return Observation(
            key,
            now,
            seats(row.open_seats),
            row.capacity,
            instructor(row.instructor),
            DETAILS,
            row.took_seconds,
        )
