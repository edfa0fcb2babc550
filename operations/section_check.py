"""Checks one section now, through its catalog's breaker; a pause of the source does not apply."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from uuid import uuid4

from actors.deliver import deliver
from actors.services import Services
from domain.errors import InvalidInputError, TransientError
from domain.observation import CheckFailure, Missing, Observation
from domain.run import ONE_SECTION, RunState
from domain.section import SectionKey, Stagger
from operations.operation import record

SectionCheckResult = Observation | Missing


def preview_check(services: Services, key: SectionKey, by: str) -> SectionCheckResult:
    """Return the catalog's answer for `key`; store nothing, notify nobody.

    Raises: InvalidInputError naming each bad field; CircuitBreakerError while the breaker refuses requests;
    what the source raises.
    """
    _require(_problems(services, key))
    told = ask(services, key)
    record(services, by, "section.look", f"section/{key}", answer=words(told))
    return told


def check(services: Services, key: SectionKey, by: str, *, origin: str) -> SectionCheckResult:
    """As `preview_check`, and store the answer as a run does: watches are notified of a change.

    A missing section is not stored: repeated requests by a person must not retire a section. Shape: `origin`
    is where it was requested; the run's `trigger` is that with the suffix `ONE_SECTION`. Raises: as
    `preview_check`; InvalidInputError also for a section that was never watched; LeaseHeldError while a run
    begins.
    """
    problems = _problems(services, key)
    state = None if problems else services.store.sections.get(key)
    if not problems and state is None:
        problems["section"] = "has never been watched: it can be looked at without storing"
    _require(problems)
    told = ask(services, key)
    if isinstance(told, Observation) and state is not None:
        _store(services, told, state.revision, origin)
    record(services, by, "section.check", f"section/{key}", answer=words(told))
    return told


def words(told: SectionCheckResult) -> str:
    """Describe the answer in one line."""
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


def ask(services: Services, key: SectionKey) -> SectionCheckResult:
    """Return the catalog's answer for a valid `key`; record nothing. Raises: as `preview_check`."""
    breaker = services.breakers[key.source]
    with breaker.calling() as permit:
        (outcome,) = services.sources[key.source].observe([key])
        if isinstance(outcome, CheckFailure):
            raise outcome.error
        breaker.record(
            permit, [True]
        )  # without a duration, which would include the wait for the rate limiter
    return outcome


def _store(services: Services, seen: Observation, revision: int, origin: str) -> None:
    """Settle a run of this one section with the answer; if another run overtook it, a worker asks again."""
    half = Stagger.EVEN if seen.key.is_even else Stagger.ODD
    (batch_id,) = begin(services, [[seen.key]], half, origin)
    now, revisions = services.clock.now(), {seen.key: revision}
    recorded = services.store.batches.record(batch_id, [seen], now, revisions=revisions, retry_at=now)
    if recorded.notifications:
        services.publish(deliver.message())


def begin(
    services: Services, batches: Sequence[Sequence[SectionKey]], half: Stagger, origin: str
) -> list[int]:
    """Begin a run of these sections alone; return the ids of `batches`.

    It takes the lease first and leaves no run queued: that would be dispatched as a run of the whole half.
    Raises: LeaseHeldError while a run begins.
    """
    runs, now = services.store.runs, services.clock.now()
    slot, lifetime = services.timetable.slot(half, now), services.run_lifetime
    holder = {"check": str(batches[0][0]), "host": socket.gethostname(), "pid": str(os.getpid())}
    with services.cron_lease.holding(uuid4().hex, holder, above=runs.newest_fence()) as fence:
        run, _ = runs.open(f"{origin}{ONE_SECTION}", half, slot, now, force=True)
        batch_ids = runs.start(run.id, batches, fence=fence, deferred=0, lifetime=lifetime, now=now)
        if not batch_ids:
            reason = "its lease had passed to another"
            runs.abandon(run.id, RunState.FAILED, reason, now)
            raise TransientError(f"run {run.id} was not started: {reason}")
    return batch_ids
