"""`/operations/{name}`: planned or executed, with a token."""

from __future__ import annotations

import pytest

from ingress.api import operations as endpoints
from operations.context import Surface
from operations.registry import OPERATIONS
from tests.ingress.site import API, CRON, Site, fields_of
from tests.operations.journal import recorded

PAUSE = {"name": "mail", "length": "2h", "reason": "a flood"}


def test_the_api_has_a_path_for_each_of_its_operations() -> None:
    expected = {f"/operations/{each.name}" for each in OPERATIONS if Surface.API in each.surfaces}
    assert {route.path for route in endpoints.routes} == expected


def test_a_plan_states_the_extent_and_changes_nothing(site: Site) -> None:
    site.rollcall.watch()
    answer = site.client.post("/operations/watches.end?plan=1", json={"section": "12430"}, headers=API)
    assert answer.status_code == 200
    assert answer.json() == {
        "message": "Delete 1 watch?",
        "count": 1,
        "is_executed": False,
        "effects": ["1 active watch matches (section 12430), of 1 address.", "Their history stays."],
        "results": [],
    }
    assert recorded(site.rollcall) == []


def test_an_operation_is_executed_and_recorded(site: Site) -> None:
    answer = site.client.post("/operations/source.pause", json=PAUSE, headers=API)
    assert answer.json()["message"] == "Paused all mail until 15 Jan 2026, 11:00 UTC."
    assert answer.json()["is_executed"]
    assert recorded(site.rollcall) == [("the API", "source.pause", "mail", 1)]


def test_the_rows_of_a_result_are_in_the_answer(site: Site) -> None:
    answer = site.client.post("/operations/run.trigger", json={"stagger": "odd"}, headers=API)
    (run,) = answer.json()["results"]
    assert (run["trigger"], run["stagger"], run["state"]) == ("http", "odd", "queued")


def test_every_bad_field_is_named_and_nothing_is_done(site: Site) -> None:
    wanted = {"name": "nowhere", "length": "soon", "colour": "red"}
    answer = site.client.post("/operations/source.pause", json=wanted, headers=API)
    assert (answer.status_code, fields_of(answer)) == (422, {"name", "length", "colour"})
    assert recorded(site.rollcall) == []


@pytest.mark.parametrize("headers", [{}, CRON])
def test_only_the_api_token_is_accepted(site: Site, headers: dict[str, str]) -> None:
    answer = site.client.post("/operations/source.pause", json=PAUSE, headers=headers)
    assert answer.status_code == 401


def test_what_is_not_an_operation_is_not_found(site: Site) -> None:
    assert site.client.post("/operations/everything.stop", json={}, headers=API).status_code == 404
    assert site.client.get("/operations/source.pause", headers=API).status_code == 405


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("mail.retry", "notification_ids", "[9223372036854775808]"),
        ("mail.retry", "notification_ids", "[-1]"),
        ("mail.retry", "notification_ids", "[]"),
        ("mail.retry", "rate", "1e400"),
        ("mail.retry", "rate", "null"),
        ("dead.purge", "message_ids", "[]"),
        ("dead.purge", "message_ids", '["\\ud800"]'),
        ("dead.purge", "message_ids", '"a b"'),
    ],
)
def test_a_list_of_ids_is_valid_and_never_empty(site: Site, name: str, field: str, value: str) -> None:
    # An empty list would otherwise mean everything, as a filter that is not given does.
    headers = {**API, "Content-Type": "application/json"}
    answer = site.client.post(f"/operations/{name}", content=f'{{"{field}": {value}}}', headers=headers)
    assert (answer.status_code, fields_of(answer)) == (422, {field})
