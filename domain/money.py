"""Credits, payments and refunds.

Credits are granted to an account, reserved while a job runs, and captured when it has delivered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from domain.errors import PermanentError
from domain.text import Identifier

MAX_GRANT = 1_000_000
ACCOUNT = Identifier("[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "the name of an account")


class NotEnoughCreditsError(PermanentError):
    """The account has too few credits for the request."""


class AccountType(StrEnum):
    """Where the credits of an owner are. The balances sum to zero: `issued` is negative."""

    ISSUED = "issued"
    AVAILABLE = "available"
    HELD = "held"
    SPENT = "spent"


class EntryType(StrEnum):
    """Why credits move from one account type to another."""

    GRANT = "grant"
    RESERVE = "reserve"
    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Balance:
    """The balances of an account."""

    available: int = 0
    held: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of credits within an account, with its job, or with the idempotency key of a grant."""

    id: int
    account: str
    entry_type: EntryType
    credits: int
    at: datetime
    job_id: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None


class RefundState(StrEnum):
    """State of a refund, in Stripe's terms.

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
    """A refund. `amount` is in the currency's smallest unit; `reason` is why it failed.

    Shape: `is_ours` if Rollcall created it rather than a person in the dashboard.
    """

    id: str
    state: RefundState
    amount: int | None = None
    reason: str | None = None
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Checkout:
    """One checkout session: an order, and whether it is paid.

    Shape: `payment` is the payment that a refund refers to, None if nothing was due; `amount` is the total in
    the currency's smallest unit; `email` is the customer's; `metadata` is the shop's data about the order.
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
    """The allowed totals of an order in the smallest unit, by currency in lower case."""

    allowed: Mapping[str, frozenset[int]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `currency:amount, …`, such as `usd:900,eur:850`. Raises: ValueError."""
        found: dict[str, set[int]] = {}
        for part in text.split(","):
            match = re.fullmatch(r"([a-z]{3}):([0-9]{1,12})", part.strip().lower())
            if match is None:
                raise ValueError(
                    "must be currency:amount, … in the smallest unit, as at Stripe, such as usd:900,eur:850"
                )
            found.setdefault(match[1], set()).add(int(match[2]))
        return cls({currency: frozenset(amounts) for currency, amounts in found.items()})

    def objection(self, checkout: Checkout) -> str | None:
        """Why the total of `checkout` is not allowed, or None. An unknown total is not allowed."""
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
    """One event of the payment provider; a repeated delivery has the same `id`.

    Shape: `checkout` is None for events that are not about a checkout session. `refunded` is the payment of
    events about a refund; `refund` is None if the event does not describe it.
    """

    id: str
    kind: str
    checkout: Checkout | None = None
    refunded: str | None = None
    refund: Refund | None = None


class PaymentDecision(StrEnum):
    """The decision about a payment event."""

    TAKEN = "taken"  # a job delivers the order
    REFUSED = "refused"  # it cannot be delivered: a job refunds it
    WAITS = "waits"  # the payment is pending
    UNPAID = "unpaid"  # the payment failed
    FOLLOWED = "followed"  # it concerns the refund of an order
    IGNORED = "ignored"  # it concerns something else


@dataclass(frozen=True, slots=True)
class Payment:
    """A paid order. `failure_reason` explains to people why it was not delivered.

    Shape: `refunded_at` is when the refund succeeded, None while it is pending; `keys_used` counts the
    refund idempotency keys for which the provider has stored a failure.
    """

    session_id: str
    payment: str | None
    job_id: str
    failure_reason: str | None = None
    refund: Refund | None = None
    refunded_at: datetime | None = None
    amount: int | None = None
    currency: str | None = None
    keys_used: int = 0


@dataclass(frozen=True, slots=True)
class PaymentFailures:
    """The orders that need an operator: `undelivered` ones, and `unresolved_refunds`."""

    undelivered: Sequence[Payment] = ()
    unresolved_refunds: Sequence[Payment] = ()
