"""What workflows work with: one frozen graph of ports, built by the wiring of the role `rollcall jobs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from domain.money import Payment, Refund
from domain.ports import Clock, Mailer, Storage
from notifications.messages import ReportMessage
from providers.gemini import Image
from resilience.breaker import CircuitBreaker
from store.credits import CreditLedger
from store.notifications.deliveries import Deliveries
from store.pauses import Pauses
from store.payments import Payments
from store.refunds import Refunds
from store.sections.history import DailyRollups, Histories


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What reports need.

    Shape: `printer` makes a PDF of an HTML document and raises RollcallError; `printer_breaker` guards it
    where it is somebody else's.
    """

    histories: Histories
    days: DailyRollups
    pauses: Pauses
    deliveries: Deliveries
    printer: Callable[[str], bytes]
    letters: ReportMessage
    mailer: Mailer
    printer_breaker: str | None = None


class RefundProvider(Protocol):
    """Who gives money back. Raises: RollcallError."""

    def create(self, payment: Payment, idempotency_key: str) -> Refund:
        """The refund of `payment`, made once a key. Raises: KeySpentError when the key is of no more use."""

    def find(self, payment: Payment) -> Refund | None:
        """The refund of `payment` that exists, if any."""


@dataclass(frozen=True, slots=True)
class PaymentContext:
    """What money needs. `provider` is None where Rollcall may give nothing back."""

    payments: Payments
    refunds: Refunds
    provider: RefundProvider | None = None


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What generation needs.

    Shape: `draw` makes a picture of a prompt and perhaps another picture, and raises RollcallError; None
    where no provider is set up.
    """

    ledger: CreditLedger
    draw: Callable[[str, Image | None], Image] | None = None


@dataclass(frozen=True, slots=True)
class JobContext:
    """The ports of every workflow.

    Shape: `breakers` has one entry an upstream, by its name.
    """

    clock: Clock
    storage: Storage
    breakers: Mapping[str, CircuitBreaker] = field(default_factory=dict)
    reports: ReportContext | None = None
    payments: PaymentContext | None = None
    generation: GenerationContext | None = None
