from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import redis

from domain.errors import UnreachableError
from domain.section import Stagger
from operations.section_check import CHECK
from tests.ingress.site import API, CRON, PUBLIC_URL, Site, Stage, fields_of
from tests.ingress.site import site as on
from tests.operations.journal import do
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url

PATH = "/cron/section-checks"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_trigger_queues_a_run_and_publishes_it(site: Site, method: str) -> None:
    answer = site.client.request(method, PATH, headers=CRON)

    assert answer.status_code == 202
    run = answer.json()
    assert run == {
        "run_id": run["run_id"],
        "trigger": "http",
        "stagger": "even",
        "slot": "2026-01-15T09:00:00.000Z",
        "state": "queued",
        "status_url": f"{PUBLIC_URL}/cron/runs/{run['run_id']}",
    }
    assert [message.args for message in site.rollcall.messages] == [(run["run_id"],)]


def test_a_slot_that_was_triggered_answers_with_its_first_run(site: Site) -> None:
    first = site.client.post(PATH, headers=CRON)
    again = site.client.post(PATH, headers=CRON, params={"stagger": "even", "force": "0"})

    assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    assert len(site.rollcall.messages) == 1


def test_force_asks_for_another_run(site: Site) -> None:
    first = site.client.post(PATH, headers=CRON)
    forced = site.client.post(PATH, headers=CRON, params={"force": "1"})

    assert forced.status_code == 202
    assert forced.json()["run_id"] != first.json()["run_id"]


@pytest.mark.parametrize("stagger", [Stagger.EVEN, Stagger.ODD, Stagger.ALL])
def test_each_stagger_can_be_named(site: Site, stagger: Stagger) -> None:
    assert site.client.get(PATH, headers=CRON, params={"stagger": stagger}).json()["stagger"] == stagger


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("stagger=both", {"stagger"}),
        ("stagger=EVEN", {"stagger"}),
        ("stagger=", {"stagger"}),
        ("force=2", {"force"}),
        ("force=true", {"force"}),
        ("force=99999999999999999999", {"force"}),
        ("force=%00", {"force"}),
        ("stagger=both&force=x&other=1", {"stagger", "force", "other"}),
        ("force=1&force=1", {"force"}),
        ("secret=guess", {"secret"}),
        ("stagger=%ff", {"query"}),
        ("stagger=%ED%A0%80", {"query"}),
        ("&".join(f"p{i}=1" for i in range(60)), {"query"}),
    ],
)
def test_a_bad_query_names_its_parameters_and_leaves_no_run(site: Site, query: str, fields: set[str]) -> None:
    answer = site.client.post(f"{PATH}?{query}", headers=CRON)

    assert (answer.status_code, fields_of(answer)) == (422, fields)
    assert site.count("runs") == 0
    assert site.rollcall.messages == []


@pytest.mark.parametrize("headers", [{}, API, {"Authorization": "Bearer wrong"}])
def test_only_the_cron_secret_triggers(site: Site, headers: dict[str, str]) -> None:
    answer = site.client.post(PATH, headers=headers)

    assert (answer.status_code, fields_of(answer)) == (401, set())
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert site.count("runs") == 0


def test_a_link_checker_triggers_nothing(site: Site) -> None:
    answer = site.client.head(PATH, headers=CRON)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert site.count("runs") == 0


def test_a_broker_that_is_unavailable_costs_no_run(stage: Stage, rollcall: Harness) -> None:
    def refuse(_message: object) -> None:
        raise UnreachableError("no broker")

    with on(stage, rollcall, services=replace(rollcall.services, publish=refuse)) as site:
        assert site.client.post(PATH, headers=CRON).status_code == 202
        assert site.count("runs") == 1


@pytest.mark.parametrize("headers", [CRON, API])
def test_a_run_shows_its_counts(site: Site, headers: dict[str, str]) -> None:
    site.rollcall.watch("12430")
    site.rollcall.catalog.rows[site.rollcall.key("12430")] = Row(open_seats=3)
    run_id = site.client.post(PATH, headers=CRON).json()["run_id"]
    site.rollcall.process_messages()

    run = site.client.get(f"/cron/runs/{run_id}", headers=headers).json()

    assert {name: run[name] for name in ("state", "sections", "checked", "failed", "deferred")} == {
        "state": "finished",
        "sections": 1,
        "checked": 1,
        "failed": 0,
        "deferred": 0,
    }
    assert run["finished_at"] == "2026-01-15T09:00:00.000Z"
    assert {"trigger", "slot", "reason", "changed", "notifications", "started_at"} <= run.keys()


def test_a_check_by_hand_is_listed_as_one(site: Site) -> None:
    site.rollcall.watch("12430")
    site.rollcall.catalog.rows[site.rollcall.key("12430")] = Row(open_seats=3)
    do(site.rollcall, CHECK, source="scraper", term="2261", section="12430")
    (run,) = site.client.get("/cron/runs", headers=API).json()["items"]
    shown = {name: run[name] for name in ("trigger", "stagger", "state", "sections", "checked")}
    expected = {
        "trigger": "cli-check",
        "stagger": "even",
        "state": "finished",
        "sections": 1,
        "checked": 1,
    }
    assert shown == expected


def test_runs_come_in_pages_newest_first(site: Site) -> None:
    made = [_forced(site) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = site.client.get("/cron/runs", headers=API, params={"cursor": cursor, "limit": 2}).json()
        seen += [run["run_id"] for run in page["items"]]
        cursor = page["next_cursor"]

    assert seen == made[::-1]


@pytest.mark.parametrize("run_id", ["0" * 32, "nothing", "%00", "%ff", "9" * 200, "a%0Ab"])
def test_an_unknown_run_is_not_found(site: Site, run_id: str) -> None:
    answer = site.client.get(f"/cron/runs/{run_id}", headers=API)

    assert (answer.status_code, fields_of(answer)) == (404, set())


@pytest.mark.parametrize("path", ["/cron/runs", "/cron/runs/" + "0" * 32])
def test_runs_are_not_for_strangers(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 401


def _forced(site: Site) -> str:
    answer: httpx.Response = site.client.post(PATH, headers=CRON, params={"force": "1"})
    return str(answer.json()["run_id"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_for_polls_without_a_due_term_publishes_nothing(site: Site, method: str) -> None:
    answer = site.client.request(method, "/cron/catalog-polls", headers=CRON)
    assert (answer.status_code, answer.json(), site.rollcall.messages) == (202, {"due": 0}, [])


def test_polls_are_requested_with_the_cron_secret_only(site: Site) -> None:
    assert site.client.post("/cron/catalog-polls", headers=API).status_code == 401


def test_with_a_budget_a_trigger_checks_what_is_due_without_a_slot(
    stage: Stage, tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    budget = {"CHECK_SCHEDULE": "budget", "SCHEDULER": "off"}
    with (
        harness(sqlite_url(tmp_path), redis_client, prefix, settings=budget) as rollcall,
        on(stage, rollcall) as site,
    ):
        rollcall.watch()
        rollcall.catalog.rows[rollcall.key()] = Row()
        first = site.client.post(PATH, headers=CRON)
        waiting = site.client.post(PATH, headers=CRON)
        rollcall.process_messages()
        early = site.client.post(PATH, headers=CRON)
        forced = site.client.post(PATH, headers=CRON, params={"force": "1"})
        half = site.client.post(PATH, headers=CRON, params={"stagger": "even"})

    assert (first.status_code, first.json()["stagger"], first.json()["state"]) == (202, "budget", "queued")
    for again in (waiting, early):
        assert (again.status_code, again.json()["run_id"]) == (200, first.json()["run_id"])
    assert early.json()["state"] == "finished"
    assert (forced.status_code, forced.json()["stagger"]) == (202, "budget")
    assert (half.status_code, half.json()["stagger"]) == (202, "even")
