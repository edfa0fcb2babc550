"""Every counted attempt was made, and every section is given up for a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.errors import RateLimitedError, UnauthorisedError, is_retryable
from domain.observation import CheckFailure
from tests.simulation.journal import Commit

if TYPE_CHECKING:
    from tests.simulation.catalog import Ask
    from tests.simulation.world import World

_REAL_ATTEMPTS = 4
_NEVER_MS = 10**15


@dataclass
class Auditor:
    """Follows the batches through their commits; `asks` is the scraper's own book, by section."""

    asks: dict[str, list[Ask]]
    skew_ms: int
    _since_ms: dict[int, int] = field(default_factory=dict)
    _deadlines_ms: dict[int, int] = field(default_factory=dict)
    _spent: dict[int, dict[str, int]] = field(default_factory=dict)

    def problems(self, commit: Commit) -> Iterator[str]:
        given_up: Counter[int] = Counter()
        excusable: Counter[int] = Counter()
        for number, _, _, failed, deadline_ms in commit.of("runs"):
            given_up[number] += failed
            self._deadlines_ms[number] = deadline_ms or _NEVER_MS
        for batch, number, before, after in commit.of("check_batches"):
            since_ms = self._since_ms.setdefault(batch, commit.at_ms)
            left = {row[1]: row[2] for row in after or []}
            if before is None:
                self._spent[batch] = left
                yield from self._blamed(commit, left)
            spent = self._spent[batch]
            yield from self._invented(commit, left, since_ms, spent)
            excusable[number] += self._excusable(commit, number, _gone(before, left), since_ms, spent)
            if after is None:
                del self._since_ms[batch]
        for number, count in given_up.items():
            if count > excusable[number]:
                text = f"gave {count} sections up, {excusable[number]} with reason"
                yield f"{commit.at_ms}: run {number} {text}"

    def _blamed(self, commit: Commit, spent: dict[str, int]) -> Iterator[str]:
        """A section has fewer attempts in a run only after it was given up in an earlier one."""
        for section, count in spent.items():
            earlier = [ask for ask in self.asks[section] if ask.at_ms <= commit.at_ms]
            if count and not _failures(earlier, 0):
                yield f"{commit.at_ms}: {section} begins with {count} attempts and has never failed"

    def _invented(
        self, commit: Commit, attempts: dict[str, int], since_ms: int, spent: dict[str, int]
    ) -> Iterator[str]:
        for section, count in attempts.items():
            if count > spent[section] + len(_failures(self.asks[section], since_ms)):
                yield f"{commit.at_ms}: {section} has {count} attempts that were not made"

    def _excusable(
        self, commit: Commit, number: int, gone: list[str], since_ms: int, spent: dict[str, int]
    ) -> int:
        """How many of the sections that left a batch may be given up: after four failures, a lasting one,
        or the run's deadline."""
        is_over = commit.at_ms + self.skew_ms >= self._deadlines_ms.get(number, _NEVER_MS)
        return sum(
            is_over or _is_hopeless(self.asks[section], since_ms, _REAL_ATTEMPTS - spent[section])
            for section in gone
        )


def problems(world: World, commits: Iterable[Commit]) -> list[str]:
    asks: dict[str, list[Ask]] = defaultdict(list)
    for ask in world.catalog.asks:
        asks[ask.key.number].append(ask)
    auditor = Auditor(asks, world.greatest_skew_ms)
    return [problem for commit in commits for problem in auditor.problems(commit)]


def _gone(before: list[Any] | None, left: dict[str, int]) -> list[str]:
    return [row[1] for row in before or [] if row[1] not in left]


def _failures(asks: list[Ask], since_ms: int) -> list[CheckFailure]:
    """Those that cost an attempt: being asked to wait, or for other credentials, does not."""
    outcomes = [ask.outcome for ask in asks if ask.at_ms >= since_ms]
    free = RateLimitedError | UnauthorisedError
    return [one for one in outcomes if isinstance(one, CheckFailure) and not isinstance(one.error, free)]


def _is_hopeless(asks: list[Ask], since_ms: int, attempts: int) -> bool:
    failures = _failures(asks, since_ms)
    return len(failures) >= attempts or any(not is_retryable(one.error) for one in failures)
