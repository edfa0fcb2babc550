"""Refunds that Rollcall has made are followed by asking: a webhook may be lost, or not be set up."""

from __future__ import annotations

import logging

from domain.errors import RollcallError
from workflows.attempt import call_with_breaker
from workflows.refund import STRIPE
from workflows.services import JobContext

_AT_ONCE = 20
_log = logging.getLogger(__name__)


def poll_refunds(services: JobContext) -> None:
    """Ask the provider what became of each refund that is due, and record it."""
    ports = services.payments
    if ports is None or ports.provider is None:
        return
    provider, breaker = ports.provider, services.breakers[STRIPE]
    for payment in ports.refunds.claim_due(services.clock.now(), _AT_ONCE):
        try:
            refund = call_with_breaker(breaker, lambda: provider.find(payment))  # noqa: B023 - called at once
        except RollcallError as error:
            _log.warning("a refund is unknown", extra={"payment": payment.session_id, "error": str(error)})
            continue
        now = services.clock.now()
        if refund is not None:
            ports.refunds.note(payment.session_id, refund, now, is_current=True)
        ports.refunds.asked(payment, now)
