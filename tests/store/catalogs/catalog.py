"""A polled catalog over a store: it shows what the test wrote into `rows`, and polls as the poller does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from domain.catalog_poll import ListedRow
from domain.observation import Observation
from domain.section import SectionKey
from domain.watch import Watch
from store.catalogs.polls import PollResult, RunningPoll
from store.sections.observations import Recorded
from store.watches import StoredWatch
from tests.store.harness import ADA, DETAILS, StoreHarness

TERM = ("utsa", "202420")


@dataclass
class PolledCatalog:
    """`rows` maps the number of each section to its open seats."""

    store: StoreHarness
    rows: dict[str, int] = field(default_factory=dict)
    fences: Iterator[int] = field(default_factory=lambda: count(1))

    def listed(self, number: str) -> Observation:
        now = self.store.clock.now()
        return Observation(key(number), now, self.rows[number], 30, "Ada Lovelace", DETAILS)

    def watch(self, number: str, email: str = ADA) -> StoredWatch:
        return self.store.watches.add(Watch(email, key(number)), self.store.clock.now())[0]

    def begin(self) -> RunningPoll:
        return self.store.polls.begin(TERM, next(self.fences), self.store.clock.now())

    def read(self, poll: RunningPoll, *numbers: str, announces: bool = True) -> Recorded:
        """Record an answer with the rows `numbers`."""
        now, answers = self.store.clock.now(), self.store.answers
        diff = answers.diff(TERM, [self.listed(number) for number in numbers])
        answers.add(poll, diff.new, now)
        rows = [ListedRow(seen, seen) for seen in diff.changed]
        return answers.record(poll, rows, diff.unchanged, now, announces=announces)

    def poll(self, *, seconds: float = 60, **rows: int) -> Recorded:
        """A complete poll of the whole term, `seconds` after the last, with `rows` (n101=3) changed."""
        self.store.clock.advance(seconds)
        self.rows |= {name.removeprefix("n"): seats for name, seats in rows.items()}
        poll = self.begin()
        recorded = self.read(poll, *self.rows)
        missing = {row.number for row in poll.watched if row.number not in self.rows}
        retired = self.store.answers.record_missing(poll, missing, self.store.clock.now())
        self.store.answers.remove_unlisted(poll, self.rows.keys())
        self.finish(poll, is_complete=True, rows=len(self.rows))
        return replace(recorded, notifications=recorded.notifications + retired)

    def finish(self, poll: RunningPoll, **result: object) -> None:
        now = self.store.clock.now()
        given = PollResult(now + timedelta(seconds=60))
        self.store.polls.finish(poll, replace(given, **result), now)  # type: ignore[arg-type] # its fields


def key(number: str) -> SectionKey:
    return SectionKey(*TERM, number)
