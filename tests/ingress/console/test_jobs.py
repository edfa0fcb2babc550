from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from actors import jobs as job_actors
from domain.errors import UpstreamError
from domain.job import JobRecord
from tests.ingress.console.visitor import said, words
from tests.ingress.site import Site
from tests.operations.journal import entries


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return str(tmp_path / "journal")


def submit(site: Site, kind: str, journal: str, key: str | None = None, **given: Any) -> JobRecord:
    job, _ = job_actors.submit(
        site.rollcall.services, kind, {"journal": journal} | given, idempotency_key=key
    )
    return job


def stored(site: Site, job_id: str) -> JobRecord:
    found = site.rollcall.services.store.jobs.get(job_id)
    assert found is not None
    return found


def ask(guest: httpx.Client, action: str, job: JobRecord, **fields: str) -> httpx.Response:
    return guest.post(f"/console/do/{action}", data={"job_id": job.id, "back": "/console/jobs"} | fields)


def listed(answer: httpx.Response, *jobs: JobRecord) -> list[JobRecord]:
    """Those of `jobs` that a page lists, in its order."""
    at = {answer.text.find(f'href="/console/jobs/{job.id}"'): job for job in jobs}
    return [at[place] for place in sorted(at) if place >= 0]


def test_without_jobs_it_says_so(guest: httpx.Client) -> None:
    assert "No job matches." in words(guest.get("/console/jobs"))


def test_the_jobs_are_listed_the_newest_first_with_their_progress_and_counted(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    first = submit(site, "errand", journal)
    site.rollcall.process_messages()
    second = submit(site, "chore", journal)
    answer = guest.get("/console/jobs")
    assert listed(answer, first, second) == [second, first]
    page = words(answer)
    assert "1 queued 0 running 0 waiting 1 succeeded 0 failed 0 cancelled" in page
    assert f"{first.id[:8]} errand succeeded 3 of 3: send is done" in page
    assert f"{second.id[:8]} chore queued" in page


def test_the_jobs_are_filtered_by_kind_and_state(site: Site, guest: httpx.Client, journal: str) -> None:
    errand, chore = submit(site, "errand", journal), submit(site, "chore", journal)
    answer = guest.get("/console/jobs?kind=errand&state=")
    assert listed(answer, errand, chore) == [errand]
    assert "1 queued" in words(answer)
    assert '<option value="errand" selected>' in answer.text
    assert listed(guest.get("/console/jobs?state=queued"), errand, chore) == [chore, errand]
    assert listed(guest.get("/console/jobs?kind=&state=failed"), errand, chore) == []


@pytest.mark.parametrize("query", ["state=lost", "kind=Dance!", "limit=5"])
def test_a_bad_filter_is_named(guest: httpx.Client, query: str) -> None:
    answer = guest.get(f"/console/jobs?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in words(answer)


def test_older_jobs_are_a_page_further_under_the_same_filter(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    oldest = submit(site, "chore", journal)
    newer = [submit(site, "chore", journal) for _ in range(50)]
    submit(site, "errand", journal)
    newest = guest.get("/console/jobs?kind=chore")
    assert len(listed(newest, oldest, *newer)) == 50
    older = newest.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    last = guest.get(older.replace("&amp;", "&"))
    assert listed(last, oldest, *newer) == [oldest]
    assert "Older" not in words(last)


def test_a_job_reports_what_it_was_given_what_it_did_and_why_it_failed(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    job = submit(site, "errand", journal, "order <7>", fails="make", how="for-good", lane="<b>\ud800")
    site.rollcall.process_messages()
    answer = guest.get(f"/console/jobs/{job.id}")
    page = words(answer)
    assert "make cannot be done" in page
    assert "order <7>" in page
    assert r'"lane": "<b>\ud800"' in page
    assert "<b>\\" not in answer.text
    assert "fetch succeeded 1" in page
    assert "make failed 1" in page
    assert "refund succeeded 1" in page
    assert "Cancel…" not in page


def test_what_a_job_has_made_is_downloaded(site: Site, guest: httpx.Client, journal: str) -> None:
    job = submit(site, "paper", journal)
    path = f"/console/jobs/{job.id}/artifact"
    assert path not in guest.get(f"/console/jobs/{job.id}").text
    assert guest.get(path).status_code == 404
    site.rollcall.process_messages()
    assert path in guest.get(f"/console/jobs/{job.id}").text
    answer = guest.get(path)
    assert (answer.content, answer.headers["content-type"]) == (b"%PDF of the tests", "application/pdf")
    assert answer.headers["content-disposition"].startswith("attachment")


def test_what_a_job_has_made_is_for_who_has_signed_in(site: Site, journal: str) -> None:
    job = submit(site, "paper", journal)
    site.rollcall.process_messages()
    for below in ("", "/artifact"):
        answer = site.client.get(f"/console/jobs/{job.id}{below}")
        assert (answer.status_code, b"%PDF" in answer.content) == (401, False)


def test_a_job_reports_whether_its_caller_was_reported_without_the_secret_of_the_address(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    services = site.rollcall.services
    address = "https://example.edu/hooks/secret"
    job, _ = job_actors.submit(services, "errand", {"journal": journal}, webhook_url=address)
    path = f"/console/jobs/{job.id}"
    assert "example.edu: called when it ends" in words(guest.get(path))
    site.rollcall.webhook.error = UpstreamError("they are away")
    site.rollcall.process_messages()
    assert "example.edu: due now" in words(guest.get(path))
    site.rollcall.advance(0)
    failed = words(guest.get(path))
    assert "example.edu: 1 attempt, next" in failed
    assert "they are away" in failed
    site.rollcall.webhook.error = None
    site.rollcall.advance(3600)
    answer = guest.get(path)
    assert "example.edu: called" in words(answer)
    assert "hooks/secret" not in answer.text


@pytest.mark.parametrize("below", ["", "/artifact"])
def test_a_job_that_is_not_there_is_said_to_a_person(guest: httpx.Client, below: str) -> None:
    missing = guest.get(f"/console/jobs/{'0' * 32}{below}")
    assert missing.status_code == 404
    assert "There is no such job." in words(missing)


def test_a_job_is_cancelled_once_that_is_confirmed_and_it_is_recorded(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    job = submit(site, "errand", journal)
    asked = words(ask(guest, "job-cancel", job))
    assert f"Cancel the errand {job.id[:8]}? 0 steps have started" in asked
    assert "This cannot be undone." in asked
    assert stored(site, job.id).cancel_requested_at is None
    done = ask(guest, "job-cancel", job, confirm="yes")
    assert (done.status_code, done.headers["location"]) == (303, "/console/jobs")
    assert said(guest) == f"The errand {job.id} will end soon."
    entry = entries(site.rollcall)[-1]
    assert (entry.action, entry.subject) == ("job.cancel", f"job/{job.id}")
    assert entry.by.startswith("console ")
    assert "There is nothing to do." in words(ask(guest, "job-cancel", job))
    site.rollcall.process_messages()
    assert stored(site, job.id).state == "cancelled"
    assert "It is already cancelled." in words(ask(guest, "job-cancel", job))


def test_a_failed_job_is_done_again_once_that_is_confirmed_and_it_is_recorded(
    site: Site, guest: httpx.Client, journal: str
) -> None:
    job = submit(site, "errand", journal, fails="make", how="for-good")
    assert "only failed and cancelled jobs can be retried" in words(ask(guest, "job-retry", job))
    site.rollcall.process_messages()
    assert "Retry…" in words(guest.get(f"/console/jobs/{job.id}"))
    assert "1 new job with the same input" in words(ask(guest, "job-retry", job))
    assert site.count("jobs") == 1
    ask(guest, "job-retry", job, confirm="yes")
    assert said(guest).endswith(" retries it.")
    again, *_ = site.rollcall.services.store.jobs.page(None, 1)[0]
    assert (again.retry_of, again.input) == (job.id, job.input)
    entry = entries(site.rollcall)[-1]
    assert (entry.action, entry.subject, entry.detail) == ("job.retry", f"job/{again.id}", {"of": job.id})
    assert f'href="/console/jobs/{job.id}"' in guest.get(f"/console/jobs/{again.id}").text
    ask(guest, "job-retry", job, confirm="yes")
    assert said(guest) == f"The errand {again.id} already retries it."
    assert site.count("jobs") == 2


@pytest.mark.parametrize("action", ["job-cancel", "job-retry"])
@pytest.mark.parametrize("confirmed", [{}, {"confirm": "yes"}])
@pytest.mark.parametrize("job_id", ["x", "0" * 32])
def test_nothing_is_done_to_a_job_that_is_not_there(
    site: Site, guest: httpx.Client, action: str, confirmed: dict[str, str], job_id: str
) -> None:
    recorded = site.count("audit")
    refused = guest.post(f"/console/do/{action}", data={"job_id": job_id} | confirmed)
    assert refused.status_code == 422
    assert "<code>job_id</code>" in refused.text
    assert site.count("audit") == recorded


def test_a_parked_job_is_confirmed_after_its_plan(site: Site, guest: httpx.Client, journal: str) -> None:
    job = submit(site, "question", journal)
    site.rollcall.process_messages()
    page = guest.get(f"/console/jobs/{job.id}")
    assert "Waiting for confirmation until" in words(page)
    assert "/console/do/job-confirm" in page.text

    plan = ask(guest, "job-confirm", job, preview_version="1")
    assert f"Confirm the question {job.id[:8]}?" in words(plan)
    assert stored(site, job.id).waiting_for is not None
    stale = ask(guest, "job-confirm", job, preview_version="2")
    assert "Version 2 is stale." in words(stale)
    ask(guest, "job-confirm", job, preview_version="1", confirm="yes")
    site.rollcall.process_messages()

    assert stored(site, job.id).state == "succeeded"
    assert entries(site.rollcall)[-1].action == "job.confirm"
