"""The test harness: the real actors, store and resilience on a fake clock, with in-memory messages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
from dramatiq import Message

from actors import ACTORS, QUEUES
from actors.dispatch import trigger_run
from actors.reconcile import reconcile
from actors.services import JobRuntime, OperatorChannels, Services
from catalogs.active import ActiveCatalog
from domain.notification import NotificationState
from domain.ports import Clock, Mailer, Storage
from domain.run import Run
from domain.section import SectionKey, Stagger
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch
from notifications.unsubscribe_links import UnsubscribeLinks
from operations.context import AdminContext
from providers.storage import StorageSettings
from resilience.breaker_policy import BreakerPolicy
from resilience.login_protection import LoginLimiter, OneTimeTokens
from rollcall.settings import parse
from rollcall.wiring import Overrides, System, build
from store import migrate
from store.database import Database
from store.watches import StoredWatch
from tests.support.catalog import Catalog
from tests.support.clock import FakeClock
from tests.support.job_kinds import KINDS as JOBS
from tests.support.mailer import FakeMailer
from tests.support.memory_engine import MemoryEngine
from tests.support.webhook import FakeWebhook
from workflows.kind import JobContext

WEBHOOK_KEY = b"a webhook key of the tests"
INSTALLATION = {
    "API_TOKEN": "an api token of the tests",
    "CRON_SECRET": "a cron secret of the tests",
    "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
    "PROXY_SECRET": "a proxy secret of the tests",
    "PUBLIC_URL": "https://rollcall.example.edu",
    "RESEND_WEBHOOK_SECRET": "whsec_" + base64.b64encode(WEBHOOK_KEY).decode(),
    "STRIPE_WEBHOOK_SECRET": "whsec_of_the_tests",
    "UNSUBSCRIBE_SECRET": "a secret for tests only",
}
LINKS = UnsubscribeLinks(INSTALLATION["PUBLIC_URL"], INSTALLATION["UNSUBSCRIBE_SECRET"])


@dataclass
class Harness:
    """One system under test. `messages` are published and not yet processed."""

    system: System
    services: Services
    clock: FakeClock
    catalog: Catalog
    mailer: FakeMailer
    database: Database
    admin: AdminContext
    sign_ins: LoginLimiter
    invitations: OneTimeTokens
    storage: Storage
    engine: MemoryEngine
    webhook: FakeWebhook
    messages: list[Message[Any]] = field(default_factory=list)

    def watch(
        self,
        number: str = "12430",
        email: str = "ada@example.edu",
        kinds: tuple[NotificationKind, ...] = DEFAULT_KINDS,
        min_seats: int = 1,
    ) -> StoredWatch:
        watch = Watch(email, self.catalog.key(number), kinds, min_seats)
        return self.services.store.watches.add(watch, self.clock.now())[0]

    def run(self, stagger: Stagger = Stagger.ALL) -> Run:
        """Trigger a run, and process messages until none is left."""
        found, _ = trigger_run(self.services, "test", stagger, force=True)
        self.process_messages()
        return self.reload(found)

    def process_messages(self) -> None:
        """Process the messages, and those that they publish, in order."""
        handlers = {spec.name: spec for spec in ACTORS}
        while self.messages or self.engine.waiting:
            self.engine.work()
            if self.messages:
                message = self.messages.pop(0)
                handlers[message.actor_name](self.services, *message.args, **message.kwargs)

    def advance(self, seconds: float) -> None:
        """Advance the clock, reconcile with empty queues, and process the messages."""
        self.clock.advance(seconds)
        reconcile(self.services, dict.fromkeys(QUEUES, 0))
        self.process_messages()

    def reload(self, run: Run) -> Run:
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
        """The recipient and the event of each sent message, in order."""
        return [(message.to, message.headers["X-Rollcall-Event"]) for message in self.mailer.sent]


@contextmanager
def harness(  # noqa: PLR0913 - what a test replaces, by keyword
    database_url: str,
    client: redis.Redis,
    prefix: str,
    *,
    policy: BreakerPolicy | None = None,
    operator: Callable[[Mailer], OperatorChannels] = lambda _: OperatorChannels(),
    settings: dict[str, str] | None = None,
    catalogs: Callable[[Clock], Mapping[str, ActiveCatalog]] = lambda _: {},
) -> Iterator[Harness]:
    """A harness over a migrated database and the given Redis; every Redis key begins with `prefix`."""
    clock, post, callers = FakeClock(), FakeMailer(), FakeWebhook()
    catalog, mailbox = Catalog(clock), list[Message[Any]]()
    with TemporaryDirectory(prefix="rollcall-storage-") as folder:
        values = {"ROLLCALL_HOME": folder, "DATABASE_URL": database_url, "RENOTIFY_COOLDOWN_SECONDS": "0"}
        built = build(
            parse(INSTALLATION | values | (settings or {})),
            Overrides(
                clock=clock,
                now_ms=lambda: int(clock.now().timestamp() * 1000),
                redis=client,
                prefix=prefix,
                namespace=prefix,
                sources={catalog.name: catalog},
                catalogs=catalogs(clock),
                mailer=post,
                operator=operator,
                publish=mailbox.append,
                policy=policy or BreakerPolicy(),
                wait=clock.advance,
            ),
        )
        migrate.upgrade(built.database)
        storage = built.settings.of(StorageSettings).open(built.settings.home)
        context = JobContext(clock, storage, built.services.breakers)
        engine = MemoryEngine(JOBS, context, built.database, clock)
        services = replace(built.services, jobs=JobRuntime(JOBS, engine, callers.post))
        room = replace(built.admin, services=services, home=None)
        try:
            yield Harness(
                system=replace(built, services=services, admin=room),
                services=services, clock=clock, catalog=catalog, mailer=post,
                database=built.database, admin=room,
                sign_ins=LoginLimiter(client, "sign-in", each=3, overall=5, window_seconds=60, prefix=prefix),
                invitations=OneTimeTokens(client, "invitation", prefix=prefix),
                storage=storage, engine=engine, webhook=callers, messages=mailbox,
            )  # fmt: skip
        finally:
            built.database.close()


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'rollcall.db'}"
