"""The repositories over one database, and the common steps of their tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from domain.notification import Accepted, NotificationState, OutboundMessage
from domain.observation import Details, Missing, Observation, Outcome
from domain.run import Batch, Run
from domain.section import SectionKey, Stagger
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch
from store.catalogs.answers import Answers
from store.catalogs.polls import Polls
from store.course_watches import CourseWatches
from store.database import Database
from store.notifications.deliveries import Deliveries, StoredNotification
from store.notifications.outbox import MailBatch, Outbox
from store.opt_outs import OptOuts
from store.pauses import Pauses
from store.runs.batches import Batches, RecordedBatch
from store.runs.runs import Runs
from store.schema import metadata
from store.sections.states import Sections
from store.terms import Terms
from store.watches import StoredWatch, Watches
from tests.support.clock import FakeClock

ADA, GRACE, ALAN = "ada@example.edu", "grace@example.edu", "alan@example.edu"
LEASE = timedelta(minutes=2)
LIFETIME = timedelta(minutes=25)
DETAILS = Details("CSE 100", "Advanced Data Structures", "WLH 2001", "MWF 10:00-10:50")


def key(number: str = "12430", *, source: str = "scraper", term: str = "2261") -> SectionKey:
    return SectionKey(source, term, number)


def message(to: str = ADA, subject: str = "A seat is open") -> OutboundMessage:
    return OutboundMessage(
        "rollcall@example.edu", to, subject, "text", "<p>html</p>", {"Message-ID": f"<{to}>"}
    )


@dataclass(frozen=True, slots=True)
class StoreHarness:
    """The repositories of a test; `clock` is a fake."""

    database: Database
    cooldown: timedelta = timedelta(0)
    clock: FakeClock = field(default_factory=FakeClock)
    fences: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def checks(self) -> Batches:
        return Batches(self.database, cooldown=self.cooldown)

    @property
    def polls(self) -> Polls:
        return Polls(self.database)

    @property
    def answers(self) -> Answers:
        return Answers(self.database, cooldown=self.cooldown)

    @property
    def runs(self) -> Runs:
        return Runs(self.database)

    @property
    def sections(self) -> Sections:
        return Sections(self.database)

    @property
    def watches(self) -> Watches:
        return Watches(self.database)

    @property
    def terms(self) -> Terms:
        return Terms(self.database)

    @property
    def course_watches(self) -> CourseWatches:
        return CourseWatches(self.database)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.database)

    @property
    def pauses(self) -> Pauses:
        return Pauses(self.database)

    @property
    def deliveries(self) -> Deliveries:
        return Deliveries(self.database)

    @property
    def opt_outs(self) -> OptOuts:
        return OptOuts(self.database)

    def watch(
        self,
        number: str = "12430",
        email: str = ADA,
        kinds: tuple[NotificationKind, ...] = DEFAULT_KINDS,
        min_seats: int = 1,
        *,
        source: str = "scraper",
    ) -> StoredWatch:
        wanted = Watch(email, key(number, source=source), kinds, min_seats)
        return self.watches.add(wanted, self.clock.now())[0]

    def open(self) -> Run:
        now = self.clock.now()
        return self.runs.create("test", Stagger.ALL, now, now, force=True)[0]

    def start(self, *batches: Sequence[SectionKey]) -> tuple[Run, list[int]]:
        """A running run with `batches`, and their ids."""
        run = self.open()
        ids = self.runs.start(
            run.id, batches, fence=next(self.fences), deferred=0, lifetime=LIFETIME, now=self.clock.now()
        )
        return self.reload(run), ids

    def reload(self, run: Run) -> Run:
        found = self.runs.get(run.id)
        assert found is not None
        return found

    def settle(
        self, batch_id: int, *outcomes: Outcome, retry_seconds: float = 5, asked: Batch | None = None
    ) -> RecordedBatch:
        """Record outcomes as if the batch had just been read; `asked` is a batch that was read before."""
        now, batch = self.clock.now(), asked or self.checks.get(batch_id)
        revisions = {} if batch is None else batch.revisions
        retry_at = now + timedelta(seconds=retry_seconds)
        return self.checks.record(batch_id, outcomes, now, revisions=revisions, retry_at=retry_at)

    def ask(self, *keys: SectionKey) -> Batch:
        """A run of one batch that has been read already."""
        _, (batch_id,) = self.start(keys)
        batch = self.checks.get(batch_id)
        assert batch is not None
        return batch

    def check(self, *outcomes: Outcome) -> RecordedBatch:
        """A run of one batch, recorded with `outcomes`."""
        _, (batch_id,) = self.start([outcome.key for outcome in outcomes])
        return self.settle(batch_id, *outcomes)

    def observation(
        self, open_seats: int | None = None, instructor: str | None = None, number: str = "12430"
    ) -> Observation:
        return Observation(key(number), self.clock.now(), open_seats, 30, instructor, DETAILS)

    def missing(self, number: str = "12430") -> Missing:
        return Missing(key(number), self.clock.now())

    def show(self, *counts: int | None, number: str = "12430", seconds: float = 1) -> RecordedBatch:
        """Observe the section with each of `counts` in turn, `seconds` apart; the last recorded batch."""
        recorded = RecordedBatch()
        for open_seats in counts:
            self.clock.advance(seconds)
            recorded = self.check(self.observation(open_seats, number=number))
        return recorded

    def notifications(self) -> list[StoredNotification]:
        """Every notification, oldest first."""
        page, _ = self.deliveries.page(watch_id=None, state=None, before=None, limit=10_000)
        return page[::-1]

    def states(self) -> list[tuple[int, NotificationState]]:
        return [(stored.notification.episode, stored.state) for stored in self.notifications()]

    def claim(self, limit: int = 100) -> MailBatch | None:
        return self.outbox.claim(self.clock.now(), limit=limit, lease=LEASE)

    def claimed(self, limit: int = 100) -> MailBatch:
        batch = self.claim(limit)
        assert batch is not None
        return batch

    def attempted(self) -> MailBatch:
        """A batch that was frozen and handed over, with an unknown outcome."""
        batch = self.claimed()
        self.outbox.freeze(batch, [message(notification.email) for notification in batch.notifications])
        self.outbox.hand_over(batch, self.clock.now(), lease=LEASE)
        return batch

    def send(self) -> list[str]:
        """Send every due notification; the recipients, in order."""
        sent: list[str] = []
        while batch := self.claim():
            self.outbox.freeze(batch, [message(notification.email) for notification in batch.notifications])
            self.outbox.hand_over(batch, self.clock.now(), lease=LEASE)
            receipts = [Accepted(f"mail-{notification.id}") for notification in batch.notifications]
            self.outbox.complete(batch, receipts, self.clock.now())
            sent += [notification.email for notification in batch.notifications]
        return sent

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        with self.database.read() as connection:
            return {
                table.name: [
                    tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
                ]
                for table in metadata.sorted_tables
            }
