import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.scraper_parser import Parser
from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.observation import CheckFailure, Missing, Observation, Outcome
from domain.section import SectionKey
from providers.http import HttpResponse
from tests.standins.scraper import DATA
from tests.support.clock import FakeClock

KEY = SectionKey("scraper", "2261", "12431")
NOW = FakeClock().now()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(
    document: Any, status: int = 200, flaw: str | None = None, headers: Mapping[str, str | None] | None = None
) -> Outcome:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    lines = [f"{name}: {value}" for name, value in (headers or {}).items() if value is not None]
    head = "\r\n".join([f"HTTP/1.1 {status} Status", *lines, "", ""]).encode("latin-1")
    return Parser("hunter2").outcome(KEY, HttpResponse(status, body, head, flaw), NOW)


def error(outcome: Outcome) -> RollcallError:
    assert isinstance(outcome, CheckFailure), outcome
    return outcome.error


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<!DOCTYPE html><h1>Sign in</h1>",
        b'{"success":true,"data":{"subject":"CSE",',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"1" * 10_000,
        b"[]",
        b'"text"',
        b"{}",
        b'{"success":"true","data":{}}',
        b'{"success":1,"data":{}}',
        b'{"success":true}',
        b'{"success":true,"data":[]}',
    ],
)
def test_what_is_not_the_agreed_json_is_malformed(document: bytes) -> None:
    assert isinstance(error(read(document)), MalformedResponseError)


def test_a_whole_answer_becomes_an_observation() -> None:
    outcome = read({"success": True, "data": DATA})
    assert isinstance(outcome, Observation)
    assert (outcome.key, outcome.observed_at, outcome.open_seats) == (KEY, NOW, 3)


def test_a_field_that_is_not_as_agreed_is_named() -> None:
    assert str(error(read({"success": True, "data": DATA | {"title": 7}}))) == "title: must be text"


def test_a_body_that_was_cut_off_is_malformed_even_when_its_start_is_json() -> None:
    outcome = error(read({"success": True, "data": DATA}, flaw="the answer was cut off"))
    assert isinstance(outcome, MalformedResponseError)
    assert str(outcome) == "the answer was cut off"


def test_an_unsuccessful_scrape_is_the_upstreams_failure_and_never_missing() -> None:
    outcome = error(read({"success": False, "error": "section not\nfound " + "x" * 5000}))
    assert isinstance(outcome, UpstreamError)
    assert "section not found" in str(outcome)
    assert len(str(outcome)) < 250


@pytest.mark.parametrize("reason", [None, {"code": 7}, json.loads("[" * 900 + "]" * 900)])
def test_an_unsuccessful_scrape_may_have_any_reason(reason: object) -> None:
    assert isinstance(error(read({"success": False, "error": reason})), UpstreamError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, UnauthorisedError),
        (403, UnauthorisedError),
        (400, RejectedError),
        (422, RejectedError),
        (408, UpstreamTimeoutError),
        (425, UpstreamError),
        (429, RateLimitedError),
        (500, UpstreamError),
        (503, UpstreamError),
        (302, UpstreamError),
    ],
)
def test_each_status_has_its_type(status: int, kind: type[RollcallError]) -> None:
    outcome = error(read(b"<html>no</html>", status))
    assert type(outcome) is kind
    assert str(status) in str(outcome)


def test_not_found_is_an_answer() -> None:
    assert read({"success": False}, 404) == Missing(KEY, NOW)


@pytest.mark.parametrize(("status", "header", "seconds"), [(429, "17", 17), (429, None, 60), (503, "5", 5)])
def test_the_time_to_wait_is_passed_on(status: int, header: str | None, seconds: float) -> None:
    outcome = error(read(b"", status, headers={"Retry-After": header}))
    assert isinstance(outcome, RateLimitedError | UpstreamError)
    assert outcome.retry_after_seconds == seconds


def test_a_redirect_is_named() -> None:
    answer = read(b"", 302, headers={"Location": "https://login.example/"})
    assert "https://login.example/" in str(error(answer))


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_the_secret_is_never_quoted(status: int) -> None:
    document = {"success": False, "error": "bad token hunter2"}
    assert "hunter2" not in str(error(read(document, status)))


@given(JSON | st.builds(lambda data: {"success": True, "data": data}, JSON))
def test_any_json_is_survived(document: object) -> None:
    outcome = error(read(document))
    assert isinstance(outcome, MalformedResponseError | UpstreamError)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(DATA, JSON)))
def test_any_values_are_seen_or_malformed_and_never_negative(fields: dict[str, object]) -> None:
    outcome = read({"success": True, "data": DATA | fields})
    if isinstance(outcome, Observation):
        assert outcome.open_seats is not None
        assert outcome.open_seats >= 0
    else:
        assert isinstance(error(outcome), MalformedResponseError)


@given(st.binary(), st.integers(100, 599), st.none() | st.text())
def test_any_bytes_with_any_status_make_an_outcome(body: bytes, status: int, flaw: str | None) -> None:
    assert read(body, status, flaw=flaw).key == KEY
