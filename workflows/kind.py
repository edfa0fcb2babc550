"""What a workflow is given: its steps, and a way to tell how far it is.

A workflow is a plain function `run(job, given) -> result`. After a crash it is called again from its first
line; each step whose result was kept gives that result at once. So whatever is not the same at every call
(time, chance, the world) belongs into a step, and the steps come in the same order each time.

What workflows work with: one frozen graph of ports, built by the wiring of the role `rollcall jobs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from domain.errors import PermanentError, RollcallError
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


T = TypeVar("T")
MAX_ATTEMPTS = 5


class StepFailedError(PermanentError):
    """A step failed at every attempt that it had; the message is that of the last failure."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class CancelledError(RollcallError):
    """Somebody asked for the job to be cancelled: let it through, so that the job ends."""


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job ends without a result: `reason` is for people."""

    reason: str
    is_cancelled: bool = False


class Job(Protocol):
    """The job in hand, as its workflow sees it."""

    @property
    def id(self) -> str:
        """The job's id, which is the same for every repetition."""

    @property
    def services(self) -> JobContext:
        """The ports to the world."""

    def step(
        self,
        name: str,
        work: Callable[[], T],
        *,
        attempts: int = MAX_ATTEMPTS,
        must_finish: bool = False,
    ) -> T:
        """What `work` returns, durably: it is kept, and a repetition takes what was kept.

        Shape: `name` is unique within the job; the result is None, bool, int, float, str, list or dict of
        these. `work` may run more than once, but never after its result was kept: make it idempotent under
        `job.id` and the step's name. A TransientError is tried again, `attempts` times at most, after the
        time that it names or a growing pause; meanwhile the job is `waiting`. What
        `workflows.steps.guarded` refuses while an upstream's breaker is open costs no attempt.
        A step that `must_finish` is not cancelled once it was attempted: an attempt whose answer is lost may
        have had its effect.

        Raises: PermanentError of the work at once; StepFailedError when the attempts are spent;
        CancelledError between attempts and before the step begins.
        """

    def tell(self, done: int, total: int, message: str) -> None:
        """Say how far the job is, for people."""

    def is_changed(self, change: str) -> bool:
        """Whether a workflow that was changed is to take its new way; `change` is a name for good.

        A job that had passed this place before the change keeps to the old way, also after a crash:

            if job.is_changed("sign-the-report"):
                job.step("sign", …)
        """
