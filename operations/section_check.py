"""Checks one section now, through its catalog's breaker; a pause of the source does not apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated
from uuid import uuid4

from msgspec import Struct

from actors.deliver import deliver
from actors.services import Services
from domain.errors import InvalidInputError, TransientError
from domain.observation import CheckFailure, Missing, Observation
from domain.run import ONE_SECTION, RunState
from domain.section import SectionKey, Stagger
from operations.context import AdminContext
from operations.inputs import SectionNumber, SourceName, Term
from operations.operation import Command, Operation, OperationResult, Option, Plan
from resilience.lease import this_process
from store.audit import AuditEntry

SectionCheckResult = Observation | Missing


class SectionCheckInput(Struct, frozen=True):
    """The section, and whether to only show the answer."""

    source: SourceName
    term: Term
    section: Annotated[SectionNumber, Option(metavar="NUMBER")]
    dry_run: Annotated[bool, Option("Only show the answer: store nothing, send no notification.")] = False

    @property
    def key(self) -> SectionKey:
        """The section's identity."""
        return SectionKey(self.source, self.term, self.section)


def _plan(context: AdminContext, given: SectionCheckInput) -> Plan:
    effects: tuple[str, ...] = (
        f"{given.source} is asked for this section now, through its breaker, even while it is paused.",
        "The answer is stored as in a run, and watches are notified of a change.",
        "If the catalog does not list the section, the answer is only shown.",
    )
    if given.source in context.services.catalogs:
        effects = (effects[0], "The answer is only shown; the next poll stores what it finds.")
    return Plan(f"Check {given.key} now?", "Check now", effects)


def _run(
    context: AdminContext, given: SectionCheckInput, entry: AuditEntry
) -> OperationResult[SectionCheckResult]:
    """Ask the catalog, and store the answer unless it is a dry run.

    A missing section is not stored: repeated requests by a person must not retire a section. The run's
    `trigger` is the surface with the suffix `ONE_SECTION`.

    Raises: InvalidInputError for a section that was never watched, if the answer should be stored;
    CircuitBreakerError while the breaker refuses requests; LeaseHeldError while a run begins; what the
    catalog raises.
    """
    services, state = context.services, context.services.store.sections.get(given.key)
    if state is None and not given.dry_run:
        raise InvalidInputError({"section": "has never been watched; a dry run can check it"})
    result = ask(services, given.key)
    answer = describe(result)
    action = "section.look" if given.dry_run else entry.action
    context.record(replace(entry, action=action, detail={"answer": answer}))
    may_store = given.source in services.sources and not given.dry_run  # polls alone write polled sections
    if is_stored := may_store and state is not None and isinstance(result, Observation):
        _store(services, result, state.revision, context.surface)
    row = _row(result) | {"stored": is_stored}
    return OperationResult(f"{given.key}: {answer}.", result, [row], is_listed=True)


def describe(result: SectionCheckResult) -> str:
    """Describe the answer in one line."""
    if isinstance(result, Missing):
        return "the catalog does not list the section"
    if result.open_seats is None:
        return "the catalog does not say how many seats are open"
    return f"{result.open_seats}{'' if result.capacity is None else f' of {result.capacity}'} seats open"


def _row(result: SectionCheckResult) -> dict[str, object]:
    row: dict[str, object] = {"section": str(result.key), "observed_at": result.observed_at}
    if isinstance(result, Missing):
        return row | {"answer": "not found"}
    seen = {"open_seats": result.open_seats, "capacity": result.capacity, "instructor": result.instructor}
    return row | {"answer": "found"} | seen | asdict(result.details)


def ask(services: Services, key: SectionKey) -> SectionCheckResult:
    """Return the catalog's answer for a valid `key`; record nothing.

    Raises: CircuitBreakerError while the breaker refuses requests; what the catalog raises.
    """
    breaker = services.breakers[key.source]
    with breaker.calling() as permit:
        found = _ask_catalog(services, key) if key.source in services.catalogs else _ask_source(services, key)
        breaker.record(
            permit, [True]
        )  # without a duration, which would include the wait for the rate limiter
    return found


def _ask_source(services: Services, key: SectionKey) -> SectionCheckResult:
    (outcome,) = services.sources[key.source].observe([key])
    if isinstance(outcome, CheckFailure):
        raise outcome.error
    return outcome


def _ask_catalog(services: Services, key: SectionKey) -> SectionCheckResult:
    from catalogs.reader import CatalogReader  # noqa: PLC0415 - only where a public catalog is polled

    state = services.store.sections.get(key)
    course = "" if state is None else state.details.course
    return CatalogReader(services.catalogs[key.source], services.clock).section(key, course)


def _store(services: Services, seen: Observation, revision: int, origin: str) -> None:
    """Settle a run of this one section with the answer; if another run overtook it, a worker asks again."""
    (batch_id,) = begin(services, [[seen.key]], seen.key.stagger, origin)
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
    holder = this_process(check=str(batches[0][0]))
    with services.cron_lease.holding(uuid4().hex, holder, above=runs.newest_fence()) as fence:
        run, _ = runs.create(f"{origin}{ONE_SECTION}", half, slot, now, force=True)
        batch_ids = runs.start(run.id, batches, fence=fence, deferred=0, lifetime=lifetime, now=now)
        if not batch_ids:
            reason = "its lease had passed to another"
            runs.abandon(run.id, RunState.FAILED, reason, now)
            raise TransientError(f"run {run.id} was not started: {reason}")
    return batch_ids


CHECK = Operation(
    "section.check",
    "Check the section NUMBER of TERM now, through the breaker of SOURCE, and show the answer.",
    SectionCheckInput,
    lambda given: f"section/{given.key.path}",
    _plan,
    _run,
    choices=lambda context: {"source": context.services.source_names},
    commands=(Command("watch check"),),
    help="Without --dry-run the answer is stored as in a run, and watches are notified of a change. The"
    " answer of a polled catalog is only shown.",
)
