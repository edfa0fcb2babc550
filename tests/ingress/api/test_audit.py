"""What is changed over HTTP has one audit entry."""

from __future__ import annotations

import pytest

from tests.ingress.console.visitor import BROWSER, sign_in, stranger, visitor
from tests.ingress.site import API, CRON, Site
from tests.operations.journal import entries, recorded


def test_the_api_records_a_watch_that_it_adds_updates_and_ends(site: Site) -> None:
    watch_id = site.add().json()["id"]
    site.add(min_seats=2)
    site.client.delete(f"/watches/{watch_id}", headers=API)
    assert recorded(site.rollcall) == [
        ("the API", "watch.add", f"watch/{watch_id}", 1),
        ("the API", "watch.add", f"watch/{watch_id}", 1),
        ("the API", "watch.end", f"watch/{watch_id}", 1),
    ]
    stored = site.rollcall.services.store.watches.get(watch_id)
    assert stored is not None
    assert stored.ended_reason == "ended by the API"


def test_an_import_has_one_entry_with_its_count(site: Site) -> None:
    lines = "\n".join(f"a{number}@example.edu,2261,{number}" for number in range(50))
    site.upload(f"email,term,section\n{lines}\n")
    assert recorded(site.rollcall) == [("the API", "watch.import", "watches", 50)]


def test_the_api_records_a_job_that_it_starts_and_cancels(site: Site) -> None:
    wanted = {"kind": "errand", "input": {"journal": "x"}, "idempotency_key": "a"}
    job_id = site.client.post("/jobs", json=wanted, headers=API).json()["id"]
    assert site.client.post("/jobs", json=wanted, headers=API).status_code == 200
    assert site.client.post(f"/jobs/{job_id}/cancel", headers=API).status_code == 202
    assert recorded(site.rollcall) == [
        ("the API", "job.start", f"job/{job_id}", 1),
        ("the API", "job.cancel", f"job/{job_id}", 1),
    ]


def test_the_api_records_a_grant_once_for_its_key(site: Site) -> None:
    wanted = {"credits": 5, "idempotency_key": "a"}
    for status in (201, 200):
        assert site.client.post("/credits/ada/grants", json=wanted, headers=API).status_code == status
    assert recorded(site.rollcall) == [("the API", "credit.grant", "account/ada", 1)]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_cron_trigger_is_recorded_once_for_its_slot(site: Site, method: str) -> None:
    for _ in range(2):
        run_id = site.client.request(method, "/cron/section-checks", headers=CRON).json()["run_id"]
    assert recorded(site.rollcall) == [("the cron trigger", "run.trigger", f"run/{run_id}", 1)]


def test_a_refused_sign_in_is_recorded_and_one_beyond_the_limit_is_not(site: Site) -> None:
    with stranger(site) as client:
        statuses = [sign_in(client, "wrong").status_code for _ in range(5)]
    refused = statuses.count(403)
    assert statuses[-1] == 429
    assert [(entry.by, entry.action) for entry in entries(site.rollcall)] == [
        ("anonymous", "session.refuse")
    ] * refused


def test_a_sign_out_and_downloads_from_the_console_are_recorded(site: Site) -> None:
    with visitor(site) as client:
        client.get("/console/watches.csv")
        client.get(f"/console/jobs/{'0' * 32}/artifact")
        client.post("/console/sign-out", headers=BROWSER)
        page = client.get("/console/audit")
    assert page.status_code == 303
    actions = [entry.action for entry in entries(site.rollcall)]
    assert actions == ["session.begin", "watch.export", "session.end"]
