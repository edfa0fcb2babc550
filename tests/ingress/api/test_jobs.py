from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.job import JobState
from tests.ingress.api.test_openapi import _require_described as require_described
from tests.ingress.site import API, CRON, PUBLIC_URL, Site, fields_of


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {"kind": "errand", "input": {"journal": str(tmp_path / "journal")}}


def ask(site: Site, given: dict[str, Any], **more: Any) -> httpx.Response:
    return site.client.post("/jobs", json=given | more, headers=API)


def look(site: Site, job: dict[str, Any], below: str = "") -> httpx.Response:
    return site.client.get(f"/jobs/{job['id']}{below}", headers=API)


def test_a_job_is_accepted_and_can_be_followed_to_its_end(site: Site, given: dict[str, Any]) -> None:
    accepted = ask(site, given)
    job = accepted.json()
    assert (accepted.status_code, job["state"], job["steps"], job["queue"]) == (202, "queued", [], "realtime")
    assert accepted.headers["location"] == job["status_url"] == f"{PUBLIC_URL}/jobs/{job['id']}"
    site.rollcall.process_messages()

    ended = look(site, job)

    require_described(ended, "/jobs/{id}")
    shown = ended.json()
    assert (shown["state"], shown["error"], shown["input"]) == ("succeeded", None, given["input"])
    assert shown["progress"] == {"done": 3, "total": 3, "message": "send is done"}
    assert shown["result"] == {"done": ["fetch", "make", "send"]}
    assert [(step["name"], step["state"], step["attempts"]) for step in shown["steps"]] == [
        (name, "succeeded", 1) for name in ("fetch", "make", "send")
    ]


def test_a_repeated_key_gives_the_first_job(site: Site, given: dict[str, Any]) -> None:
    first = ask(site, given, idempotency_key="order-7")
    again = ask(site, given | {"kind": "chore"}, idempotency_key="order-7")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    require_described(again, "/jobs")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"kind": "Dance!"}, "kind"),
        ({"kind": "dance"}, "kind"),
        ({"kind": "favour"}, "kind"),
        ({"input": []}, "input"),
        ({"input": {}}, "input.journal"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"webhook_url": "ftp://example.edu/"}, "webhook_url"),
        ({"webhook_url": "https://ada:secret@example.edu/"}, "webhook_url"),
        ({"webhook_url": "https://example.edu:99999/"}, "webhook_url"),
        ({"colour": "green"}, "colour"),
    ],
)
def test_a_bad_request_names_its_field(
    site: Site, given: dict[str, Any], more: dict[str, Any], field: str
) -> None:
    answer = ask(site, given, **more)
    assert (answer.status_code, fields_of(answer)) == (422, {field})
    assert site.count("jobs") == 0


def test_the_listing_is_newest_first_in_pages_and_by_kind_and_state(
    site: Site, given: dict[str, Any]
) -> None:
    ids = [ask(site, given | {"kind": kind}).json()["id"] for kind in ("errand", "chore", "errand")]
    site.rollcall.engine.start(site.rollcall.services.store.jobs.get(ids[0]))  # type: ignore[arg-type]
    site.rollcall.engine.work()

    def listed(query: str) -> list[str]:
        answer = site.client.get(f"/jobs?{query}", headers=API)
        require_described(answer, "/jobs")
        return [job["id"] for job in answer.json()["items"]]

    assert listed("") == ids[::-1]
    assert listed("kind=errand&state=") == [ids[2], ids[0]]
    assert listed("state=queued") == [ids[2], ids[1]]
    first = site.client.get("/jobs?limit=2", headers=API).json()
    assert listed(f"limit=2&cursor={first['next_cursor']}") == [ids[0]]
    assert site.client.get("/jobs?state=lost", headers=API).status_code == 422


def test_a_job_is_cancelled_while_it_lives_and_not_afterwards(site: Site, given: dict[str, Any]) -> None:
    job = ask(site, given).json()
    asked = site.client.post(f"/jobs/{job['id']}/cancel", headers=API)
    assert (asked.status_code, asked.json()["cancel_requested_at"] is None) == (202, False)
    require_described(asked, "/jobs/{id}/cancel")
    site.rollcall.process_messages()
    again = site.client.post(f"/jobs/{job['id']}/cancel", headers=API)
    assert (again.status_code, again.json()["state"]) == (200, JobState.CANCELLED)
    assert site.client.post(f"/jobs/{'0' * 32}/cancel", headers=API).status_code == 404


def test_an_artifact_is_had_as_an_attachment_of_its_own_type(site: Site, given: dict[str, Any]) -> None:
    job = ask(site, given | {"kind": "paper"}).json()
    assert look(site, job, "/artifact").status_code == 404
    site.rollcall.process_messages()

    answer = look(site, job, "/artifact")

    assert answer.content == b"%PDF of the tests"
    assert look(site, job).json()["artifact_url"] == f"{PUBLIC_URL}/jobs/{job['id']}/artifact"
    headers = ("content-type", "content-length", "content-disposition", "x-content-type-options")
    assert [answer.headers[name] for name in headers] == [
        "application/pdf",
        "17",
        'attachment; filename="paper.pdf"',
        "nosniff",
    ]
    site.rollcall.storage.delete(f"jobs/{job['id']}/")
    assert look(site, job, "/artifact").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs"),
        ("GET", "/jobs"),
        ("GET", f"/jobs/{'0' * 32}"),
        ("POST", f"/jobs/{'0' * 32}/cancel"),
        ("GET", f"/jobs/{'0' * 32}/artifact"),
    ],
)
def test_no_one_is_let_in_without_the_token_of_the_api(site: Site, method: str, path: str) -> None:
    for headers in ({}, CRON):
        assert site.client.request(method, path, headers=headers).status_code == 401


def test_a_job_that_is_not_there_is_not_found(site: Site) -> None:
    for path in (f"/jobs/{'0' * 32}", "/jobs/x", f"/jobs/{'0' * 32}/artifact"):
        assert site.client.get(path, headers=API).status_code == 404


def answer(site: Site, job: dict[str, Any], **body: Any) -> httpx.Response:
    return site.client.post(f"/jobs/{job['id']}/signals", json=body, headers=API)


def test_a_parked_job_is_listed_and_continues_after_a_signal(site: Site, given: dict[str, Any]) -> None:
    job = ask(site, given | {"kind": "question"}).json()
    site.rollcall.process_messages()
    (listed,) = site.client.get("/jobs?state=waiting", headers=API).json()["items"]
    waiting = listed["waiting_for"]
    assert (waiting["kind"], waiting["preview_version"]) == ("confirmation", 1)

    stale = answer(site, job, name="confirm", preview_version=7, id="a")
    accepted = answer(site, job, name="confirm", preview_version=1, id="a")
    again = answer(site, job, name="confirm", preview_version=1, id="a")
    site.rollcall.process_messages()
    late = answer(site, job, name="reject", preview_version=1, id="b")

    assert [each.status_code for each in (stale, accepted, again, late)] == [409, 202, 200, 409]
    for each in (stale, accepted, again):
        require_described(each, "/jobs/{id}/signals")
    assert look(site, job).json()["result"] == {"fetched": "fetch", "version": 1}
    entries, _ = site.rollcall.services.store.audit.page(None, 10, action="job.confirm")
    assert [each.entry.detail for each in entries] == [{"preview_version": 1, "id": "a"}]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "preview_version", "id"}),
        ({"name": "maybe", "preview_version": 1, "id": "a"}, {"name"}),
        ({"name": "confirm", "preview_version": 0, "id": "a"}, {"preview_version"}),
        ({"name": "confirm", "preview_version": 1, "id": ""}, {"id"}),
    ],
)
def test_a_bad_signal_names_its_fields(
    site: Site, given: dict[str, Any], body: dict[str, Any], fields: set[str]
) -> None:
    refused = answer(site, ask(site, given | {"kind": "question"}).json(), **body)
    assert (refused.status_code, fields_of(refused)) == (422, fields)


def test_a_signal_to_a_job_that_takes_none_is_refused(site: Site, given: dict[str, Any]) -> None:
    body = {"name": "confirm", "preview_version": 1, "id": "a"}
    assert answer(site, ask(site, given).json(), **body).status_code == 409
    assert answer(site, {"id": "0" * 32}, **body).status_code == 404
