from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import InvalidInputError, RateLimitedError
from domain.section import SectionKey
from ingress.context import WebContext
from store.database import Database
from store.repositories import open_store
from tests.ingress.site import API, Reports, Site, Stage, fields_of, web_context
from tests.ingress.site import site as on
from tests.support.harness import Harness


@pytest.mark.parametrize("path", ["/livez", "/watches", "/nowhere", "/unsubscribe", "/health"])
def test_everything_carries_an_id_and_security_headers(site: Site, path: str) -> None:
    headers = site.client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 32
    assert "server" not in headers


def test_a_sane_request_id_is_kept(site: Site) -> None:
    assert (
        site.client.get("/livez", headers={"X-Request-ID": "job-7.a_B"}).headers["x-request-id"]
        == "job-7.a_B"
    )


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<b>", "a,b"])
def test_an_odd_request_id_is_replaced(site: Site, given: str) -> None:
    assert len(site.client.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/nowhere", "/watches/", "/watches/1/2", "/%00", "/%ff", "/livez//"])
def test_an_unknown_path_is_a_problem(site: Site, path: str) -> None:
    answer = site.client.get(path, headers=API)

    assert (answer.status_code, fields_of(answer)) == (404, set())


@pytest.mark.parametrize("term", ["2026/FA", "Fall 2026", "50%25 %2F", "Otoño/26"])
def test_a_term_is_one_segment_of_a_path_whatever_it_holds(site: Site, term: str) -> None:
    key = SectionKey("scraper", term, "CIS 1/001")
    assert site.add(term=key.term, section=key.number).status_code == 201
    answer = site.client.get(f"/sections/{key.path}", headers=API)
    assert (answer.status_code, answer.json()["term"], answer.json()["section"]) == (200, term, key.number)
    assert site.client.get(f"/sections/scraper/{term}/CIS 1/001", headers=API).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/watches", "GET, HEAD, POST"),
        ("GET", "/watches/import", "POST"),
        ("PATCH", "/watches/1", "DELETE, GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("GET", "/webhooks/resend", "POST"),
        ("OPTIONS", "/notifications", "GET, HEAD"),
        ("TEAPOT", "/unsubscribe", "GET, HEAD, POST"),
    ],
)
def test_another_method_is_a_problem_that_names_those_allowed(
    site: Site, method: str, path: str, allowed: str
) -> None:
    answer = site.client.request(method, path, headers=API)

    assert (answer.status_code, fields_of(answer)) == (405, set())
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed


def test_an_unexpected_error_is_logged_and_reports_nothing(
    stage: Stage, rollcall: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> tuple[bytes, str]:
        raise RuntimeError("password=hunter2")

    with on(stage, rollcall, metrics=fail) as site:
        answer = site.client.get("/metrics", headers={"X-Request-ID": "the-one"})

    assert (answer.status_code, fields_of(answer)) == (500, set())
    assert "hunter2" not in answer.text
    assert "the-one" in answer.text
    assert answer.headers["x-request-id"] == "the-one"
    (record,) = [record for record in caplog.records if record.name == "ingress.middleware"]
    assert (record.levelno, record.__dict__["request_id"]) == (logging.ERROR, "the-one")


def test_a_database_that_is_unavailable_is_no_fault_of_ours(
    stage: Stage, rollcall: Harness, tmp_path: Path
) -> None:
    gone = Database(f"sqlite:///{tmp_path / 'no folder' / 'rollcall.db'}")
    services = replace(rollcall.services, store=open_store(gone, rollcall.services.run_lifetime, 0, ()))

    with on(stage, rollcall, services=services) as site:
        answer = site.client.get("/watches", headers=API)
        write = site.add()

    assert (answer.status_code, fields_of(answer), write.status_code) == (503, set(), 503)
    assert answer.headers["retry-after"] == "5"


def test_a_failure_that_names_a_time_passes_it_on(stage: Stage, rollcall: Harness) -> None:
    def refuse() -> tuple[bytes, str]:
        raise RateLimitedError("later", retry_after_seconds=2.5)

    with on(stage, rollcall, metrics=refuse) as site:
        assert site.client.get("/metrics").headers["retry-after"] == "3"


def test_an_empty_secret_stops_the_start(rollcall: Harness) -> None:
    context: WebContext = web_context(rollcall, Reports())

    with pytest.raises(InvalidInputError, match="api_token"):
        replace(context, api_token="")


def test_secrets_are_not_in_its_text(rollcall: Harness) -> None:
    assert "of the tests" not in repr(web_context(rollcall, Reports()))
