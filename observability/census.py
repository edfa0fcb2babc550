"""Counts what checks and mails came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from domain.notification import Accepted, DeliveryResult, Notification
from domain.observation import CheckFailure, Outcome
from observability.families import ANSWER, CHANGES, CHECKS, DETECT_TO_MAIL, MAILS
from observability.outcomes import DEAD, SENT, of_check
from observability.tally import Recorder


def record_checks(tally: Recorder, source: str, outcomes: Sequence[Outcome], changed: int) -> None:
    """What `source` said, how long it took, and how many sections that changed."""
    for what, n in Counter(map(of_check, outcomes)).items():
        tally.add(CHECKS, source, what, n=n)
    answers = [outcome.took_seconds for outcome in outcomes if not isinstance(outcome, CheckFailure)]
    measured = [seconds for seconds in answers if seconds is not None]
    tally.observe_all(ANSWER, source, seconds=measured)
    tally.add(CHANGES, source, n=changed)


def record_deliveries(
    tally: Recorder, notices: Sequence[Notification], receipts: Sequence[DeliveryResult], now: datetime
) -> None:
    """What the transport said of the letters of `notices`, in their order."""
    taken = [
        notice for notice, receipt in zip(notices, receipts, strict=True) if isinstance(receipt, Accepted)
    ]
    ages_seconds = [(now - notice.observed_at).total_seconds() for notice in taken]
    tally.observe_all(DETECT_TO_MAIL, seconds=ages_seconds)
    tally.add(MAILS, SENT, n=len(taken))
    record_dead(tally, len(notices) - len(taken))


def record_dead(tally: Recorder, notices: int) -> None:
    """Notifications that were given up."""
    tally.add(MAILS, DEAD, n=notices)
