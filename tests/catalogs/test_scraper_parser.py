import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs.scraper_parser import Parser, observation
from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.observation import UNASSIGNED, CheckFailure, Details, Missing, Observation, Outcome
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
def test_json_outside_the_contract_is_malformed(document: bytes) -> None:
    assert isinstance(error(read(document)), MalformedResponseError)


def test_a_complete_answer_becomes_an_observation() -> None:
    outcome = read({"success": True, "data": DATA})
    assert isinstance(outcome, Observation)
    assert (outcome.key, outcome.observed_at, outcome.open_seats) == (KEY, NOW, 3)


def test_an_invalid_field_is_named() -> None:
    assert str(error(read({"success": True, "data": DATA | {"title": 7}}))) == "title: must be text"


def test_a_truncated_body_is_malformed_even_if_its_start_is_json() -> None:
    outcome = error(read({"success": True, "data": DATA}, flaw="the response was truncated"))
    assert isinstance(outcome, MalformedResponseError)
    assert str(outcome) == "the response was truncated"


def test_an_unsuccessful_scrape_is_an_upstream_failure_and_never_missing() -> None:
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


def test_not_found_is_missing() -> None:
    assert read({"success": False}, 404) == Missing(KEY, NOW)


@pytest.mark.parametrize(("status", "header", "seconds"), [(429, "17", 17), (429, None, 60), (503, "5", 5)])
def test_the_wait_of_the_answer_is_kept(status: int, header: str | None, seconds: float) -> None:
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
def test_any_json_is_handled(document: object) -> None:
    outcome = error(read(document))
    assert isinstance(outcome, MalformedResponseError | UpstreamError)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(DATA, JSON)))
def test_any_values_become_an_observation_or_are_malformed(fields: dict[str, object]) -> None:
    outcome = read({"success": True, "data": DATA | fields})
    if isinstance(outcome, Observation):
        assert outcome.open_seats is not None
        assert outcome.open_seats >= 0
    else:
        assert isinstance(error(outcome), MalformedResponseError)


@given(st.binary(), st.integers(100, 599), st.none() | st.text())
def test_any_bytes_with_any_status_make_an_outcome(body: bytes, status: int, flaw: str | None) -> None:
    assert read(body, status, flaw=flaw).key == KEY


def observe(**fields: object) -> Observation:
    return observation(KEY, DATA | fields, NOW)


def test_the_fields_of_the_contract_become_an_observation() -> None:
    assert observe() == Observation(
        key=KEY,
        observed_at=NOW,
        open_seats=3,
        capacity=40,
        instructor="Ada Okoye",
        details=Details("CSE 110", "Principles of Programming", "Tempe - COOR 170", "MW 10:30-11:45"),
    )


def test_non_reserved_seats_count_if_stated() -> None:
    assert observe(seats_available=7, non_reserved_seats=0).open_seats == 0
    assert observe(seats_available=7, non_reserved_seats=2).open_seats == 2
    assert observe(seats_available=7, non_reserved_seats=None).open_seats == 7


def test_negative_seats_count_as_none() -> None:
    assert observe(seats_available=-84).open_seats == 0
    assert observe(non_reserved_seats=-1).open_seats == 0


@pytest.mark.parametrize(("stated", "known"), [(None, None), ("", UNASSIGNED), ("Staff", UNASSIGNED)])
def test_an_unstated_instructor_is_unknown_and_staff_is_unassigned(
    stated: str | None, known: str | None
) -> None:
    assert observe(instructor=stated).instructor == known


def test_an_unstated_place_or_time_is_empty() -> None:
    details = observe(location=None, meeting_times=None).details
    assert (details.location, details.meeting_times) == ("", "")


def test_text_becomes_printable() -> None:
    assert observe(title="Data\x00\r\n Structures \ud83d").details.title == "Data Structures"


def test_unknown_fields_are_ignored() -> None:
    assert observe(waitlist=4) == observe()


@pytest.mark.parametrize("field", sorted(DATA))
def test_a_missing_field_is_named(field: str) -> None:
    data = {name: value for name, value in DATA.items() if name != field}
    with pytest.raises(MalformedResponseError, match=f"^{field}: is missing$"):
        observation(KEY, data, NOW)


@pytest.mark.parametrize("field", ["seats_available", "seats_capacity", "non_reserved_seats"])
@pytest.mark.parametrize("value", ["4", "", True, 4.0, float("nan"), [], {}, 10**9, -(10**9)])
def test_counts_must_be_plausible_whole_numbers(field: str, value: object) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: "):
        observe(**{field: value})


@pytest.mark.parametrize("field", ["seats_available", "seats_capacity", "subject", "catalog_nbr", "title"])
def test_a_required_field_must_not_be_null(field: str) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: must be"):
        observe(**{field: None})


@pytest.mark.parametrize("field", ["subject", "title", "instructor", "location", "meeting_times"])
@pytest.mark.parametrize("value", [7, True, ["a"], {}, "x" * 1001])
def test_text_must_have_a_plausible_length(field: str, value: object) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: "):
        observe(**{field: value})
