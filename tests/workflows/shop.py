"""A shop that sells reports: real workflows over a real store, on a held clock, with a bank in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.job import JobRecord, NewJob, Profile
from domain.money import Checkout, Payment, PaymentDecision, PaymentEvent, Refund, RefundState
from domain.ports import Mailer
from notifications.messages import ReportMessage
from providers.storage import Folder
from resilience.breaker import CircuitBreaker
from store.jobs.jobs import Jobs
from store.payments import Payments
from store.refunds import Refunds
from store.sections.history import DailyRollups, Histories
from tests.store.harness import StoreHarness
from tests.support.mailer import FakeMailer
from tests.support.memory_engine import MemoryEngine
from workflows.kind import JobContext, PaymentContext, RefundProvider, ReportContext
from workflows.kinds import KINDS

ORDER: dict[str, Any] = {
    "email": "ada@example.edu",
    "source": "scraper",
    "term": "2261",
    "sections": ["12430", "99999"],
    "payment": "cs_1",
}
PDF = b"%PDF-1.4 made by the test"


@dataclass
class Bank:
    """Refunds once a key, as Stripe does; `troubles` are raised in turn."""

    refunds: dict[str, Refund] = field(default_factory=dict)
    troubles: list[Exception] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    state: RefundState = RefundState.SUCCEEDED
    found: Refund | None = None

    @property
    def calls(self) -> int:
        return len(self.keys)

    def create(self, payment: Payment, key: str) -> Refund:
        self.keys.append(key)
        self._fail()
        return self.refunds.setdefault(key, Refund(f"re_{payment.payment}", self.state))

    def find(self, payment: Payment) -> Refund | None:
        self._fail()
        return self.found

    def _fail(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


@dataclass
class Shop:
    """Everything that reports need, on a held clock; `printed` counts the PDFs that were made."""

    store: StoreHarness
    folder: Path
    breakers: dict[str, CircuitBreaker]
    post: FakeMailer = field(default_factory=FakeMailer)
    mailer: Mailer | None = None
    bank: Bank = field(default_factory=Bank)
    printed: list[str] = field(default_factory=list)
    printer: Callable[[str], bytes] | None = None
    printer_breaker: str | None = None
    may_refund: bool = True
    provider: RefundProvider | None = None

    def __post_init__(self) -> None:
        self.store.watch()
        self.store.show(0, 3, 0, seconds=3600)
        database = self.store.database
        self.payments, self.refunds, self.jobs = Payments(database), Refunds(database), Jobs(database)
        self.storage = Folder(self.folder)

    @property
    def engine(self) -> MemoryEngine:
        database, clock = self.store.database, self.store.clock
        return MemoryEngine(KINDS, self.services, database, clock)

    @property
    def services(self) -> JobContext:
        database, clock = self.store.database, self.store.clock
        return JobContext(
            clock,
            self.storage,
            self.breakers,
            ReportContext(
                Histories(database),
                DailyRollups(database),
                self.store.pauses,
                self.store.deliveries,
                self.printer or self._print,
                ReportMessage("Rollcall <rollcall@example.edu>"),
                self.mailer or self.post,
                self.printer_breaker,
            ),
            PaymentContext(
                self.payments, self.refunds, (self.provider or self.bank) if self.may_refund else None
            ),
        )

    def order(self, kind: str = "report", **changes: Any) -> JobRecord:
        """A paid order, queued."""
        given = ORDER | changes
        checkout = Checkout("cs_1", is_paid=True, payment="pi_1", amount=900, currency="usd")
        event = PaymentEvent("evt_1", "checkout.session.completed", checkout)
        new = NewJob(kind, Profile.REALTIME, given)
        _, job_id = self.payments.record(event, PaymentDecision.TAKEN, self.store.clock.now(), job=new)
        return self.look(str(job_id))

    def look(self, job_id: str) -> JobRecord:
        found = self.jobs.get(job_id)
        assert found is not None
        return found

    def carry_out(self, job: JobRecord) -> JobRecord:
        engine = self.engine
        engine.start(job)
        engine.work()
        return self.look(job.id)

    def report(self, kind: str, mail_id: str, reason: str) -> None:
        """The mail provider reports a message to ada."""
        now = self.store.clock.now()
        self.store.deliveries.record(
            f"evt_{mail_id}", kind, provider_id=mail_id, address="ada@example.edu", reason=reason, now=now
        )

    def payment(self) -> Payment:
        found = self.payments.get("cs_1")
        assert found is not None
        return found

    def _print(self, html: str) -> bytes:
        self.printed.append(html)
        return PDF
