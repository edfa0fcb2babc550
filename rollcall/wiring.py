"""The composition root: `build` makes one frozen graph, for production, tests and the simulator."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import redis
from dramatiq import Broker, Message
from dramatiq.errors import BrokerConnectionError

from actors import QUEUES
from actors.alert import LOG
from actors.services import OperatorChannels, Services
from domain.errors import PermanentError, UnreachableError
from domain.notification import MAIL
from domain.plugin import ChannelPorts, Ports, enabled
from domain.ports import Clock, Mailer, Source
from notifications.messages import Renderer
from notifications.unsubscribe_links import UnsubscribeLinks
from observability.checks import runbook_link
from observability.message_metrics import BreakerTransitions, MessageMetrics
from observability.metrics_store import MetricsStore
from observability.recorders import Recorder
from operations.context import AdminContext
from providers.stripe import StripeSettings
from resilience.breaker import CircuitBreaker
from resilience.breaker_policy import BreakerPolicy
from resilience.claims import Claims
from resilience.heartbeats import Heartbeats, ThreadTasks
from resilience.lease import Lease
from resilience.rate_limiter import BlockingRateLimiter, RateLimiter
from resilience.reaper import Reaper
from resilience.scripts import check_writable, translate_errors
from rollcall import brokers, plugins
from rollcall.embedded_valkey import redis_url
from rollcall.heartbeat import HeartbeatThread
from rollcall.redaction import Redactor
from rollcall.settings import Settings
from scheduling.timetable import Timetable
from store import migrate
from store.database import Database, sqlite_url
from store.repositories import Store, open_store

if TYPE_CHECKING:
    from catalogs.active import ActiveCatalog
    from catalogs.samples import Sample

CRON_LEASE = "section-checks"
POLL_LEASE = "catalog-polls"
POLL_LEASE_SECONDS = 30
HEARTBEAT_TTL_SECONDS = 30
_log = logging.getLogger(__name__)
_PROBE_MARGIN_SECONDS = 20  # wait for the provider's rate limiter, 10 s, and the writes around the call


class SystemClock:
    """The clock of this host."""

    def now(self) -> datetime:
        """Return the current time: aware, in UTC, in whole milliseconds as the tables store it."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Parts that replace those of production, for tests and the simulator; None keeps the production part.

    Shape: `now_ms` is the time in Redis scripts, `prefix` begins each Redis key and `namespace` each of the
    broker. `publish` replaces the broker. `store` and the classes `breaker` and `lease` may weaken a part, to
    show that the tests notice it. `wait` sleeps for some seconds.
    """

    clock: Clock = field(default_factory=SystemClock)
    now_ms: Callable[[], int] | None = None
    database: Database | None = None
    redis: redis.Redis | None = None
    prefix: str = "rollcall"
    namespace: str = "dramatiq"
    sources: Mapping[str, Source] | None = None
    catalogs: Mapping[str, ActiveCatalog] | None = None
    mailer: Mailer | None = None
    operator: Callable[[Mailer], OperatorChannels] | None = None
    publish: Callable[[Message[Any]], None] | None = None
    policy: BreakerPolicy | None = None
    store: Callable[[Store], Store] = lambda store: store
    breaker: type[CircuitBreaker] = CircuitBreaker
    lease: type[Lease] = Lease
    wait: Callable[[float], object] = time.sleep


@dataclass(frozen=True, slots=True)
class System:
    """Everything a Rollcall process holds; `close` releases it."""

    settings: Settings
    database: Database
    redis: redis.Redis
    broker: Broker
    services: Services
    admin: AdminContext
    links: UnsubscribeLinks
    heartbeats: Heartbeats
    heartbeat: HeartbeatThread
    reaper: Reaper | None

    def close(self) -> None:
        """Flush the last counts, and close open resources, outermost first."""
        self.heartbeat.flush()
        for source in self.services.sources.values():
            source.close()
        self.broker.close()
        self.redis.close()
        self.database.close()


def build(settings: Settings, overrides: Overrides | None = None) -> System:
    """Build the system of `settings`, whose home is prepared. Nothing connects yet."""
    given = overrides or Overrides()
    database = given.database or Database(database_url(settings))
    client = given.redis or redis_client(settings)
    recorder, threads = Recorder(), ThreadTasks()
    observers = (MessageMetrics(recorder), threads)
    broker = brokers.build(settings, client, observers, namespace=given.namespace)
    publish = given.publish or partial(_publish, broker)
    services = build_services(settings, database, client, publish, given, recorder)
    heartbeats = Heartbeats(client, HEARTBEAT_TTL_SECONDS, given.prefix, now_ms=given.now_ms)
    queues = brokers.queue_reader(settings, broker, given.namespace)
    errors = partial(_recent_errors, database, Redactor(settings))
    return System(
        settings=settings,
        database=database,
        redis=client,
        broker=broker,
        services=services,
        admin=AdminContext(
            services=services,
            heartbeats=heartbeats,
            queues=queues,
            dead_letters=brokers.dead_letters(settings, broker, given.namespace, given.now_ms),
            is_scheduled=settings.scheduler == "on",
            probes={
                "database": partial(_check_database, database),
                "redis": partial(check_writable, client),
                "broker": brokers.probe(settings, broker, queues),
            },
            home=settings.home,
        ),
        links=_links(settings),
        heartbeats=heartbeats,
        heartbeat=HeartbeatThread(heartbeats, MetricsStore(client), recorder, threads, errors),
        reaper=None if brokers.is_rabbitmq(settings) else Reaper(brokers.client_of(broker), QUEUES),
    )


def build_services(
    settings: Settings,
    database: Database,
    client: redis.Redis,
    publish: Callable[[Message[Any]], None],
    given: Overrides,
    recorder: Recorder,
) -> Services:
    """Build the services of the actors; a process of the simulator has no more of a system."""
    ports, redactor = client_ports(settings, client, given.clock), Redactor(settings)
    sources = given.sources or {each.name: each.make(settings, ports) for each in settings.source_plugins}
    catalogs = given.catalogs or _catalogs(settings, client, given)
    mailer = given.mailer or settings.transport_plugin.make(settings, ports)
    operator = (given.operator or partial(_operator_channels, settings))(mailer)
    cooldown, ttl_seconds = settings.renotify_cooldown_seconds, settings.cron_lock_ttl_seconds
    channels = tuple(operator.channels) or (LOG,)
    store = open_store(database, timedelta(seconds=cooldown), settings.mail_daily_cap, channels)
    return Services(
        clock=given.clock,
        timetable=Timetable(even=settings.check_even_cron, odd=settings.check_odd_cron),
        store=given.store(store),
        sources=sources,
        catalogs=catalogs,
        mailer=mailer,
        render=_renderer(settings, catalogs).render,
        breakers={
            name: given.breaker.shared(
                name,
                client,
                given.policy or _policy(settings, longest_seconds, is_source=name in sources),
                listeners=[BreakerTransitions(recorder)],
                now_ms=given.now_ms,
                prefix=given.prefix,
                describe=redactor.describe,
            )
            for name, longest_seconds in _guarded(settings, sources, catalogs, mailer).items()
        },
        cron_lease=given.lease(client, CRON_LEASE, ttl_seconds, now_ms=given.now_ms, prefix=given.prefix),
        poll_lease=given.lease(
            client, POLL_LEASE, POLL_LEASE_SECONDS, now_ms=given.now_ms, prefix=given.prefix
        ),
        claims=Claims(client, ttl_seconds, given.prefix),
        publish=publish,
        run_lifetime=timedelta(seconds=ttl_seconds),
        operator=operator,
        recorder=recorder,
        describe=redactor.describe,
        wait=given.wait,
        prices=settings.of(StripeSettings).prices,
        is_budgeted=settings.check_schedule == "budget",
        save_sample=partial(_save_sample, settings),
    )


def client_ports(settings: Settings, client: redis.Redis, clock: Clock) -> Ports:
    """Return what plug-ins build their clients from."""

    def pacer(name: str, per_minute: int, burst: int = 1) -> RateLimiter:
        return RateLimiter(client, name, per_minute, burst=burst)

    def rate_limiter(name: str, per_minute: int) -> BlockingRateLimiter:
        return BlockingRateLimiter(pacer(name, per_minute))

    return Ports(clock, settings.home, pacer, rate_limiter)


def redis_client(settings: Settings) -> redis.Redis:
    """Return the Redis client, which connects on first use."""
    return brokers.redis_client(settings.redis_url or redis_url(settings.home))


def database_url(settings: Settings) -> str:
    """Return the URL of the database."""
    return settings.database_url or sqlite_url(settings.home / "rollcall.db")


def has_own_broker(settings: Settings) -> bool:
    """Return whether the broker is a separate server from Redis."""
    return settings.broker_url not in {None, settings.redis_url}


def required(value: str | None) -> str:
    """Return a setting that `rollcall.settings` has checked or `rollcall.environment` has filled in."""
    if value is None:
        raise AssertionError("a setting was neither checked nor filled in")
    return value


def _links(settings: Settings) -> UnsubscribeLinks:
    return UnsubscribeLinks(
        settings.base_url, required(settings.unsubscribe_secret), settings.previous_unsubscribe_secret
    )


def _policy(settings: Settings, longest_seconds: float, *, is_source: bool) -> BreakerPolicy:
    """Return the policy of a breaker: the leases of its probes outlast the call and the waits around it."""
    return BreakerPolicy(
        failure_threshold=settings.breaker_failure_threshold,
        recovery_seconds=settings.breaker_recovery_seconds,
        success_threshold=settings.breaker_success_threshold,
        probe_seconds=longest_seconds + _PROBE_MARGIN_SECONDS,
        failure_ratio=settings.breaker_failure_ratio,
        window_seconds=settings.breaker_window_seconds,
        minimum_calls=settings.breaker_minimum_calls,
        slow_call_seconds=settings.breaker_slow_seconds if is_source else None,
        ramp_seconds=settings.breaker_ramp_seconds,
    )


def _renderer(settings: Settings, catalogs: Mapping[str, ActiveCatalog]) -> Renderer:
    profiles = [catalog.profile for catalog in catalogs.values()]
    return Renderer(
        settings.notification_from_email,
        _links(settings),
        settings.enrol_url,
        settings.timezone,
        enrol_urls={each.id: each.registration_url for each in profiles if each.registration_url},
        zones={each.id: each.timezone for each in profiles},
    )


def _catalogs(settings: Settings, client: redis.Redis, given: Overrides) -> Mapping[str, ActiveCatalog]:
    if not settings.catalogs:
        return {}
    from rollcall.catalog_profiles import active_catalogs  # noqa: PLC0415 - most installations need no family

    return active_catalogs(settings, client, given.clock, prefix=given.prefix, now_ms=given.now_ms)


def _save_sample(settings: Settings, catalog: str, sample: Sample, reason: str, at: datetime) -> str | None:
    from catalogs.samples import save_sample  # noqa: PLC0415 - most installations need no family

    try:
        return str(save_sample(settings.home / "catalogs" / "samples", catalog, sample, reason, at))
    except OSError as error:
        _log.warning("a sample cannot be kept", extra={"source": catalog, "error": str(error)})
        return None


def _guarded(
    settings: Settings, sources: Mapping[str, Source], catalogs: Mapping[str, ActiveCatalog], mailer: Mailer
) -> dict[str, float]:
    """Return what has a circuit breaker, with the maximum duration of a probe in seconds."""
    probes = settings.breaker_success_threshold
    checked = {name: source.longest_probe_seconds(probes) for name, source in sources.items()}
    polled = {name: catalog.longest_probe_seconds for name, catalog in catalogs.items()}
    providers = {plugin.name: plugin.longest_seconds for plugin in enabled(plugins.PROVIDERS, settings)}
    return checked | polled | {MAIL: mailer.longest_send_seconds} | providers


def _operator_channels(settings: Settings, mailer: Mailer) -> OperatorChannels:
    ports = ChannelPorts(mailer, settings.notification_from_email, partial(runbook_link, settings.base_url))
    found = enabled(plugins.OPERATOR_CHANNELS, settings)
    return OperatorChannels(
        {plugin.name: plugin.make(settings, ports) for plugin in found},
        plugins.DEAD_MANS_SWITCH.client(settings, ports),
        max([mailer.longest_send_seconds, *(plugin.longest_seconds for plugin in found)]),
    )


def _check_database(database: Database) -> None:
    database.check_writable()
    if not migrate.is_current(database):
        raise PermanentError("its schema is not that of this release: run `rollcall init`")


def _recent_errors(database: Database, redact: Redactor) -> tuple[int, str]:
    count, last = database.errors.read()
    return count, redact(last)


def _publish(broker: Broker, message: Message[Any]) -> None:
    try:
        with translate_errors():
            broker.enqueue(message)
    except BrokerConnectionError as error:
        raise UnreachableError(f"the broker cannot be reached: {error}") from error
