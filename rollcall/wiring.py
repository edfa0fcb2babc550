"""The composition root: from settings to one frozen graph of services."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import redis
from dramatiq import Broker, Message
from dramatiq.errors import BrokerConnectionError

from actors import QUEUES
from actors.alert import LOG
from actors.deliver import MAIL
from actors.services import Services, Store
from domain.errors import UnreachableError
from domain.ports import Mailer, Source
from mail.letters import Renderer
from mail.links import Links
from resilience.breaker import CircuitBreaker
from resilience.circuit import BreakerPolicy
from resilience.claims import Claims
from resilience.heartbeat import Heartbeats
from resilience.lease import Lease
from resilience.reaper import Reaper
from resilience.throttle import Throttle
from resilience.turnstile import Turnstile
from rollcall import brokers
from rollcall.channels import operator_of
from rollcall.clock import SystemClock
from rollcall.embedded import redis_url
from rollcall.settings import Settings
from scheduling.timetable import Timetable
from sources.campus import Campus
from sources.scraper import Scraper
from store.alerts import Alerts
from store.checks import Checks
from store.database import Database
from store.deliveries import Deliveries
from store.outbox import Outbox
from store.pauses import Pauses
from store.runs import Runs
from store.sections import Sections
from store.watches import Watches

CRON_LEASE = "section-checks"
HEARTBEAT_TTL_SECONDS = 30
_MIN_CHUNK = 25
_BURST = 25
_RESEND_REQUESTS_PER_MINUTE = 240  # of the 300 that Resend grants a team


@dataclass(frozen=True, slots=True)
class System:
    """Everything a process of Rollcall holds; `close` lets go of it."""

    settings: Settings
    database: Database
    redis: redis.Redis
    broker: Broker
    services: Services
    links: Links
    timetable: Timetable
    heartbeats: Heartbeats
    reaper: Reaper | None
    is_demo: bool

    def close(self) -> None:
        """Close what is open, the outermost first."""
        for source in self.services.sources.values():
            source.close()
        self.broker.close()
        self.redis.close()
        self.database.close()


def build(settings: Settings) -> System:
    """The system that `settings` (with its home prepared) describe. Nothing connects yet."""
    database = Database(database_url(settings))
    client = redis.Redis.from_url(
        settings.redis_url or redis_url(settings.home), socket_timeout=5, socket_connect_timeout=2
    )
    broker = brokers.build(settings, client)
    links = Links(settings.base_url, _known(settings.unsubscribe_secret))
    timetable = Timetable(even=settings.check_even_cron, odd=settings.check_odd_cron)
    services = _services(settings, database, client, broker, links, timetable)
    return System(
        settings=settings,
        database=database,
        redis=client,
        broker=broker,
        services=services,
        links=links,
        timetable=timetable,
        heartbeats=Heartbeats(client, HEARTBEAT_TTL_SECONDS),
        reaper=None if brokers.is_rabbitmq(settings) else Reaper(brokers.client_of(broker), QUEUES),
        is_demo=settings.scraper_url is None,
    )


def database_url(settings: Settings) -> str:
    """Where the state is kept."""
    return settings.database_url or f"sqlite:///{settings.home / 'rollcall.db'}"


def _services(
    settings: Settings,
    database: Database,
    client: redis.Redis,
    broker: Broker,
    links: Links,
    timetable: Timetable,
) -> Services:
    clock = SystemClock()
    sources = _sources(settings, client, clock)
    policy = BreakerPolicy(
        failure_threshold=settings.breaker_failure_threshold,
        recovery_seconds=settings.breaker_recovery_seconds,
        success_threshold=settings.breaker_success_threshold,
    )
    cooldown = timedelta(seconds=settings.renotify_cooldown_seconds)
    mailer = _mailer(settings, client, clock)
    operator = operator_of(settings, mailer)
    return Services(
        clock=clock,
        timetable=timetable,
        store=open_store(database, cooldown, settings.mail_daily_cap, tuple(operator.channels)),
        sources=sources,
        mailer=mailer,
        render=Renderer(settings.notification_from_email, links, settings.enrol_url).render,
        breakers={name: CircuitBreaker(name, client, policy) for name in (*sources, MAIL)},
        cron_lease=Lease(client, CRON_LEASE, settings.cron_lock_ttl_seconds),
        claims=Claims(client, settings.cron_lock_ttl_seconds),
        publish=partial(_publish, broker),
        run_lifetime=timedelta(seconds=settings.cron_lock_ttl_seconds),
        operator=operator,
    )


def open_store(
    database: Database, cooldown: timedelta, daily_cap: int = 0, channels: Sequence[str] = ()
) -> Store:
    """The repositories of `database`; where the operator gave no `channels`, alerts are for the log."""
    return Store(
        sections=Sections(database),
        watches=Watches(database),
        runs=Runs(database),
        checks=Checks(database, cooldown=cooldown),
        outbox=Outbox(database, daily_cap=daily_cap),
        deliveries=Deliveries(database),
        alerts=Alerts(database, channels or (LOG,)),
        pauses=Pauses(database),
    )


def _sources(settings: Settings, client: redis.Redis, clock: SystemClock) -> dict[str, Source]:
    if settings.scraper_url is None:
        return {Campus.name: Campus(clock)}
    rate = settings.scraper_requests_per_minute
    scraper = Scraper(
        url=settings.scraper_url,
        token=_known(settings.scraper_secret_token),
        clock=clock,
        timeout_seconds=settings.scraper_timeout_seconds,
        max_concurrency=settings.scraper_max_concurrency,
        # One thread's chunk fills every slot, so that none runs dry while another thread settles its own.
        chunk_size=max(_MIN_CHUNK, settings.scraper_max_concurrency),
        pacer=Throttle(client, Scraper.name, rate, burst=_BURST),
    )
    return {Scraper.name: scraper}


def _mailer(settings: Settings, client: redis.Redis, clock: SystemClock) -> Mailer:
    makers: dict[str, Callable[[], Mailer]] = {
        "preview": lambda: _preview(settings, clock),
        "resend": lambda: _resend(settings, client, clock),
        "smtp": lambda: _smtp(settings, clock),
    }
    return makers[settings.transport]()


def _preview(settings: Settings, clock: SystemClock) -> Mailer:
    from mail.preview import Preview  # noqa: PLC0415 - one transport is enough

    return Preview(settings.home / "outbox", clock)


def _resend(settings: Settings, client: redis.Redis, clock: SystemClock) -> Mailer:
    from mail.resend_api import Resend  # noqa: PLC0415

    turns = Turnstile(Throttle(client, "resend", _RESEND_REQUESTS_PER_MINUTE))
    return Resend(_known(settings.resend_api_key), clock, settings.resend_api_url, turns)


def _smtp(settings: Settings, clock: SystemClock) -> Mailer:
    from mail.smtp import Smtp  # noqa: PLC0415

    return Smtp(_known(settings.smtp_url), clock)


def _publish(broker: Broker, message: Message[Any]) -> None:
    try:
        broker.enqueue(message)
    except (redis.ConnectionError, redis.TimeoutError, BrokerConnectionError) as error:
        raise UnreachableError(f"the broker cannot be reached: {error}") from error


def _known(value: str | None) -> str:
    if value is None:
        raise AssertionError("checked by rollcall.settings or filled in by rollcall.environment")
    return value
