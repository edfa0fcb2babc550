"""Queue `dispatch`: splits a run into batches of checks.

Every step can be repeated: the run's row shows whether it is queued, a duplicate message takes over its own
lease and claims, and the reconciler publishes batches that were stored but not published.

HTTP, schedule and CLI share `trigger_run`: store the run, then publish its message.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from actors.alert import report_run_finished
from actors.check import check
from actors.check_plan import is_check_due, plan_checks
from actors.registry import actor
from actors.services import Services
from domain.run import Run, RunState
from domain.section import SectionKey, Stagger
from observability.logs import bind_ids
from resilience.lease import LeaseHeldError, this_process
from store.audit import AuditEntry

PATIENCE = timedelta(seconds=30)  # the message of a dead holder is redelivered after 20
_log = logging.getLogger(__name__)


def _give_up(services: Services, reason: str, run_id: str) -> str:
    """Fail the run if it has not started."""
    services.store.runs.abandon(run_id, RunState.FAILED, reason, services.clock.now())
    return f"run {run_id}"


@actor(name="sections.dispatch", queue="dispatch", give_up=_give_up)
def dispatch(services: Services, run_id: str) -> None:
    """Find the due sections, claim those not in flight, and publish them in batches."""
    run = services.store.runs.get(run_id)
    if run is None or run.state is not RunState.QUEUED:
        return
    try:
        above = services.store.runs.newest_fence()
        with services.cron_lease.holding(run.id, this_process(run=run.id), above=above) as fence:
            batch_ids = _start(services, run, fence)
    except LeaseHeldError as held:
        _wait_or_skip(services, run, held)
        return
    if not batch_ids:
        report_run_finished(services, run.id)
    for batch_id in batch_ids:
        services.publish(check.message(batch_id))


def _start(services: Services, run: Run, fence: int) -> list[int]:
    now = services.clock.now()
    plans = plan_checks(services, now) if run.stagger is Stagger.BUDGET else []
    if run.stagger is Stagger.BUDGET:
        due = [key for plan in plans for key in plan.chosen]
    else:
        due = services.store.sections.due(run.stagger, services.sources, now)
    claimed = set(services.claims.take([key.path for key in due], run.id))
    free = [key for key in due if key.path in claimed]
    suspects = services.store.sections.suspects(services.sources).intersection(free)
    _log.info("dispatching", extra={"due": len(due), "claimed": len(free)})
    batch_ids = services.store.runs.start(
        run.id,
        (
            *plan_batches(services, [key for key in free if key not in suspects]),
            *plan_batches(services, suspects),
        ),
        suspects=suspects,
        fence=fence,
        deferred=len(due) - len(free),
        lifetime=services.run_lifetime,
        now=services.clock.now(),
        plans=plans,
    )
    if not batch_ids:
        _release_unneeded(services, run, free)
    return batch_ids


def _release_unneeded(services: Services, run: Run, taken: Sequence[SectionKey]) -> None:
    """Release the claims of a run that another worker has started or ended meanwhile.

    Claims belong to the run, not to its dispatcher: sections that the run still has to check stay claimed.
    """
    pending = services.store.runs.pending(run.id)
    services.claims.release([key.path for key in taken if key not in pending], run.id)


def plan_batches(services: Services, keys: Iterable[SectionKey]) -> Iterator[Sequence[SectionKey]]:
    """Split `keys` into batches, each of one source, as that source plans them."""
    by_source: dict[str, list[SectionKey]] = defaultdict(list)
    for key in keys:
        by_source[key.source].append(key)
    for source, its_keys in by_source.items():
        yield from services.sources[source].plan(its_keys)


def _wait_or_skip(services: Services, run: Run, held: LeaseHeldError) -> None:
    """Wait while another run is being dispatched, which takes a moment; the reconciler retries for a while.

    The lease holder's age counts, not only the run's: runs queue up here while no worker is alive. Each age
    is measured by the clock that stamped it.
    """
    now = services.clock.now()
    if now - run.created_at > PATIENCE and held.holder.held_seconds > PATIENCE.total_seconds():
        services.store.runs.abandon(run.id, RunState.SKIPPED, str(held), now)
        _log.warning("skipped", extra={"reason": str(held)})


def trigger_run(
    services: Services,
    trigger: str,
    stagger: Stagger | None,
    *,
    force: bool,
    entry: AuditEntry | None = None,
) -> tuple[Run, bool]:
    """Return a queued run and True, or this slot's first run and False; None means what is due now.

    That is the half that was due last, or what the check schedule chooses (`CHECK_SCHEDULE`).

    The row is authoritative: when the broker is unreachable, the reconciler publishes the message later.
    """
    now = services.clock.now()
    if stagger is None and services.is_budgeted:
        return _trigger_due(services, trigger, now, force=force, entry=entry)
    stagger = stagger or services.timetable.current(now)
    slot = services.timetable.slot(stagger, now)
    run, created = services.store.runs.create(trigger, stagger, slot, now, force=force, entry=entry)
    if created:
        publish_run(services, run)
    return run, created


def _trigger_due(
    services: Services, trigger: str, now: datetime, *, force: bool, entry: AuditEntry | None
) -> tuple[Run, bool]:
    """As `trigger_run`, for a run of the sections that the check schedule chooses; it holds no slot.

    No second run waits for a dispatcher. Unless forced, none begins before its checks are due.
    """
    runs = services.store.runs
    newest = runs.newest(Stagger.BUDGET)
    if newest is not None and (newest.state is RunState.QUEUED or not (force or is_check_due(services, now))):
        return newest, False
    run, _ = runs.create(trigger, Stagger.BUDGET, now, now, force=True, entry=entry)
    publish_run(services, run)
    return run, True


def publish_run(services: Services, run: Run) -> None:
    """Publish the message of a new run, or leave that to the reconciler."""
    with bind_ids(run_id=run.id):
        _log.info("triggered", extra={"trigger": run.trigger, "stagger": run.stagger, "slot": run.slot})
        services.publish_or_defer(dispatch.message(run.id), run_id=run.id)
