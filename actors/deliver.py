"""Queue `deliver`: sends pending notifications as mail.

The message is only a hint: the outbox holds what to send, and under which idempotency key
(`actors.mail_batch_sender`).
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import uuid4

from actors.mail_batch_sender import LEASE, Sending
from actors.registry import actor
from actors.services import Services
from domain.errors import RejectedError
from domain.notification import MAIL, Accepted, OutboundMessage
from resilience.breaker import CircuitBreakerError
from resilience.breaker_model import Permit
from store.pauses import Pause

_PROBE_SIZE = 1
_log = logging.getLogger(__name__)
_SPELL = timedelta(seconds=10)  # less than a worker's shutdown time, and far less than a message's time limit


@actor(name="mail.deliver", queue="deliver")
def deliver(services: Services) -> None:
    """Send pending batches until none is left or the transport must not be used.

    After a while another message continues, so that no time limit interrupts a send before its result is
    stored.
    """
    until = services.clock.now() + _SPELL
    while _deliver_next(services):
        if services.clock.now() >= until:
            services.publish(deliver.message())
            return


def send_test(services: Services, message: OutboundMessage) -> Accepted:
    """Send a message that no notification stands for, also while mail is paused.

    Raises: RejectedError if it is refused; errors of the transport.
    """
    (result,) = services.mailer.send([message], f"rollcall-test-{uuid4().hex}")
    if not isinstance(result, Accepted):
        raise RejectedError(f"{services.mailer.name} rejected the message: {result.reason}")
    return result


def _deliver_next(services: Services) -> bool:
    """Send one batch unless mail is paused or the breaker refuses; return whether the next may follow.

    The breaker comes first: an opt-out still removes notifications that are in no batch. After a pause that
    Rollcall set itself, one message goes first.
    """
    pause = services.store.pauses.find(MAIL)
    if pause is not None and pause.is_in_force(services.clock.now()):
        return False
    try:
        with services.breakers[MAIL].calling() as permit:
            return _send_next(services, permit, pause)
    except CircuitBreakerError:
        return False


def _send_next(services: Services, permit: Permit, pause: Pause | None) -> bool:
    is_after_pause = pause is not None and pause.is_ours
    batch = services.store.outbox.claim(
        services.clock.now(),
        limit=_PROBE_SIZE if is_after_pause else services.mailer.batch_size,
        lease=LEASE,
        is_probe=permit.is_probe or is_after_pause,
    )
    if batch is None:
        services.breakers[MAIL].record(permit, [None])
        return False
    sending, verdict = Sending(services, batch), None
    try:
        verdict, may_follow = sending.deliver()
        if verdict and pause is not None and services.store.pauses.end_ours(pause):
            _log.info("resumed", extra={"pause": MAIL})
        return may_follow
    finally:
        services.breakers[MAIL].record(permit, [verdict], error=sending.error)
        if permit.is_probe and verdict:
            _resume_if_closed(services)


def _resume_if_closed(services: Services) -> None:
    """Once probes have closed the breaker, make deliveries due that waited for the transport."""
    if services.breakers[MAIL].snapshot().state == "closed":
        services.store.waits.resume(MAIL)
