"""Evaluates the checks for alerts every half minute."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from sqlalchemy.exc import DBAPIError

from actors.alert import send_alerts
from domain.alert import AlertMessage, AlertState
from domain.check import Finding, alerts
from domain.errors import UnreachableError
from observability.checks import findings
from operations import status
from operations.context import AdminContext
from rollcall.wiring import System

PERIOD = timedelta(seconds=30)
_STOP_SECONDS = 5.0
_log = logging.getLogger(__name__)


def evaluate_alerts(admin: AdminContext) -> None:
    """Evaluate the checks, store changed alerts, and notify the operator of them."""
    store, found = admin.services.store.alerts, findings(status.read(admin))
    store.observe(alerts(found) | _vanished(admin, found), admin.services.clock.now())
    if store.is_due(admin.services.clock.now()):
        _notify(admin)


def evaluate_without_scheduler(admin: AdminContext) -> None:
    """As `evaluate_alerts`, while no scheduler is alive; a scheduler cannot report its own death.

    Several processes may do so concurrently: an alert is raised once, by the first that detects it.
    """
    try:
        if not admin.heartbeats.alive("scheduler"):
            evaluate_alerts(admin)
    except (UnreachableError, DBAPIError) as error:
        _log.warning("alerts cannot be evaluated", extra={"error": str(error)})


@contextmanager
def fallback_alert_evaluation(system: System) -> Iterator[None]:
    """Evaluate alerts in place of the scheduler from a thread until the end of the block."""
    done, admin = Event(), system.admin
    thread = Thread(target=_evaluate_until, args=(admin, done), name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=_STOP_SECONDS)


def _evaluate_until(admin: AdminContext, done: Event) -> None:
    while not done.wait(PERIOD.total_seconds()):
        evaluate_without_scheduler(admin)


def _vanished(admin: AdminContext, found: Sequence[Finding]) -> dict[str, AlertMessage | None]:
    """Return alerts whose subject no longer exists (an ended pause, a removed source): they are resolved."""
    known = {finding.name for finding in found}
    unreadable = {finding.check.name for finding in found if finding.is_unreadable}
    raised = [alert.name for alert in admin.services.store.alerts.all() if alert.state is AlertState.RAISED]
    return {name: None for name in raised if name not in known and name.partition("/")[0] not in unreadable}


def _notify(admin: AdminContext) -> None:
    """Enqueue the notifications; send them here if no worker is alive or reachable."""
    try:
        if admin.heartbeats.alive("worker"):
            admin.services.publish(send_alerts.message())
            return
    except UnreachableError as error:
        _log.warning("no worker can be reached", extra={"error": str(error)})
    send_alerts(admin.services)
