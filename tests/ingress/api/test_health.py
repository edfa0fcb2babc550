from __future__ import annotations

import pytest

from ingress.api.health import _is_loopback
from observability.health import HealthReport
from tests.ingress.site import API, CHECKS, CRON, Site, fields_of


def test_the_process_is_alive_whatever_its_house(site: Site) -> None:
    site.reports.health = site.reports.ready = HealthReport("unhealthy", {})

    answer = site.client.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 503), ("unhealthy", 503)])
def test_readiness_needs_all_that_requests_need(site: Site, status: str, code: int) -> None:
    site.reports.ready = HealthReport(status, CHECKS)

    answer = site.client.get("/readyz")

    assert (answer.status_code, answer.json()) == (code, {"status": status})


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503)])
def test_health_reports_everyone_its_status_alone(site: Site, status: str, code: int) -> None:
    site.reports.health = HealthReport(status, CHECKS)

    answer = site.client.get("/health")

    assert (answer.status_code, answer.json()) == (code, {"status": status, "checks": {}})


@pytest.mark.parametrize("headers", [API, CRON])
def test_health_reports_anyone_who_holds_a_token_the_checks(site: Site, headers: dict[str, str]) -> None:
    assert site.client.get("/health", headers=headers).json() == {"status": "healthy", "checks": CHECKS}


@pytest.mark.parametrize("value", ["Bearer wrong", "Basic YTpi", "", "Bearer"])
def test_health_refuses_a_wrong_token(site: Site, value: str) -> None:
    answer = site.client.get("/health", headers={"Authorization": value})

    assert (answer.status_code, fields_of(answer)) == (401, set())


def test_metrics_are_prometheus_text(site: Site) -> None:
    answer = site.client.get("/metrics")

    assert answer.text == "rollcall_up 1\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_metrics_from_elsewhere_take_a_token(site: Site) -> None:
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}  # as a proxy on this machine passes it on

    assert site.client.get("/metrics", headers=elsewhere).status_code == 401
    assert site.client.get("/metrics", headers=elsewhere | API).status_code == 200


@pytest.mark.parametrize(
    ("client", "is_loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("2001:db8::1", False), ("", False), ("localhost", False)],
)  # fmt: skip
def test_loopback_is_reported_by_address(client: str, is_loopback: bool) -> None:
    assert _is_loopback(client) is is_loopback


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
def test_head_is_answered_as_get_without_its_body(site: Site, path: str) -> None:
    answer = site.client.head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == site.client.get(path).headers["content-length"]
