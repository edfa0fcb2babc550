"""The composition root: builds one frozen graph of services from the settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from catalogs.demo_campus import DemoCampus
from catalogs.scraper import PATIENCE_SECONDS, Scraper
from domain.errors import UnreachableError
from domain.ports import Mailer, Source
from notifications.messages import Renderer
from notifications.unsubscribe_links import UnsubscribeLinks
from observability.message_metrics import BreakerTransitions, MessageMetrics
from observability.metrics_store import MetricsStore
from observability.recorders import Recorder
from providers import docraptor, gemini, stripe
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from resilience.claims import Claims
from resilience.heartbeats import Heartbeats, ThreadTasks
from resilience.lease import Lease
from resilience.rate_limiter import BlockingRateLimiter, RateLimiter
from resilience.reaper import Reaper
from resilience.scripts import translate_errors
from rollcall import brokers
from rollcall.channels import operator_channels
from rollcall.clock import SystemClock
from rollcall.embedded_valkey import redis_url
from rollcall.heartbeat import HeartbeatThread
from rollcall.redaction import Redactor
from rollcall.settings import Settings
from scheduling.timetable import Timetable
from store.alerts import Alerts
from store.audit import Audit
from store.clock_bounds import ClockBounds
from store.credits import CreditLedger
from store.database import Database, sqlite_url
from store.dead_mail import DeadMails
from store.ended_sessions import EndedSessions
from store.jobs.callbacks import JobCallbacks
from store.jobs.jobs import Jobs
from store.notifications.deliveries import Deliveries
from store.notifications.outbox import Outbox
from store.opt_outs import OptOuts
from store.pauses import Pauses
from store.payments import Payments
from store.refunds import Refunds
from store.runs.batches import Batches
from store.runs.runs import Runs
from store.runs.waits import Waits
from store.sections.search import Search
from store.sections.states import Sections
from store.statistics import Statistics
from store.terms import Terms
from store.timeline import Timelines
from store.upstreams import Upstreams
from store.watches import Watches
from workflows.generation import GEMINI
from workflows.refund import STRIPE
from workflows.report.workflow import DOCRAPTOR

CRON_LEASE = "section-checks"
HEARTBEAT_TTL_SECONDS = 30
_MIN_CHUNK = 25
_BURST = 25
_PROBE_MARGIN_SECONDS = 20  # wait for the provider's rate limiter, 10 s, and the writes around the call
_RESEND_REQUESTS_PER_MINUTE = 240  # of the 300 that Resend grants a team


@dataclass(frozen=True, slots=True)
class System:
    """Everything a Rollcall process holds; `close` releases it."""

    settings: Settings
    database: Database
    redis: redis.Redis
    broker: Broker
    services: Services
    links: UnsubscribeLinks
    timetable: Timetable
    heartbeats: Heartbeats
    pulse: HeartbeatThread
    reaper: Reaper | None
    is_demo: bool

    def close(self) -> None:
        """Flush the last counts, and close open resources, outermost first."""
        self.pulse.flush()
        for source in self.services.sources.values():
            source.close()
        self.broker.close()
        self.redis.close()
        self.database.close()


def build(settings: Settings) -> System:
    """Build the system of `settings`, whose home is prepared. Nothing connects yet."""
    database = Database(database_url(settings))
    client = redis_client(settings)
    tally, slots = Recorder(), ThreadTasks()
    broker = brokers.build(settings, client, observers=(MessageMetrics(tally), slots))
    links = UnsubscribeLinks(
        settings.base_url, required(settings.unsubscribe_secret), settings.previous_unsubscribe_secret
    )
    timetable = Timetable(even=settings.check_even_cron, odd=settings.check_odd_cron)
    heartbeats = Heartbeats(client, HEARTBEAT_TTL_SECONDS)
    services = _services(settings, database, client, broker, links=links, timetable=timetable, tally=tally)
    return System(
        settings=settings,
        database=database,
        redis=client,
        broker=broker,
        services=services,
        links=links,
        timetable=timetable,
        heartbeats=heartbeats,
        pulse=HeartbeatThread(
            heartbeats,
            MetricsStore(client),
            tally,
            slots,
            partial(_recent_errors, database, Redactor(settings)),
        ),
        reaper=None if brokers.is_rabbitmq(settings) else Reaper(brokers.client_of(broker), QUEUES),
        is_demo=settings.scraper_url is None,
    )


def _recent_errors(database: Database, redact: Redactor) -> tuple[int, str]:
    count, last = database.errors.read()
    return count, redact(last)


def redis_client(settings: Settings) -> redis.Redis:
    """Return the Redis client, which connects on first use."""
    url = settings.redis_url or redis_url(settings.home)
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)


def database_url(settings: Settings) -> str:
    """Return the URL of the database."""
    return settings.database_url or sqlite_url(settings.home / "rollcall.db")


def _services(  # noqa: PLR0913 - what the services and the system share
    settings: Settings,
    database: Database,
    client: redis.Redis,
    broker: Broker,
    *,
    links: UnsubscribeLinks,
    timetable: Timetable,
    tally: Recorder,
) -> Services:
    clock = SystemClock()
    sources = _sources(settings, client, clock)
    policy = BreakerPolicy(
        failure_threshold=settings.breaker_failure_threshold,
        recovery_seconds=settings.breaker_recovery_seconds,
        success_threshold=settings.breaker_success_threshold,
        failure_ratio=settings.breaker_failure_ratio,
        window_seconds=settings.breaker_window_seconds,
        minimum_calls=settings.breaker_minimum_calls,
        slow_call_seconds=settings.breaker_slow_seconds,
        ramp_seconds=settings.breaker_ramp_seconds,
    )
    mailer = _mailer(settings, client, clock)
    longest_seconds = dict.fromkeys(sources, _longest_probe_seconds(settings))
    longest_seconds |= {MAIL: mailer.longest_send_seconds, **_upstreams(settings)}
    heard, redactor = [BreakerTransitions(tally)], Redactor(settings)
    cooldown = timedelta(seconds=settings.renotify_cooldown_seconds)
    operator = operator_channels(settings, mailer)
    return Services(
        clock=clock,
        timetable=timetable,
        store=open_store(database, cooldown, settings.mail_daily_cap, tuple(operator.channels)),
        sources=sources,
        mailer=mailer,
        render=Renderer(
            settings.notification_from_email, links, settings.enrol_url, settings.timezone
        ).render,
        breakers={
            name: CircuitBreaker.shared(
                name,
                client,
                _probing(policy if name in sources else replace(policy, slow_call_seconds=None), seconds),
                listeners=heard,
                describe=redactor.describe,
            )
            for name, seconds in longest_seconds.items()
        },
        cron_lease=Lease(client, CRON_LEASE, settings.cron_lock_ttl_seconds),
        claims=Claims(client, settings.cron_lock_ttl_seconds),
        publish=partial(_publish, broker),
        run_lifetime=timedelta(seconds=settings.cron_lock_ttl_seconds),
        operator=operator,
        tally=tally,
        describe=redactor.describe,
        prices=settings.report_prices,
    )


def open_store(
    database: Database, cooldown: timedelta, daily_cap: int = 0, channels: Sequence[str] = ()
) -> Store:
    """Return the repositories of `database`; without `channels`, alerts go only to the log."""
    return Store(
        sections=Sections(database),
        watches=Watches(database),
        runs=Runs(database),
        checks=Batches(database, cooldown=cooldown),
        waits=Waits(database),
        upstreams=Upstreams(database),
        clock_bounds=ClockBounds(database, cooldown=cooldown),
        outbox=Outbox(database, daily_cap=daily_cap),
        deliveries=Deliveries(database),
        dead_mail=DeadMails(database),
        opt_outs=OptOuts(database),
        terms=Terms(database),
        alerts=Alerts(database, channels or (LOG,)),
        pauses=Pauses(database),
        audit=Audit(database),
        statistics=Statistics(database),
        search=Search(database),
        timelines=Timelines(database),
        jobs=Jobs(database),
        job_callbacks=JobCallbacks(database),
        payments=Payments(database),
        refunds=Refunds(database),
        ended_sessions=EndedSessions(database),
        credits=CreditLedger(database),
    )


def _probing(policy: BreakerPolicy, longest_seconds: float) -> BreakerPolicy:
    """Return `policy` with probe leases that outlast the call, its rate limiting and its writes."""
    return replace(policy, probe_seconds=longest_seconds + _PROBE_MARGIN_SECONDS)


def _longest_probe_seconds(settings: Settings) -> float:
    """Return how long a source's probes may take, including waits for the rate limiter and slots."""
    probes, per_minute = settings.breaker_success_threshold, settings.scraper_requests_per_minute
    paced_seconds = (probes - 1) * 60 / per_minute if per_minute else 0
    rounds = math.ceil(probes / settings.scraper_max_concurrency)
    asked_seconds = rounds * settings.scraper_timeout_seconds
    return PATIENCE_SECONDS + paced_seconds + asked_seconds


def _upstreams(settings: Settings) -> dict[str, float]:
    """Return the upstreams of jobs that are configured, with the time limit of a call in seconds."""
    found = {
        STRIPE: (settings.stripe_secret_key, stripe.LONGEST_SECONDS),
        DOCRAPTOR: (settings.docraptor_api_key, docraptor.LONGEST_SECONDS),
        GEMINI: (settings.gemini_api_key, gemini.LONGEST_SECONDS),
    }
    return {name: seconds for name, (key, seconds) in found.items() if key is not None}


def _sources(settings: Settings, client: redis.Redis, clock: SystemClock) -> dict[str, Source]:
    if settings.scraper_url is None:
        return {DemoCampus.name: DemoCampus(clock)}
    rate = settings.scraper_requests_per_minute
    scraper = Scraper(
        url=settings.scraper_url,
        token=required(settings.scraper_secret_token),
        clock=clock,
        timeout_seconds=settings.scraper_timeout_seconds,
        max_concurrency=settings.scraper_max_concurrency,
        # One thread's chunk fills every slot, so that none idles while another thread settles its results.
        chunk_size=max(_MIN_CHUNK, settings.scraper_max_concurrency),
        pacer=RateLimiter(client, Scraper.name, rate, burst=_BURST),
    )
    return {Scraper.name: scraper}


def _mailer(settings: Settings, client: redis.Redis, clock: SystemClock) -> Mailer:
    makers: dict[str, Callable[[], Mailer]] = {
        "preview": lambda: _preview(settings, clock),
        "resend": lambda: _resend(settings, client, clock),
        "postmark": lambda: _postmark(settings),
        "smtp": lambda: _smtp(settings, clock),
    }
    return makers[settings.transport]()


def _preview(settings: Settings, clock: SystemClock) -> Mailer:
    from notifications.preview import Preview  # noqa: PLC0415 - one transport is enough

    return Preview(settings.home / "outbox", clock)


def _resend(settings: Settings, client: redis.Redis, clock: SystemClock) -> Mailer:
    from notifications.resend import Resend  # noqa: PLC0415

    limiter = BlockingRateLimiter(RateLimiter(client, "resend", _RESEND_REQUESTS_PER_MINUTE))
    return Resend(required(settings.resend_api_key), clock, settings.resend_api_url, limiter)


def _postmark(settings: Settings) -> Mailer:
    from notifications.postmark import Postmark  # noqa: PLC0415

    return Postmark(required(settings.postmark_server_token), settings.postmark_api_url)


def _smtp(settings: Settings, clock: SystemClock) -> Mailer:
    from notifications.smtp import Smtp  # noqa: PLC0415

    return Smtp(required(settings.smtp_url), clock)


def _publish(broker: Broker, message: Message[Any]) -> None:
    try:
        with translate_errors():
            broker.enqueue(message)
    except BrokerConnectionError as error:
        raise UnreachableError(f"the broker cannot be reached: {error}") from error


def required(value: str | None) -> str:
    """Return a setting that `rollcall.settings` has checked or `rollcall.environment` has filled in."""
    if value is None:
        raise AssertionError("a setting was neither checked nor filled in")
    return value
