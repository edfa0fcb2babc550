"""What a workflow receives: its job with durable steps, and the ports that it may use.

A workflow is a plain function `run(job, input) -> result`. After a crash it is called again from its first
line; each step whose result was stored returns that result at once. So everything that may differ between
calls (time, randomness, I/O) belongs in a step, and the steps run in the same order each time.

The contexts are frozen; the wiring of the role `rollcall jobs` builds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from domain.errors import PermanentError, RollcallError
from domain.job import JobPhase, JsonObject, Profile, WaitFor
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
    """The ports that reports use.

    Shape: `printer` renders an HTML document as PDF and raises RollcallError; `printer_breaker` guards a
    remote printer.
    """

    histories: Histories
    days: DailyRollups
    pauses: Pauses
    deliveries: Deliveries
    printer: Callable[[str], bytes]
    messages: ReportMessage
    mailer: Mailer
    printer_breaker: str | None = None


class RefundProvider(Protocol):
    """A provider that makes refunds. Raises: RollcallError."""

    def create(self, payment: Payment, idempotency_key: str) -> Refund:
        """Create the refund of `payment`, once per key.

        Raises: KeySpentError when the key is no longer usable.
        """

    def find(self, payment: Payment) -> Refund | None:
        """Return the existing refund of `payment`, or None."""


@dataclass(frozen=True, slots=True)
class PaymentContext:
    """The ports that payments use. `provider` is None where Rollcall must not refund."""

    payments: Payments
    refunds: Refunds
    provider: RefundProvider | None = None


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """The ports that generation uses.

    Shape: `draw` makes a picture from a prompt and an optional source picture, and raises RollcallError; it
    is None where no provider is configured.
    """

    ledger: CreditLedger
    draw: Callable[[str, Image | None], Image] | None = None


@dataclass(frozen=True, slots=True)
class JobContext:
    """The ports of every workflow.

    Shape: `breakers` has one entry per upstream, by its name.
    """

    clock: Clock
    storage: Storage
    breakers: Mapping[str, CircuitBreaker] = field(default_factory=dict)
    reports: ReportContext | None = None
    payments: PaymentContext | None = None
    generation: GenerationContext | None = None


T = TypeVar("T")
STEP_ATTEMPTS = 5


class StepFailedError(PermanentError):
    """A step failed at every attempt; the message is that of the last failure."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class CancelledError(RollcallError):
    """Cancellation was requested. Do not catch it, so that the job ends."""


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job ends without a result; `reason` is for people."""

    reason: str
    is_cancelled: bool = False


class Job(Protocol):
    """The current job, as its workflow sees it."""

    @property
    def id(self) -> str:
        """The job's id, the same for every repetition."""

    @property
    def services(self) -> JobContext:
        """The ports to the outside."""

    @property
    def phase(self) -> JobPhase:
        """The phase in progress, with the state that the phase before it left and the confirmed version."""

    def step(
        self,
        name: str,
        work: Callable[[], T],
        *,
        attempts: int = STEP_ATTEMPTS,
        must_finish: bool = False,
    ) -> T:
        """Run `work` durably: its result is stored, and a repetition returns the stored result.

        Shape: a repetition finds the result by `name`, so releases must not rename steps; the result is None,
        bool, int, float, str, or a list or dict of these. `work` may run more than once, but never after its
        result was stored: make it idempotent by `job.id` and the step's name. A TransientError is retried, up
        to `attempts` times, after the time that it names or an exponential back-off; meanwhile the job is
        `waiting`. An attempt that an open circuit breaker refuses does not count. A step that `must_finish`
        is not cancelled after its first attempt: an attempt without an answer may have had its effect.

        Raises: PermanentError of the work at once; StepFailedError when the attempts are spent;
        CancelledError between attempts and before the step begins.
        """

    def report_progress(self, done: int, total: int, message: str) -> None:
        """Report the job's progress, for display."""

    def is_changed(self, change: str) -> bool:
        """Return whether a changed workflow takes its new path; `change` is a permanent name.

        A job that had begun a later step before the change keeps the old path, also after a crash:

            if job.is_changed("sign-the-report"):
                job.step("sign", …)
        """


G = TypeVar("G")
OnFailure: TypeAlias = Callable[[Job, JsonObject, JobFailure], None]


@dataclass(frozen=True, slots=True)
class Phase(Generic[G]):
    """What continues a job after a confirmation, in steps of its own.

    Shape: `run` is a workflow that finds what the phase before it left in `job.phase.state`, and may park the
    job again. `versions` are those of the state that it reads: a release keeps reading the versions of parked
    jobs.
    """

    run: Callable[[Job, G], JsonObject | WaitFor]
    versions: frozenset[int] = frozenset({1})


@dataclass(frozen=True, slots=True)
class JobKind(Generic[G]):
    """One job kind.

    Shape: `read` parses the caller's payload into the workflow's input; it raises InvalidInputError that
    names each bad field. `run` is the workflow; its result is stored in the job's row, so large output
    goes to `services.storage` under `jobs/{job.id}/{name}` and the result names it: `{"artifact": key,
    "content_type": …, "bytes": n}`. `on_failure` compensates a failed or cancelled job (refund, alert the
    operator) in steps of the same job; it must allow for steps that never ran. It takes the raw payload,
    because this release may not be able to parse it. `at_once` bounds how many jobs of the kind run
    concurrently in the whole fleet, and how many phases that follow a wait beside them. Jobs with the
    same `partition_key` run one after another, in order of submission. Each process polls for the next
    job every `poll_seconds`; a poll costs 3 ms of CPU. A workflow that returns `WaitFor` parks its job:
    after a confirmation it continues with the phase of `phases` that this names; after a rejection, or
    without an answer, it is cancelled. Names of phases are stored. Only Rollcall itself starts kinds that
    are not `is_public`, and only Rollcall itself fills in `reserved_fields`.

    The functions import heavy modules lazily: the web role reads the kinds too.
    """

    name: str
    profile: Profile
    read: Callable[[JsonObject], G]
    run: Callable[[Job, G], JsonObject | WaitFor]
    on_failure: OnFailure | None = None
    at_once: int = 4
    partition_key: Callable[[G], str] | None = None
    poll_seconds: float = 1.0
    is_public: bool = True
    reserved_fields: frozenset[str] = frozenset()
    phases: Mapping[str, Phase[G]] = field(default_factory=dict)


JobKinds: TypeAlias = Mapping[str, JobKind[Any]]


def by_name(*kinds: JobKind[Any]) -> JobKinds:
    """Return `kinds` by their names."""
    return {kind.name: kind for kind in kinds}
