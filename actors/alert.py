"""Queue `deliver`: sends alert notifications to the operator, and reports finished runs.

The database holds the pending notifications of each channel (`store.alerts`): a channel that is down delays
no other, and causes no repetition on another.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from actors.registry import actor
from actors.services import Services
from domain.alert import AlertNotification
from domain.errors import RollcallError, UnreachableError
from domain.retry import Backoff

LOG = "log"  # the channel of alert notifications without a configured address
_WRITES = timedelta(seconds=30)  # reserved within a lease for the writes around a delivery
_BACKOFF = Backoff(first_seconds=30, last_seconds=600, longest_named=timedelta(minutes=10))
_log = logging.getLogger(__name__)


@actor(name="operator.tell", queue="deliver")
def send_alerts(services: Services) -> None:
    """Send pending notifications until none is left or the rest must wait."""
    lease = timedelta(seconds=services.operator.longest_send_seconds) + _WRITES
    while notification := services.store.alerts.claim(services.clock.now(), lease=lease):
        _send(services, notification)


@actor(name="operator.ping", queue="deliver")
def ping(services: Services, run_id: str) -> None:
    """Ping once per run that it has finished; a failure is only logged."""
    if services.operator.ping is None or not services.store.runs.claim_ping(run_id, services.clock.now()):
        return
    try:
        services.operator.ping()
    except RollcallError as error:
        _log.warning("ping failed", extra={"run_id": run_id, "error": f"{type(error).__name__}: {error}"})


def report_run_finished(services: Services, run_id: str) -> None:
    """Enqueue the ping of a finished run, if one is configured; never raises."""
    if services.operator.ping is None:
        return
    try:
        services.publish(ping.message(run_id))
    except UnreachableError as error:
        _log.warning("broker unreachable, no ping", extra={"run_id": run_id, "error": str(error)})


def _send(services: Services, notification: AlertNotification) -> None:
    alerts, error = services.store.alerts, _attempt(services, notification)
    if error is None:
        alerts.mark_sent(notification, services.clock.now())
        return
    reason = f"{type(error).__name__}: {error}"
    alerts.postpone(notification, services.clock.now() + _BACKOFF.wait(notification.attempts, error), reason)
    _log.warning("alert notification failed", extra=_facts(notification) | {"error": reason})


def _attempt(services: Services, notification: AlertNotification) -> RollcallError | None:
    """Send one notification; return the failure reason, or None.

    No breaker applies: failing mail to students must not silence alerts. Alert notifications are few, and
    have a back-off of their own.
    """
    channel = services.operator.channels.get(notification.channel)
    if channel is None:
        _log.warning("alert not sent: set OPERATOR_EMAIL or OPERATOR_WEBHOOK_URL", extra=_facts(notification))
        return None
    try:
        channel(notification)
    except RollcallError as error:
        return error
    return None


def _facts(notification: AlertNotification) -> dict[str, str]:
    alert = notification.alert
    return {
        "alert": alert.name,
        "state": alert.state,
        "subject": alert.subject,
        "channel": notification.channel,
    }
