"""Queue `deliver`: the operator is told what needs a person, and the world that a run has finished.

What is to be told stands in the database (`store.alerts`), for each channel by itself: one that is down
holds up no other, and what has been told over one is not repeated because of another.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from actors.registry import actor
from actors.services import Services
from domain.alert import AlertNotification
from domain.errors import RollcallError, UnreachableError
from domain.retry import Backoff

LOG = "log"  # the channel of bulletins that nobody gave an address for
_WRITES = timedelta(seconds=30)  # what a lease leaves for the writes around a delivery
_BACKOFF = Backoff(first_seconds=30, last_seconds=600, longest_named=timedelta(minutes=10))
_log = logging.getLogger(__name__)


@actor(name="operator.tell", queue="deliver")
def send_alerts(services: Services) -> None:
    """Tell what is untold, until nothing is or what is left must wait."""
    lease = timedelta(seconds=services.operator.longest_tell_seconds) + _WRITES
    while bulletin := services.store.alerts.claim(services.clock.now(), lease=lease):
        _tell(services, bulletin)


@actor(name="operator.ping", queue="deliver")
def ping(services: Services, run_id: str) -> None:
    """Say, once a run, that it has finished; that nobody hears it is logged and nothing more."""
    if services.operator.ping is None or not services.store.runs.take_ping(run_id, services.clock.now()):
        return
    try:
        services.operator.ping()
    except RollcallError as error:
        _log.warning("not pinged", extra={"run": run_id, "error": f"{type(error).__name__}: {error}"})


def report_run_finished(services: Services, run_id: str) -> None:
    """Have the end of a run told, if anybody wants to hear of it; it never disturbs the caller."""
    if services.operator.ping is None:
        return
    try:
        services.publish(ping.message(run_id))
    except UnreachableError as error:
        _log.warning("broker unreachable, no ping", extra={"run": run_id, "error": str(error)})


def _tell(services: Services, bulletin: AlertNotification) -> None:
    alerts, error = services.store.alerts, _attempt(services, bulletin)
    if error is None:
        alerts.told(bulletin, services.clock.now())
        return
    reason = f"{type(error).__name__}: {error}"
    alerts.postpone(bulletin, services.clock.now() + _BACKOFF.wait(bulletin.attempts, error), reason)
    _log.warning("operator not told", extra=_facts(bulletin) | {"error": reason})


def _attempt(services: Services, bulletin: AlertNotification) -> RollcallError | None:
    """Tell it; why it could not be told, or None.

    No breaker is asked: students' mail that fails must not silence what the operator hears of it. Bulletins
    are few, and have a back-off of their own.
    """
    channel = services.operator.channels.get(bulletin.channel)
    if channel is None:
        _log.warning("nobody to tell: no OPERATOR_EMAIL or OPERATOR_WEBHOOK_URL", extra=_facts(bulletin))
        return None
    try:
        channel(bulletin)
    except RollcallError as error:
        return error
    return None


def _facts(bulletin: AlertNotification) -> dict[str, str]:
    alert = bulletin.alert
    return {
        "alert": alert.name,
        "state": alert.state,
        "subject": alert.subject,
        "channel": bulletin.channel,
    }
