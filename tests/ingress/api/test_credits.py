from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from actors.services import JobRuntime
from tests.ingress.api.test_openapi import _require_described as require_described
from tests.ingress.site import API, CRON, Site, Stage, fields_of
from tests.ingress.site import site as site_of
from tests.support.harness import Harness

GRANT = {"credits": 5, "idempotency_key": "order-7", "reason": "bought five"}


def grant(site: Site, account: str = "ada", **more: Any) -> httpx.Response:
    return site.client.post(f"/credits/{account}/grants", json=GRANT | more, headers=API)


def look(site: Site, query: str = "") -> httpx.Response:
    return site.client.get(f"/credits/ada?{query}", headers=API)


def test_a_grant_is_made_once_for_each_key(site: Site) -> None:
    first, again = grant(site), grant(site)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    shown = first.json()
    assert (shown["entry_type"], shown["credits"], shown["reason"]) == ("grant", 5, "bought five")
    for answer in (first, again):
        require_described(answer, "/credits/{account}/grants")
    assert look(site).json()["balance"] == {"available": 5, "held": 0, "spent": 0}


def test_a_key_that_granted_another_amount_is_refused(site: Site) -> None:
    grant(site)
    answer = grant(site, credits=6)
    assert (answer.status_code, fields_of(answer)) == (422, {"credits"})


def test_an_account_is_shown_with_its_ledger_in_pages(site: Site) -> None:
    for number in range(3):
        grant(site, idempotency_key=f"order-{number}")
    ledger = site.rollcall.services.store.credits
    ledger.reserve("ada", "0" * 32, 1, site.rollcall.clock.now())
    first = look(site, "limit=3")
    require_described(first, "/credits/{account}")
    shown = first.json()
    assert (shown["account"], shown["balance"]) == ("ada", {"available": 14, "held": 1, "spent": 0})
    assert [each["entry_type"] for each in shown["items"]] == ["reserve", "grant", "grant"]
    second = look(site, f"limit=3&cursor={shown['next_cursor']}").json()
    assert (len(second["items"]), second["next_cursor"]) == (1, None)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"credits": 0}, "credits"),
        ({"credits": 1.5}, "credits"),
        ({"credits": True}, "credits"),
        ({"credits": 1_000_001}, "credits"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"reason": "a\x00b"}, "reason"),
        ({"colour": "green"}, "colour"),
    ],
)
def test_a_bad_grant_names_its_field(site: Site, more: dict[str, Any], field: str) -> None:
    answer = grant(site, **more)
    assert (answer.status_code, fields_of(answer)) == (422, {field})
    assert site.count("credit_transfers") == 0


def test_an_account_without_credits_or_sense_is_not_found(site: Site) -> None:
    assert look(site).status_code == 404
    assert grant(site, "a%20b").status_code == 404
    assert grant(site, "a" * 65).status_code == 404


def test_no_one_is_let_in_without_the_token_of_the_api(site: Site) -> None:
    for headers in ({}, CRON):
        assert site.client.get("/credits/ada", headers=headers).status_code == 401
        assert site.client.post("/credits/ada/grants", json=GRANT, headers=headers).status_code == 401
    assert site.count("credit_transfers") == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"prompt": "x" * 8001}, "input.prompt"),
        ({"account": ""}, "input.account"),
        ({"asset": "../secrets/API_TOKEN"}, "input.asset"),
    ],
)
def test_bad_input_of_a_generation_is_refused_by_its_field(
    stage: Stage, rollcall: Harness, given: dict[str, Any], field: str
) -> None:
    services = replace(rollcall.services, jobs=JobRuntime())
    with site_of(stage, rollcall, services=services) as found:
        wish = {"account": "ada", "prompt": "an owl"} | given
        answer = found.client.post("/jobs", json={"kind": "generation", "input": wish}, headers=API)
        assert (answer.status_code, fields_of(answer)) == (422, {field})
        assert found.count("jobs") == 0
