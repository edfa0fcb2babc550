"""What needs a person, judged from readings alone.

A condition's name begins with the reading that it is judged from. A cause silences its consequences: a
paused source has neither a breaker nor a silence to be told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from actors.deliver import MAIL
from domain.alert import Symptom
from domain.payment import PaymentTroubles
from operations.expectations import RunTimes, SourceReading
from operations.unread import Unread
from operations.verdicts import SLOW_DELIVERY
from resilience.permit import BreakerSnapshot
from resilience.queues import QueueReading
from rollcall import symptoms
from rollcall.readings import Disk, Readings
from store.outbox import Backlog, Losses
from store.pauses import Pause

UNREADABLE = "unreadable"
Named = tuple[str, Symptom | None]


def conditions(readings: Readings) -> dict[str, Symptom | None]:
    """Each condition by its name, with its symptom where it holds; unnamed is what could not be judged."""
    found: dict[str, Symptom | None] = {}
    for each in (field.name for field in fields(readings) if field.name in _JUDGES):
        value = getattr(readings, each)
        is_unread = isinstance(value, Unread)
        found[f"{UNREADABLE}/{each}"] = symptoms.unreadable(each, value.error) if is_unread else None
        if not is_unread:
            found |= {f"{each}/{thing}": symptom for thing, symptom in _JUDGES[each](value, readings)}
    return found


def _breakers(snapshots: list[BreakerSnapshot], readings: Readings) -> Iterator[Named]:
    for snapshot in snapshots:
        is_well = snapshot.state == "closed" or readings.pause(snapshot.name) is not None
        affected = readings.affected(snapshot.name)
        yield snapshot.name, None if is_well else symptoms.open_breaker(snapshot, affected)


def _pauses(pauses: Mapping[str, Pause], readings: Readings) -> Iterator[Named]:
    for name in pauses:
        pause = readings.pause(name)
        yield name, None if pause is None else symptoms.paused(pause, readings.affected(name))


def _queues(queues: Mapping[str, QueueReading], _: Readings) -> Iterator[Named]:
    dead = {name: reading.dead for name, reading in queues.items() if reading.dead}
    yield "dead", symptoms.dead_letters(dead) if dead else None


def _losses(losses: Losses, _: Readings) -> Iterator[Named]:
    yield "notifications", symptoms.lost(losses) if losses.notifications else None


def _runs(times: RunTimes, _: Readings) -> Iterator[Named]:
    yield "late", symptoms.late(times.succeeded_at) if times.is_late else None


def _outbox(backlog: Backlog, readings: Readings) -> Iterator[Named]:
    oldest = backlog.oldest_due_at
    is_stuck = oldest is not None and readings.now - oldest > SLOW_DELIVERY
    yield "stuck", symptoms.stuck(backlog) if is_stuck and readings.pause(MAIL) is None else None


def _sources(sources: Mapping[str, SourceReading], readings: Readings) -> Iterator[Named]:
    for name, reading in sources.items():
        is_silent = reading.silent_since is not None and readings.pause(name) is None
        yield name, symptoms.silent(name, reading, readings.affected(name)) if is_silent else None


def _disk(disk: Disk, _: Readings) -> Iterator[Named]:
    yield "home", symptoms.full_disk(disk) if disk.is_nearly_full else None


def _workers(alive: int, _: Readings) -> Iterator[Named]:
    yield "none", None if alive else symptoms.no_worker()


def _jobs(alive: int, _: Readings) -> Iterator[Named]:
    yield "none", None if alive else symptoms.no_jobs_process()


def _payments(troubles: PaymentTroubles, _: Readings) -> Iterator[Named]:
    for payment in troubles.undelivered:
        yield payment.session_id, symptoms.undelivered(payment)
    for payment in troubles.unsettled:
        yield f"refund/{payment.session_id}", symptoms.unsettled_refund(payment)


_JUDGES: dict[str, Callable[[Any, Readings], Iterator[Named]]] = {
    "breakers": _breakers,
    "pauses": _pauses,
    "queues": _queues,
    "losses": _losses,
    "runs": _runs,
    "outbox": _outbox,
    "sources": _sources,
    "disk": _disk,
    "workers": _workers,
    "jobs": _jobs,
    "payments": _payments,
}
