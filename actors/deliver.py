"""Queue `deliver`: pending notifications leave as mail.

The message is only a hint: what is to be sent, and under which key, stands in the outbox. A batch whose
fate is unknown is repeated with the same letters under the same key for as long as the provider honours
it, and after that reported instead of sent blindly; so is one that took its worker with it three times.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from actors.registry import actor
from actors.services import Services
from domain.errors import PermanentError, RateLimitedError, RollcallError, TransientError, UnauthorisedError
from observability.census import count_dead, count_mails
from resilience.quarantine import CRASH_BUDGET
from store.departures import BatchState
from store.outbox import LostBatchError, MailBatch

MAIL = "mail"
LEASE = timedelta(minutes=2)
KEY_LIFETIME = timedelta(hours=23)  # Resend keeps idempotency keys for 24 hours
_SPELL = timedelta(seconds=10)  # below what a worker has to stop, and far below a message's time limit
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 5, 300
_log = logging.getLogger(__name__)


@actor(name="mail.deliver", queue="deliver")
def deliver(services: Services) -> None:
    """Send what is pending, batch by batch, until nothing is or the transport must be left alone.

    After a while another message goes on, so that nothing ends this one between a letter and its receipt.
    """
    until = services.clock.now() + _SPELL
    while _deliver_next(services):
        if services.clock.now() >= until:
            services.publish(deliver.message())
            return


def _deliver_next(services: Services) -> bool:
    """Send one batch, unless mail is paused or the breaker refuses; whether the next may follow at once.

    The breaker is asked first: what is not collected yet can still be called off by its reader.
    """
    if services.store.pauses.paused(MAIL, services.clock.now()) is not None:
        return False
    breaker = services.breakers[MAIL]
    permit = breaker.permit(1)
    if permit.granted == 0:
        return False
    verdict: bool | None = None
    try:
        batch = services.store.outbox.claim(
            services.clock.now(), limit=services.mailer.batch_size, lease=LEASE
        )
        if batch is None:
            return False
        verdict, may_follow = _deliver_or_leave(services, batch)
        return may_follow
    finally:
        breaker.record(permit, [verdict])


def _deliver_or_leave(services: Services, batch: MailBatch) -> tuple[bool | None, bool]:
    """`_deliver`; what ends in a way that nobody foresaw has ended all the same, and counts as no crash."""
    try:
        return _deliver(services, batch)
    except BaseException as error:
        services.store.outbox.postpone(batch.id, services.clock.now() + LEASE, repr(error))
        raise


def _deliver(services: Services, batch: MailBatch) -> tuple[bool | None, bool]:
    """What sending says of the transport's health, and whether the next batch may follow."""
    now, outbox = services.clock.now(), services.store.outbox
    if batch.starts > CRASH_BUDGET:
        _bury(services, batch, BatchState.CRASHED, _crashed(batch))
        return None, True
    if batch.first_attempt_at is not None and now - batch.first_attempt_at > KEY_LIFETIME:
        _bury(services, batch, BatchState.UNKNOWN, _unknown_fate(batch.first_attempt_at, batch.reason))
        return None, True
    batch = batch if batch.letters is not None else _freeze(services, batch)
    if not batch.letters:
        outbox.settle(batch, [], now)
        return None, True
    try:
        outbox.attempt(batch.id, now)
    except LostBatchError:
        return None, True
    try:
        receipts = services.mailer.send(batch.letters, batch.key)
    except RollcallError as error:
        return verdict_on(error), _failed(services, batch, error)
    outbox.settle(batch, receipts, services.clock.now())
    count_mails(services.tally, batch.notices, receipts, services.clock.now())
    _log.info("sent", extra={"batch": batch.id, "notifications": [notice.id for notice in batch.notices]})
    return True, True


def _bury(services: Services, batch: MailBatch, state: BatchState, reason: str) -> None:
    services.store.outbox.bury(batch, state, reason, services.clock.now())
    count_dead(services.tally, len(batch.notices))


def _crashed(batch: MailBatch) -> str:
    """Why a batch is given up that was begun too often without an end."""
    told = f"crashed its worker {CRASH_BUDGET} times"
    return told if batch.first_attempt_at is None else f"{told}: unknown whether it was sent"


def _unknown_fate(since: datetime, reason: str | None) -> str:
    return f"unknown whether it was sent: no clear answer since {since:%Y-%m-%d %H:%M} UTC ({reason})"


def _failed(services: Services, batch: MailBatch, error: RollcallError) -> bool:
    """Put the batch where its failure belongs; whether the next may follow at once."""
    now, outbox, reason = services.clock.now(), services.store.outbox, f"{type(error).__name__}: {error}"
    _log.warning("not sent", extra={"batch": batch.id, "error": reason})
    if _is_refusal(error):
        _bury(services, batch, BatchState.REFUSED, reason)
        return True
    due_at = now + _backoff(batch, error)
    if isinstance(error, RateLimitedError):
        outbox.hold(batch, due_at, reason)
    else:
        outbox.postpone(batch.id, due_at, reason)
    return False


def _is_refusal(error: RollcallError) -> bool:
    """Whether the letters were refused, not we: a wrong key is mended, and the letters then leave."""
    return isinstance(error, PermanentError) and not isinstance(error, UnauthorisedError)


def verdict_on(error: RollcallError) -> bool | None:
    """What a failure to send says of the transport's health."""
    return None if _is_refusal(error) or isinstance(error, RateLimitedError) else False


def _backoff(batch: MailBatch, error: RollcallError) -> timedelta:
    if isinstance(error, UnauthorisedError):
        return timedelta(seconds=_LAST_RETRY_SECONDS)
    seconds = min(_FIRST_RETRY_SECONDS * 2**batch.attempts, _LAST_RETRY_SECONDS)
    named = error.retry_after_seconds if isinstance(error, TransientError) else None
    return timedelta(seconds=max(seconds, named or 0))


def _freeze(services: Services, batch: MailBatch) -> MailBatch:
    """Render the letters and keep them; a notice that cannot be rendered must not hold up the others."""
    notices, letters = [], []
    for notice in batch.notices:
        try:
            letters.append(services.render(notice))
        except Exception as error:  # noqa: BLE001 - it is told: logged, and the notification is dead
            _log.exception("cannot render", extra={"notification": notice.id})
            services.store.outbox.drop(notice.id, f"cannot be rendered: {error!r}", services.clock.now())
            count_dead(services.tally, 1)
            continue
        notices.append(notice)
    services.store.outbox.freeze(batch.id, letters)
    return replace(batch, notices=notices, letters=letters)
