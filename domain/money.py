"""Credits, payments and refunds.

Credits are granted to an account, reserved while a job runs, and captured when it has delivered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.errors import PermanentError

MAX_GRANT = 1_000_000
ACCOUNT = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


class NotEnoughCreditsError(PermanentError):
    """The account cannot pay for what was asked for."""


class AccountType(StrEnum):
    """Where the credits of an account are. Together they come to zero: what was issued is negative."""

    ISSUED = "issued"
    AVAILABLE = "available"
    HELD = "held"
    SPENT = "spent"


class EntryType(StrEnum):
    """Why credits move from one pot to another."""

    GRANT = "grant"
    RESERVE = "reserve"
    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has."""

    available: int = 0
    held: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of credits within an account; those of a job name it, grants name their key."""

    id: int
    account: str
    purpose: EntryType
    credits: int
    at: datetime
    job_id: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None


def is_account(name: str) -> bool:
    """Whether `name` can name an account."""
    return re.fullmatch(ACCOUNT, name) is not None


class RefundState(StrEnum):
    """Where a refund is, in Stripe's words.

    Source: https://docs.stripe.com/api/refunds/object
    """

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"  # by the customer
    SUCCEEDED = "succeeded"  # though the bank may still return it
    FAILED = "failed"
    CANCELED = "canceled"


LOST_REFUND = frozenset({RefundState.FAILED, RefundState.CANCELED})


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. `amount` is in the currency's smallest unit; `reason` is why it failed.

    Shape: `is_ours` where Rollcall made it, and nobody in the dashboard.
    """

    id: str
    state: RefundState
    amount: int | None = None
    reason: str | None = None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout session: what a person ordered, and whether it is paid for.

    Shape: `payment` is what a refund gives back, None where nothing had to be paid; `amount` is the total in
    the currency's smallest unit; `email` is the customer's; `metadata` is what the shop said of the order.
    """

    session_id: str
    is_paid: bool
    payment: str | None = None
    email: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    amount: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What an order may cost: totals in the smallest unit, by currency in lower case."""

    allowed: Mapping[str, frozenset[int]]

    def objection(self, checkout: Checkout) -> str | None:
        """Why the total of `checkout` is none of these, or None. A total that is not known is none."""
        amounts = self.allowed.get((checkout.currency or "").lower(), frozenset())
        if checkout.amount in amounts:
            return None
        listed = ", ".join(
            f"{currency}:{amount}"
            for currency in sorted(self.allowed)
            for amount in sorted(self.allowed[currency])
        )
        return f"{checkout.currency or '?'}:{checkout.amount} was paid, but REPORT_PRICES is {listed}"


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One thing that the provider told; `id` is the same when it is repeated.

    Shape: `checkout` is None for events that are not about a checkout session. `refunded` is the payment of
    events about a refund; `refund` is None where the event does not describe it.
    """

    id: str
    kind: str
    checkout: Checkout | None = None
    refunded: str | None = None
    refund: Refund | None = None


class PaymentDecision(StrEnum):
    """What came of an event."""

    TAKEN = "taken"  # a job delivers what was ordered
    REFUSED = "refused"  # it cannot be delivered: a job gives the money back
    WAITS = "waits"  # for the money
    UNPAID = "unpaid"  # the money did not come
    FOLLOWED = "followed"  # it is about the refund of an order
    IGNORED = "ignored"  # it is about something else


@dataclass(frozen=True, slots=True)
class Payment:
    """A paid order. `trouble` is why it was not delivered, in words for a person.

    Shape: `refunded_at` is when the money was given back, None while the refund is under way; `keys_spent`
    counts the idempotency keys of refunds that now stand for a failure.
    """

    session_id: str
    payment: str | None
    job_id: str
    trouble: str | None = None
    refund: Refund | None = None
    refunded_at: datetime | None = None
    amount: int | None = None
    currency: str | None = None
    keys_spent: int = 0


@dataclass(frozen=True, slots=True)
class PaymentTroubles:
    """The orders that need a person: those `undelivered`, and those whose refund is `unsettled`."""

    undelivered: Sequence[Payment] = ()
    unsettled: Sequence[Payment] = ()
