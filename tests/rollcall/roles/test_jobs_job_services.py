from __future__ import annotations

from pathlib import Path

import pytest

from providers.docraptor import DocRaptor
from providers.stripe import StripeRefunds
from rollcall import wiring
from rollcall.home import prepare_home
from rollcall.roles.jobs import job_context
from rollcall.settings import parse
from workflows.report.pdf import LocalPdfRenderer


@pytest.mark.parametrize(
    ("values", "printer", "refund", "breakers"),
    [
        ({}, LocalPdfRenderer, type(None), {"campus", "mail"}),
        (
            {"DOCRAPTOR_API_KEY": "dr_1", "STRIPE_SECRET_KEY": "sk_1"},
            DocRaptor,
            StripeRefunds,
            {"campus", "mail", "docraptor", "stripe"},
        ),
    ],
)
def test_reports_and_refunds_are_made_by_what_is_set_up(
    tmp_path: Path, values: dict[str, str], printer: type, refund: type, breakers: set[str]
) -> None:
    found = prepare_home(parse(values | {"ROLLCALL_HOME": str(tmp_path)}))
    system = wiring.build(found)
    try:
        services = job_context(system)
    finally:
        system.close()

    assert services.reports is not None
    assert services.payments is not None
    assert (type(services.reports.printer), type(services.payments.provider)) == (printer, refund)
    guard = services.reports.printer_breaker
    assert guard is None or guard in services.breakers
    assert services.breakers.keys() >= breakers
    assert ("stripe" in services.breakers) == (services.payments.provider is not None)
