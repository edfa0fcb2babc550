"""Builds the message broker, Redis or RabbitMQ, with its middleware in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import redis
from dramatiq import Broker, Middleware
from dramatiq.middleware import AgeLimit, Retries, ShutdownNotifications, TimeLimit

from actors import QUEUES
from domain.errors import ConfigurationError, is_retryable
from observability.logs import TraceMiddleware
from resilience.crash_budget import CrashBudget
from resilience.dead_letter_cause import DeadLetterCause
from resilience.dead_letters import DeadLetterQueue
from resilience.queues import QueueReader, QueueStats
from resilience.reaper import FleetBroker
from resilience.scripts import check_writable
from rollcall.settings import Settings

MAX_RETRIES = 5
_MIN_BACKOFF_MS, _MAX_BACKOFF_MS = 1_000, 60_000
_PACKAGES = (
    *("actors", "catalogs", "domain", "notifications", "observability", "operations"),
    *("providers", "resilience", "rollcall", "store", "workflows"),
)


def build(
    settings: Settings,
    client: redis.Redis,
    observers: Sequence[Middleware] = (),
    *,
    namespace: str = "dramatiq",
) -> Broker:
    """Build the broker of `settings`; a Redis broker shares `client` unless it has a URL of its own.

    `observers` are called before and after each message.
    """
    middleware = _middleware(client, observers)
    if is_rabbitmq(settings):
        return _rabbitmq(settings, middleware)
    if settings.broker_url is not None:
        client = redis_client(settings.broker_url)
    middleware.append(DeadLetterCause(client, _PACKAGES))
    # Only the reaper does maintenance: Dramatiq's random default took 2 to 25 minutes.
    return FleetBroker(client=client, middleware=middleware, maintenance_chance=0, namespace=namespace)


def redis_client(url: str) -> redis.Redis:
    """Return a client of the Redis server at `url`, which connects on first use."""
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)


def is_rabbitmq(settings: Settings) -> bool:
    """Return whether the broker is RabbitMQ, which redelivers a dead worker's messages itself."""
    return settings.broker_url is not None and settings.broker_url.startswith("amqp")


def client_of(broker: Broker) -> redis.Redis:
    """Return the client of a Redis broker."""
    client: redis.Redis = broker.client  # type: ignore[attr-defined]
    return client


def dead_letters(
    settings: Settings,
    broker: Broker,
    namespace: str = "dramatiq",
    now_ms: Callable[[], int] | None = None,
) -> DeadLetterQueue | None:
    """Return the dead letters of `broker`; None with RabbitMQ, which does not expose them."""
    if is_rabbitmq(settings):
        return None
    return DeadLetterQueue(client_of(broker), QUEUES, namespace=namespace, now_ms=now_ms)


def queue_reader(
    settings: Settings, broker: Broker, namespace: str
) -> Callable[[], Mapping[str, QueueStats]]:
    """Return a reader of every queue; it raises when the broker does not answer."""
    if is_rabbitmq(settings):
        return partial(rabbitmq_queues, broker)
    return QueueReader(client_of(broker), QUEUES, namespace=namespace).read


def probe(settings: Settings, broker: Broker, queues: Callable[[], object]) -> Callable[[], object]:
    """Return the probe of the broker, which raises unless it accepts the requests of Rollcall."""
    return queues if is_rabbitmq(settings) else partial(check_writable, client_of(broker))


def rabbitmq_queues(broker: Broker) -> Mapping[str, QueueStats]:
    """Return the state of every queue in RabbitMQ. Raises: the errors of its client."""
    counts = {queue: broker.get_queue_message_counts(queue) for queue in QUEUES}  # type: ignore[attr-defined]  # RabbitMQ's alone
    return {
        queue: QueueStats(ready + delayed, None, dead, is_age_known=not ready)
        for queue, (ready, delayed, dead) in counts.items()
    }


def _rabbitmq(settings: Settings, middleware: list[Middleware]) -> Broker:
    try:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker  # noqa: PLC0415 - only where it is the broker
    except ImportError as error:
        raise ConfigurationError({"BROKER_URL": f"needs {error.name}: run `make setup`"}) from error
    return RabbitmqBroker(url=settings.broker_url, middleware=middleware, confirm_delivery=True)


def _middleware(client: redis.Redis, observers: Sequence[Middleware]) -> list[Middleware]:
    # Before a message in this order, after it in reverse.
    return [
        TraceMiddleware(),  # first: records of the others carry the message's ids
        AgeLimit(),  # before the metrics: an expired message did not start
        CrashBudget(client),  # outside the interrupting middleware, so that it is never interrupted itself
        *observers,  # likewise
        TimeLimit(),
        ShutdownNotifications(),
        Retries(min_backoff=_MIN_BACKOFF_MS, max_backoff=_MAX_BACKOFF_MS, retry_when=_retry_when),
    ]


def _retry_when(retries: int, error: BaseException) -> bool:
    return retries < MAX_RETRIES and is_retryable(error)
