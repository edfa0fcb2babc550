"""Asking a catalog about one section now, through its breaker; a pause of the source stops no person."""

from __future__ import annotations

import os
import socket

from actors.check import verdict_on
from actors.deliver import deliver
from actors.services import Services
from domain.errors import InvalidInputError
from domain.observation import Failure, Missing, Observation
from domain.section import SectionKey, Stagger
from operations.record import record
from resilience.permit import CircuitBreakerError

Told = Observation | Missing


def look(services: Services, key: SectionKey, by: str) -> Told:
    """What the catalog says of `key`; nothing is stored, and nobody is notified.

    Raises: InvalidInputError naming each bad field; CircuitBreakerError while the breaker lets nothing out;
    whatever kept the source from saying it.
    """
    _require(_problems(services, key))
    told = _ask(services, key)
    record(services, by, "section.look", f"section/{key}", answer=words(told))
    return told


def check(services: Services, key: SectionKey, by: str, *, origin: str) -> Told:
    """As `look`, and stored as a run would: a change is news to whoever waits for it.

    Shape: `origin` is where it was asked for, as the run's `trigger` shows it.
    Raises: as `look`; InvalidInputError also for a section that nobody ever watched.
    """
    problems = _problems(services, key)
    if not problems and services.store.sections.get(key) is None:
        problems["section"] = "has never been watched: it can be looked at without storing"
    _require(problems)
    told = _ask(services, key)
    _store(services, told, origin)
    record(services, by, "section.check", f"section/{key}", answer=words(told))
    return told


def words(told: Told) -> str:
    """What was seen, in one line for people."""
    if isinstance(told, Missing):
        return "the catalog has no such section"
    if told.open_seats is None:
        return "the catalog does not say how many seats are open"
    return f"{told.open_seats}{'' if told.capacity is None else f' of {told.capacity}'} seats open"


def _problems(services: Services, key: SectionKey) -> dict[str, str]:
    problems = key.problems()
    if key.source not in services.sources:
        problems["source"] = f"must be one of {', '.join(services.sources)}"
    return problems


def _require(problems: dict[str, str]) -> None:
    if problems:
        raise InvalidInputError(problems)


def _ask(services: Services, key: SectionKey) -> Told:
    breaker, verdict = services.breakers[key.source], None
    permit = breaker.permit(1)
    if permit.granted == 0:
        raise CircuitBreakerError(key.source, permit.retry_after_seconds)
    try:
        (outcome,) = services.sources[key.source].observe([key])
        verdict = verdict_on(outcome)
    finally:
        breaker.record(permit, [verdict])
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


def _store(services: Services, told: Told, origin: str) -> None:
    """Settle a run of this one section with what was told."""
    store, now = services.store, services.clock.now()
    half = Stagger.EVEN if told.key.is_even else Stagger.ODD
    run, _ = store.runs.open(origin, half, services.timetable.slot(half, now), now, force=True)
    holder = {"run": run.id, "host": socket.gethostname(), "pid": str(os.getpid())}
    with services.cron_lease.holding(run.id, holder) as fence:
        (batch_id,) = store.runs.start(
            run.id, [[told.key]], fence=fence, deferred=0, lifetime=services.run_lifetime, now=now
        )
    if store.checks.settle(batch_id, [told], services.clock.now(), retry_at=now).notifications:
        services.publish(deliver.message())
