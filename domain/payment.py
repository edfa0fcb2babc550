"""What the payment provider tells, and what we make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout session: what a person ordered, and whether it is paid for.

    Shape: `payment` is what a refund gives back, None where nothing had to be paid; `email` is the
    customer's; `metadata` is what the shop said of the order.
    """

    session_id: str
    is_paid: bool
    payment: str | None = None
    email: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One thing that the provider told; `id` is the same when it is repeated.

    Shape: `checkout` is None for events that are not about a checkout session.
    """

    id: str
    kind: str
    checkout: Checkout | None = None


class Verdict(StrEnum):
    """What came of an event."""

    TAKEN = "taken"  # a job delivers what was ordered
    REFUSED = "refused"  # it cannot be delivered: a job gives the money back
    WAITS = "waits"  # for the money
    UNPAID = "unpaid"  # the money did not come
    IGNORED = "ignored"  # it is about something else


@dataclass(frozen=True, slots=True)
class Payment:
    """A paid order. `trouble` is why it was not delivered, in words for a person."""

    session_id: str
    payment: str | None
    job_id: str
    trouble: str | None = None
    refund_id: str | None = None
    refunded_at: datetime | None = None
