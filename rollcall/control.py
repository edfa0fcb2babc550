"""Builds the `AdminContext` of this system, and the probes of its servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from actors import QUEUES
from domain.errors import PermanentError
from operations.operation import AdminContext
from resilience.queues import QueueReader, QueueStats
from resilience.scripts import check_writable
from rollcall import brokers
from rollcall.wiring import System
from store import migrate


def control_room(system: System) -> AdminContext:
    """Return what an operator sees and operates."""
    queues = queue_reader(system)
    return AdminContext(
        services=system.services,
        heartbeats=system.heartbeats,
        queues=queues,
        dead_letters=brokers.dead_letters(system.settings, system.broker),
        is_scheduled=system.settings.scheduler == "on",
        probes=probes(system, queues),
        home=system.settings.home,
    )


def queue_reader(system: System) -> Callable[[], Mapping[str, QueueStats]]:
    """Return a reader of every queue; it raises when the broker does not answer."""
    if not brokers.is_rabbitmq(system.settings):
        return QueueReader(brokers.client_of(system.broker), QUEUES).read
    return partial(_rabbitmq_queues, system)


def probes(system: System, queues: Callable[[], Mapping[str, QueueStats]]) -> dict[str, Callable[[], object]]:
    """Return the probes by server name; each raises unless its server accepts the product's requests."""
    found: dict[str, Callable[[], object]] = {
        "database": partial(_check_database, system),
        "redis": partial(check_writable, system.redis),
    }
    if brokers.is_rabbitmq(system.settings):
        return found | {"broker": queues}
    return found | {"broker": partial(check_writable, brokers.client_of(system.broker))}


def has_own_broker(system: System) -> bool:
    """Return whether the broker is a separate server from Redis."""
    return system.settings.broker_url not in {None, system.settings.redis_url}


def _check_database(system: System) -> None:
    system.database.check_writable()
    if not migrate.is_current(system.database):
        raise PermanentError("its schema is not the newest: run `rollcall init`")


def _rabbitmq_queues(system: System) -> Mapping[str, QueueStats]:
    counts = {queue: system.broker.get_queue_message_counts(queue) for queue in QUEUES}  # type: ignore[attr-defined]  # RabbitMQ's alone
    return {
        queue: QueueStats(ready + delayed, None, dead, is_age_known=not ready)
        for queue, (ready, delayed, dead) in counts.items()
    }
