"""A shop that sells reports: real workflows over a real store, on a held clock, with a bank in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.job import JobRecord, NewJob, Profile
from domain.payment import Checkout, Payment, PaymentEvent, Verdict
from mail.report import ReportLetter
from resilience.breaker import CircuitBreaker
from storage.folder import Folder
from store.histories import Histories
from store.job_runs import JobRuns
from store.jobs import Jobs
from store.payments import Payments
from store.section_days import SectionDays
from tests.store.desk import Desk
from tests.support.memory_engine import MemoryEngine
from tests.support.post import Post
from workflows.catalog import CATALOG
from workflows.services import JobServices, PaymentPorts, ReportPorts

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

    refunds: dict[str, str] = field(default_factory=dict)
    troubles: list[Exception] = field(default_factory=list)
    calls: int = 0

    def __call__(self, payment: str, key: str) -> str:
        self.calls += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return self.refunds.setdefault(key, f"re_{payment}")


@dataclass
class Shop:
    """Everything that reports need, on a held clock; `printed` counts the PDFs that were made."""

    desk: Desk
    folder: Path
    breakers: dict[str, CircuitBreaker]
    post: Post = field(default_factory=Post)
    bank: Bank = field(default_factory=Bank)
    printed: list[str] = field(default_factory=list)
    printer: Callable[[str], bytes] | None = None
    printer_breaker: str | None = None
    refunds: bool = True

    def __post_init__(self) -> None:
        self.desk.watch()
        self.desk.show(0, 3, 0, seconds=3600)
        self.payments, self.jobs = Payments(self.desk.database), Jobs(self.desk.database)
        self.storage = Folder(self.folder)

    @property
    def engine(self) -> MemoryEngine:
        database, clock = self.desk.database, self.desk.clock
        services = JobServices(
            clock,
            self.storage,
            self.breakers,
            ReportPorts(
                Histories(database),
                SectionDays(database),
                self.desk.pauses,
                self.desk.deliveries,
                self.printer or self._print,
                ReportLetter("Rollcall <rollcall@example.edu>"),
                self.post,
                self.printer_breaker,
            ),
            PaymentPorts(self.payments, self.bank if self.refunds else None),
        )
        return MemoryEngine(CATALOG, services, JobRuns(database), clock)

    def order(self, kind: str = "report", **changes: Any) -> JobRecord:
        """A paid order, queued."""
        given = ORDER | changes
        checkout = Checkout("cs_1", is_paid=True, payment="pi_1")
        event = PaymentEvent("evt_1", "checkout.session.completed", checkout)
        new = NewJob(kind, Profile.REALTIME, given)
        _, job_id = self.payments.record(event, Verdict.TAKEN, self.desk.clock.now(), job=new)
        return self.look(str(job_id))

    def look(self, job_id: str) -> JobRecord:
        found = self.jobs.get(job_id)
        assert found is not None
        return found

    def carry_out(self, job: JobRecord) -> JobRecord:
        engine = self.engine
        engine.start(job, 1)
        engine.work()
        return self.look(job.id)

    def report(self, kind: str, mail_id: str, reason: str) -> None:
        """The provider of letters tells of one to ada."""
        now = self.desk.clock.now()
        self.desk.deliveries.record(
            f"evt_{mail_id}", kind, provider_id=mail_id, address="ada@example.edu", reason=reason, now=now
        )

    def payment(self) -> Payment:
        found = self.payments.get("cs_1")
        assert found is not None
        return found

    def _print(self, html: str) -> bytes:
        self.printed.append(html)
        return PDF
