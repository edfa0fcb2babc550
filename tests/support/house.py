"""The real actors, store and resilience on a held clock, with messages in a list that the test works off."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import redis
from dramatiq import Message

from actors import ACTORS, QUEUES
from actors.deliver import MAIL
from actors.dispatch import trigger_run
from actors.reconcile import reconcile
from actors.services import JobRuntime, OperatorChannels, Services
from domain.notification import NotificationState
from domain.ports import Mailer
from domain.run import Run
from domain.section import SectionKey, Stagger
from domain.watch import ALL_NOTIFICATION_KINDS, NotificationKind, Watch
from notifications.messages import Renderer
from notifications.unsubscribe_links import UnsubscribeLinks
from operations.operation import AdminContext
from providers.storage import Folder
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from resilience.claims import Claims
from resilience.dead_letters import DeadLetterQueue
from resilience.heartbeats import Heartbeats
from resilience.lease import Lease
from resilience.login_protection import LoginLimiter, OneTimeTokens
from resilience.queues import QueueReader
from resilience.scripts import check_writable
from rollcall.wiring import open_store
from scheduling.timetable import Timetable
from store import migrate
from store.database import Database
from store.jobs.execution import JobExecution
from store.watches import StoredWatch
from tests.support.callers import Callers
from tests.support.catalog import Catalog
from tests.support.clock import FakeClock
from tests.support.job_catalog import CATALOG as JOBS
from tests.support.memory_engine import MemoryEngine
from tests.support.post import Post
from workflows.kind import JobContext

LINKS = UnsubscribeLinks("https://rollcall.example.edu", "a secret for tests only")


@dataclass
class House:
    """One small system. `mailbox` holds what was published and not yet worked off."""

    services: Services
    clock: FakeClock
    catalog: Catalog
    post: Post
    database: Database
    room: AdminContext
    sign_ins: LoginLimiter
    invitations: OneTimeTokens
    storage: Folder
    engine: MemoryEngine
    callers: Callers
    mailbox: list[Message[Any]] = field(default_factory=list)

    def watch(
        self,
        number: str = "12430",
        email: str = "ada@example.edu",
        kinds: tuple[NotificationKind, ...] = ALL_NOTIFICATION_KINDS,
        min_seats: int = 1,
    ) -> StoredWatch:
        watch = Watch(email, self.catalog.key(number), kinds, min_seats)
        return self.services.store.watches.add(watch, self.clock.now())[0]

    def run(self, stagger: Stagger = Stagger.ALL) -> Run:
        """Trigger a run and work until nothing is left to do at this moment."""
        found, _ = trigger_run(self.services, "test", stagger, force=True)
        self.work()
        return self.reread(found)

    def work(self) -> None:
        """Carry out what was published, and what that publishes, in order."""
        handlers = {spec.name: spec for spec in ACTORS}
        while self.mailbox or self.engine.waiting:
            self.engine.work()
            if self.mailbox:
                message = self.mailbox.pop(0)
                handlers[message.actor_name](self.services, *message.args, **message.kwargs)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, then reconcile with empty queues and work."""
        self.clock.advance(seconds)
        reconcile(self.services, dict.fromkeys(QUEUES, 0))
        self.work()

    def reread(self, run: Run) -> Run:
        found = self.services.store.runs.get(run.id)
        assert found is not None
        return found

    def key(self, number: str = "12430") -> SectionKey:
        return self.catalog.key(number)

    def states(self) -> list[tuple[str, int, NotificationState]]:
        """Every notification's kind, episode and state, oldest first."""
        page, _ = self.services.store.deliveries.page(watch_id=None, state=None, before=None, limit=1000)
        return [
            (stored.notification.kind.value, stored.notification.episode, stored.state)
            for stored in reversed(page)
        ]

    def events(self) -> list[tuple[str, str]]:
        """Who was sent which event, in order."""
        return [(message.to, message.headers["X-Rollcall-Event"]) for message in self.post.sent]


@contextmanager
def house(  # noqa: PLR0913 - each is one way in which houses differ
    database_url: str,
    client: redis.Redis,
    prefix: str,
    *,
    cooldown_seconds: float = 0,
    daily_cap: int = 0,
    policy: BreakerPolicy | None = None,
    operator: Callable[[Mailer], OperatorChannels] = lambda _: OperatorChannels(),
) -> Iterator[House]:
    """A house over a migrated database and the given Redis; every key begins with `prefix`."""
    clock = FakeClock()
    catalog, post, mailbox = Catalog(clock), Post(), []  # type: ignore[var-annotated]
    database = Database(database_url)
    migrate.upgrade(database)

    told = operator(post)

    def now_ms() -> int:
        return int(clock.now().timestamp() * 1000)

    folder = tempfile.TemporaryDirectory(prefix="rollcall-storage-")
    storage, callers = Folder(Path(folder.name)), Callers()
    breakers = {
        name: CircuitBreaker.shared(name, client, policy or BreakerPolicy(), now_ms=now_ms, prefix=prefix)
        for name in (catalog.name, MAIL)
    }
    engine = MemoryEngine(JOBS, JobContext(clock, storage, breakers), JobExecution(database), clock)
    services = Services(
        clock=clock,
        timetable=Timetable(even="0 * * * *", odd="30 * * * *"),
        store=open_store(database, timedelta(seconds=cooldown_seconds), daily_cap, tuple(told.channels)),
        sources={catalog.name: catalog},
        mailer=post,
        render=Renderer("Rollcall <rollcall@example.edu>", LINKS).render,
        breakers=breakers,
        cron_lease=Lease(client, "section-checks", 1500, now_ms=now_ms, prefix=prefix),
        claims=Claims(client, 1500, prefix),
        publish=mailbox.append,
        run_lifetime=timedelta(seconds=1500),
        operator=told,
        jobs=JobRuntime(JOBS, engine, callers.post),
        wait=clock.advance,
    )
    room = AdminContext(
        services=services,
        heartbeats=Heartbeats(client, 30, prefix, now_ms=now_ms),
        queues=QueueReader(client, QUEUES, namespace=prefix).read,
        dead_letters=DeadLetterQueue(client, QUEUES, namespace=prefix, now_ms=now_ms),
        is_scheduled=True,
        probes={
            "database": database.check_writable,
            "redis": partial(check_writable, client),
            "broker": partial(check_writable, client),
        },
        home=None,
    )
    try:
        sign_ins = LoginLimiter(client, "sign-in", each=3, overall=5, window_seconds=60, prefix=prefix)
        yield House(
            services=services, clock=clock, catalog=catalog, post=post, database=database, room=room,
            sign_ins=sign_ins, invitations=OneTimeTokens(client, "invitation", prefix=prefix),
            storage=storage, engine=engine, callers=callers, mailbox=mailbox,
        )  # fmt: skip
    finally:
        database.close()
        folder.cleanup()


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'rollcall.db'}"
