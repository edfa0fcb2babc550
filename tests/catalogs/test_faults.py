from __future__ import annotations

import pytest

from catalogs.faults import refusal, refuse
from domain.catalog import (
    BlockedError,
    MaintenanceError,
    RouteGoneError,
    SchemaError,
    SignInRequiredError,
)
from domain.errors import RateLimitedError, RollcallError, UpstreamError, UpstreamTimeoutError
from providers.http import HttpResponse

PAGE = "<!DOCTYPE html><html><body>{}</body></html>"
MAINTENANCE = PAGE.format("Down for scheduled maintenance until 6 am.")


def response(status: int, body: str = "", **headers: str) -> HttpResponse:
    lines = [
        f"HTTP/1.1 {status} X",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return HttpResponse(status, body.encode(), "\r\n".join([*lines, "", ""]).encode())


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (response(401), BlockedError),
        (response(403, MAINTENANCE), BlockedError),
        (response(200, PAGE.format('<div class="h-captcha">')), BlockedError),
        (response(503, "", Cf_Mitigated="challenge", Retry_After="9"), BlockedError),
        (response(202, "", X_Amzn_Waf_Action="challenge"), BlockedError),
        (response(429), RateLimitedError),
        (response(503, "", Retry_After="9"), RateLimitedError),
        (response(503, MAINTENANCE, Retry_After="9"), MaintenanceError),
        (response(503, MAINTENANCE), MaintenanceError),
        (response(200, MAINTENANCE), MaintenanceError),
        (response(302, Location="/maintenance.html"), MaintenanceError),
        (response(302, Location="https://sso.example.edu/cas/x?service=a"), SignInRequiredError),
        (response(302, Location="/app/Login"), SignInRequiredError),
        (response(301, Location="/new?next=login"), RouteGoneError),
        (response(200, PAGE.format("<input name=p type='password'>")), SignInRequiredError),
        (response(404, PAGE), RouteGoneError),
        (response(410), RouteGoneError),
        (response(500), UpstreamError),
        (response(503), UpstreamError),
        (response(504), UpstreamTimeoutError),
        (response(200, PAGE), SchemaError),
        (response(200, '{"captcha": "g-recaptcha", "note": "under maintenance"}'), SchemaError),
    ],
)
def test_a_response_that_is_no_answer_has_one_meaning(given: HttpResponse, kind: type[RollcallError]) -> None:
    error = refuse(given, "the terms")
    assert type(error) is kind
    assert str(error).startswith("the terms: ")


def test_a_large_page_may_load_a_captcha_or_announce_maintenance() -> None:
    page = PAGE.format("g-recaptcha, scheduled maintenance on Sunday" + "x" * 40_000)
    assert refusal(response(200, page), "the rows") is None
    assert type(refuse(response(200, page), "the rows")) is SchemaError


def test_the_named_wait_is_kept() -> None:
    error = refusal(response(429, Retry_After="30"), "the rows")
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 30
