"""What workflows work with, as the settings say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from notifications.messages import ReportMessage
from providers.docraptor import DocRaptor
from providers.gemini import Gemini
from providers.stripe import StripeRefunds
from rollcall.settings import Settings
from rollcall.storage import storage_of
from rollcall.wiring import System
from store.sections.history import DailyRollups, Histories
from workflows.kind import GenerationContext, JobContext, PaymentContext, ReportContext
from workflows.report.pdf import LocalPdfRenderer
from workflows.report.workflow import DOCRAPTOR


def job_services(system: System) -> JobContext:
    """The ports of every workflow."""
    services = system.services
    return JobContext(
        services.clock,
        storage_of(system.settings),
        services.breakers,
        reports=report_ports(system),
        payments=PaymentContext(services.store.payments, services.store.refunds, _refunds(system.settings)),
        generation=GenerationContext(services.store.credits, _gemini(system.settings)),
    )


def report_ports(system: System) -> ReportContext:
    """What makes reports and sends them."""
    settings, services = system.settings, system.services
    printer, breaker = _printer(settings)
    return ReportContext(
        histories=Histories(system.database),
        days=DailyRollups(system.database),
        pauses=services.store.pauses,
        deliveries=services.store.deliveries,
        printer=printer,
        printer_breaker=breaker,
        letters=ReportMessage(settings.notification_from_email),
        mailer=services.mailer,
    )


def at_once(settings: Settings) -> Mapping[str, int]:
    """How many jobs of a kind this process carries out at a time, where a setting says so."""
    return {"generation": settings.generation_concurrency}


def _printer(settings: Settings) -> tuple[Callable[[str], bytes], str | None]:
    if settings.docraptor_api_key is None:
        return LocalPdfRenderer(), None
    return DocRaptor(settings.docraptor_api_key, settings.docraptor_api_url), DOCRAPTOR


def _gemini(settings: Settings) -> Gemini | None:
    key = settings.gemini_api_key
    return None if key is None else Gemini(key, settings.gemini_model, settings.gemini_api_url)


def _refunds(settings: Settings) -> StripeRefunds | None:
    key = settings.stripe_secret_key
    return None if key is None else StripeRefunds(key, settings.stripe_api_url)
