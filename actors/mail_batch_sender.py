"""Sends one claimed mail batch: freeze its content, hand it over, store the outcome.

A send that the provider may have accepted is repeated only where the transport supports idempotency keys,
with the same messages under the same key within its lifetime; otherwise it is reported, never resent blindly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from actors.services import Services
from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    RateLimitedError,
    RollcallError,
    UnreachableError,
    UpstreamError,
)
from domain.notification import MAIL, Accepted, DeliveryResult
from domain.ports import Mailer
from domain.retry import Backoff, Subject, breaker_outcome_of, pause_after, subject_of
from domain.text import format_minute
from observability.recorders import record_dead, record_deliveries
from resilience.crash_budget import CRASH_BUDGET
from resilience.lease import keep_renewed
from store.database import OUTAGES, retry_during_outage
from store.notifications.batch_selection import BatchState
from store.notifications.outbox import LostBatchError, MailBatch

LEASE = timedelta(seconds=30)
"""How long a claim on a batch lasts unless its sender renews it, so how long a dead sender's batch waits."""
KEY_LIFETIME = timedelta(hours=23)  # Resend keeps idempotency keys for 24 hours
_WRITES = timedelta(minutes=1)  # for the writes around a send: SQLite waits up to 15 s for its lock
_BACKOFF = Backoff(first_seconds=5, last_seconds=300)
_UNFORESEEN_WAIT = timedelta(minutes=2)
_NEVER_TAKEN = (RateLimitedError, AccountRefusedError, UnreachableError)
_UNKNOWN = "unknown whether it was sent"
_log = logging.getLogger(__name__)


def longest_attempt(mailer: Mailer) -> timedelta:
    """Return the time limit of one attempt: the longest send of `mailer` plus our writes."""
    return timedelta(seconds=mailer.longest_send_seconds) + _WRITES


@dataclass(slots=True)
class Sending:
    """One claim on a batch.

    Shape: `is_handed_over` once the messages may have left under this claim; `error` is why they were not
    sent; `until` is how long its writes are repeated through an outage. The claim is renewed every
    `renew_seconds` while the messages are rendered and sent.
    """

    services: Services
    batch: MailBatch
    renew_seconds: float = LEASE.total_seconds() / 3
    is_handed_over: bool = field(default=False, init=False)
    error: RollcallError | None = field(default=None, init=False)
    until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.until = self.services.clock.now() + longest_attempt(self.services.mailer)

    def deliver(self) -> tuple[bool | None, bool]:
        """Send; return the outcome for the breaker, and whether the next batch may follow at once."""
        try:
            return self._deliver()
        except LostBatchError as lost:
            _log.warning("batch lost", extra={"mail_batch_id": self.batch.id, "error": str(lost)})
            return None, True

    def _deliver(self) -> tuple[bool | None, bool]:
        try:
            if self._is_given_up():
                return None, True
            with keep_renewed(self._renew, self.renew_seconds):  # later writes set their own times
                if not self._freeze():
                    return None, True
                messages, key = self.batch.messages or [], self.batch.key
                results = self.services.mailer.send(messages, key, self._hand_over)
        except LostBatchError:
            raise
        except RollcallError as error:
            return breaker_outcome_of(error), self._failed(error)
        except BaseException as error:
            self._put_back(repr(error), _wait_after(error), is_kept=not self.is_handed_over)
            raise
        self._complete(results)
        return True, True

    def _is_given_up(self) -> bool:
        """Return whether the batch can only be reported."""
        batch, first, now = self.batch, self.batch.first_attempt_at, self.services.clock.now()
        if batch.starts > CRASH_BUDGET:
            self._mark_dead(BatchState.CRASHED, _crashed(batch))
        elif first is not None and not self.services.mailer.is_idempotent:
            self._mark_dead(BatchState.UNKNOWN, f"{_UNKNOWN}: its sender died while it was handed over")
        elif first is not None and now - first > KEY_LIFETIME:
            self._mark_dead(BatchState.UNKNOWN, _unknown_fate(first, batch.reason))
        else:
            return False
        return True

    def _freeze(self) -> bool:
        """Render and store the messages; return whether there are any.

        A notification that fails to render must not block the others.
        """
        if self.batch.messages is not None:
            return True
        outbox, notifications, messages = self.services.store.outbox, [], []
        for notification in self.batch.notifications:
            try:
                messages.append(self.services.render(notification, self.services.clock.now()))
            except Exception as error:  # noqa: BLE001 - logged, and the notification is dead
                _log.exception("cannot render", extra={"notification": notification.id})
                outbox.remove(
                    self.batch, notification.id, f"cannot be rendered: {error!r}", self.services.clock.now()
                )
                record_dead(self.services.recorder, 1)
                continue
            notifications.append(notification)
        outbox.freeze(self.batch, messages)
        self.batch = replace(self.batch, notifications=notifications, messages=messages)
        if not messages:
            outbox.complete(self.batch, [], self.services.clock.now())
        return bool(messages)

    def _hand_over(self) -> None:
        """Extend the claim right before the messages leave. Raises: LostBatchError."""
        now = self.services.clock.now()
        self.services.store.outbox.hand_over(self.batch, now, lease=LEASE)
        self.until, self.is_handed_over = now + longest_attempt(self.services.mailer), True

    def _renew(self) -> bool:
        """Extend the claim; return False when it is lost. During an outage the next renewal decides."""
        try:
            return self.services.store.outbox.renew(self.batch, self.services.clock.now(), lease=LEASE)
        except OUTAGES as error:
            _log.warning("claim not renewed", extra={"mail_batch_id": self.batch.id, "error": str(error)})
            return True

    def _complete(self, results: Sequence[DeliveryResult]) -> None:
        """Store the results, also through a database outage: they cannot be requested again."""
        batch, services, now = self.batch, self.services, self.services.clock.now()
        try:
            self._persist(lambda: services.store.outbox.complete(batch, results, now))
        except OUTAGES:
            accepted = [str(each) for each in results if isinstance(each, Accepted)]
            _log.exception(
                "accepted, and not recorded", extra={"mail_batch_id": batch.id, "accepted": accepted}
            )
            raise
        record_deliveries(services.recorder, batch.notifications, results, now)
        _log.info(
            "sent",
            extra={"mail_batch_id": batch.id, "notifications": [each.id for each in batch.notifications]},
        )

    def _failed(self, error: RollcallError) -> bool:
        """Handle the batch's failure by its type; return whether the next may follow at once."""
        reason = f"{type(error).__name__}: {error}"
        self.error = error
        _log.warning("not sent", extra={"mail_batch_id": self.batch.id, "error": reason})
        match subject_of(error):
            case Subject.ITEM:
                self._refuse(error, reason)
                return True
            case Subject.ACCOUNT | Subject.RATE:
                self._wait_for_provider(error, reason)
            case Subject.TRANSPORT:
                wait = _BACKOFF.wait(self.batch.attempts, error)
                self._put_back(reason, wait, is_kept=self._is_kept(error))
        return False

    def _refuse(self, error: RollcallError, reason: str) -> None:
        """Fail a rejected message; of several, sending each alone finds the rejected ones."""
        if isinstance(error, IdempotencyKeyUsedError):
            self._mark_dead(BatchState.UNKNOWN, f"{_UNKNOWN}: {reason}")
        elif len(self.batch.notifications) > 1:
            self._persist(lambda: self.services.store.outbox.split(self.batch, reason))
        else:
            self._mark_dead(BatchState.REFUSED, reason)

    def _wait_for_provider(self, error: RollcallError, reason: str) -> None:
        """Nothing was accepted. A long wait becomes a pause of mail, which an operator can see and end."""
        wait = _BACKOFF.wait(self.batch.attempts, error)
        if (pause := pause_after(error, wait)) is not None:
            is_refused = subject_of(error) is Subject.ACCOUNT
            why = "refuses the account or the sender" if is_refused else "asks for a wait"
            why = f"the provider {why}: {error}"
            self.services.store.pauses.pause_for(MAIL, pause, why, self.services.clock.now())
            wait = timedelta(0)
        self._put_back(reason, wait, is_kept=True)

    def _is_kept(self, error: RollcallError) -> bool:
        """Return whether the transport certainly accepted nothing.

        Where a repetition is safe, an upstream's own failure does not count as certain.
        """
        says_so = _NEVER_TAKEN if self.services.mailer.is_idempotent else (*_NEVER_TAKEN, UpstreamError)
        return not self.is_handed_over or isinstance(error, says_so)

    def _put_back(self, reason: str, wait: timedelta, *, is_kept: bool) -> None:
        batch, outbox, due_at = self.batch, self.services.store.outbox, self.services.clock.now() + wait
        if is_kept:
            self._persist(lambda: outbox.postpone_unsent(batch, due_at, reason))
        elif self.services.mailer.is_idempotent:
            self._persist(lambda: outbox.postpone(batch, due_at, reason))
        else:
            self._mark_dead(BatchState.UNKNOWN, f"{_UNKNOWN}: {reason}")

    def _mark_dead(self, state: BatchState, reason: str) -> None:
        now = self.services.clock.now()
        self._persist(lambda: self.services.store.outbox.mark_dead(self.batch, state, reason, now))
        record_dead(self.services.recorder, len(self.batch.notifications))

    def _persist(self, write: Callable[[], None]) -> None:
        """Write as soon as the database answers. Raises: its last outage, after `until`."""
        retry_during_outage(write, self._pause)

    def _pause(self, seconds: float) -> bool:
        self.services.wait(seconds)
        return self.services.clock.now() >= self.until


def _wait_after(error: BaseException) -> timedelta:
    return _BACKOFF.wait(0) if isinstance(error, OUTAGES) else _UNFORESEEN_WAIT


def _crashed(batch: MailBatch) -> str:
    """Return why a batch is given up after too many starts without an end."""
    reason = f"crashed its worker {CRASH_BUDGET} times"
    return reason if batch.first_attempt_at is None else f"{reason}: {_UNKNOWN}"


def _unknown_fate(since: datetime, reason: str | None) -> str:
    return f"{_UNKNOWN}: no clear answer since {format_minute(since)} ({reason})"
