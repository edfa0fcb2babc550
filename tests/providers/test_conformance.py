"""Every client of an HTTP service treats the same faults and refusals alike."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from domain.alert import Alert, AlertNotification, AlertState, RunbookLink
from domain.errors import (
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.money import Payment
from notifications.operator_webhook import DeadMansSwitch, OperatorWebhook
from providers.docraptor import DocRaptor
from providers.gemini import Gemini
from providers.stripe import StripeRefunds
from providers.webhooks import JobWebhook
from tests.support.clock import FakeClock
from tests.support.wire_faults import EXPECTED, IMPATIENT, RefusingServer, WireFault, faulty_server

SECRET = "a-secret-of-the-tests"
NOW = FakeClock().now()
ALERT = Alert("disk/home", AlertState.RAISED, 1, "The disk is nearly full", "1 MiB is free.", "df -h", NOW)
LINKS = RunbookLink(
    "https://example.edu/health", "https://example.edu/console/", "https://example.edu/runbook"
)
PAYMENT = Payment("cs_1", "pi_1", "job", amount=900, currency="usd")


def gemini(url: str, seconds: float) -> None:
    Gemini(SECRET, "gemini-0", url, seconds)("an owl")


def docraptor(url: str, seconds: float) -> None:
    DocRaptor(SECRET, url, seconds)("<p>Seats</p>")


def stripe(url: str, seconds: float) -> None:
    StripeRefunds(SECRET, url, seconds).find(PAYMENT)


def job_webhook(url: str, seconds: float) -> None:
    webhook = JobWebhook(SECRET, FakeClock(), allows_private=True, timeout_seconds=seconds)
    webhook.post(f"{url}/{SECRET}", "0d4b", "{}")


def operator_webhook(url: str, seconds: float) -> None:
    webhook = OperatorWebhook(f"{url}/{SECRET}", lambda _: LINKS, seconds)
    webhook.send(AlertNotification(7, ALERT, "webhook", NOW))


def heartbeat(url: str, seconds: float) -> None:
    DeadMansSwitch(f"{url}/{SECRET}", seconds, pauses_seconds=()).ping()


Call = Callable[[str, float], None]
CLIENTS = (gemini, docraptor, stripe, job_webhook, operator_webhook, heartbeat)
APIS = (gemini, docraptor, stripe)
WEBHOOKS = (job_webhook, operator_webhook, heartbeat)


def error_of(call: Call, url: str, seconds: float = 10) -> RollcallError:
    with pytest.raises(RollcallError) as raised:
        call(url, seconds)
    shown = f"{raised.value} {raised.value!r} {raised.value.__cause__!r}"
    assert SECRET not in shown
    assert base64.b64encode(f"{SECRET}:".encode()).decode() not in shown
    return raised.value


@pytest.mark.parametrize("fault", WireFault)
@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_a_fault_on_the_wire_has_one_type(call: Call, fault: WireFault, certificate: Path) -> None:
    with faulty_server(fault, certificate) as url:
        seconds = 0.3 if fault in IMPATIENT else 30
        assert type(error_of(call, url, seconds)) is EXPECTED[fault]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, UnauthorisedError),
        (403, UnauthorisedError),
        (404, RejectedError),
        (422, RejectedError),
        (429, RateLimitedError),
        (500, UpstreamError),
        (503, UpstreamError),
        (302, UpstreamError),
    ],
)
@pytest.mark.parametrize("call", APIS, ids=lambda call: call.__name__)
def test_a_status_has_one_type(call: Call, status: int, kind: type[RollcallError]) -> None:
    with RefusingServer(status) as server:
        assert type(error_of(call, server.url)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, UpstreamError),
        (401, UnauthorisedError),
        (403, UnauthorisedError),
        (404, UpstreamError),
        (429, UpstreamError),
        (500, UpstreamError),
    ],
)
@pytest.mark.parametrize("call", WEBHOOKS, ids=lambda call: call.__name__)
def test_a_webhook_that_is_not_answered_with_2xx_fails(
    call: Call, status: int, kind: type[RollcallError]
) -> None:
    with RefusingServer(status) as server:
        error = error_of(call, server.url)
    assert type(error) is kind
    assert str(status) in str(error)


@pytest.mark.parametrize("call", CLIENTS, ids=lambda call: call.__name__)
def test_a_redirect_is_not_followed(call: Call) -> None:
    with RefusingServer(200) as elsewhere, RefusingServer(307, {"Location": elsewhere.url}) as server:
        error_of(call, server.url)
        assert len(server.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", [gemini, docraptor], ids=lambda call: call.__name__)
def test_the_wait_that_the_service_asks_for_is_kept(call: Call, status: int) -> None:
    date = datetime.now(UTC) + timedelta(seconds=1000)
    for header, seconds in (("7", 7.0), (format_datetime(date, usegmt=True), 1000.0)):
        with RefusingServer(status, {"Retry-After": header}) as server:
            error = error_of(call, server.url)
        assert isinstance(error, TransientError)
        assert error.retry_after_seconds == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize("call", [gemini, docraptor], ids=lambda call: call.__name__)
def test_a_gateway_timeout_is_a_timeout(call: Call) -> None:
    with RefusingServer(504) as server:
        assert type(error_of(call, server.url)) is UpstreamTimeoutError


def test_no_client_shows_its_credentials() -> None:
    clients = (
        Gemini(SECRET, "gemini-0"),
        DocRaptor(SECRET),
        StripeRefunds(SECRET),
        JobWebhook(SECRET, FakeClock()),
        OperatorWebhook(f"https://example.edu/{SECRET}", lambda _: LINKS),
        DeadMansSwitch(f"https://example.edu/{SECRET}"),
    )
    assert SECRET not in repr(clients)
