from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
import redis

from tests.ingress.console.visitor import said, visitor, words
from tests.ingress.site import Site, Stage
from tests.ingress.site import site as serving
from tests.operations.journal import entries
from tests.support.broker import add_dead_letter, message, waiting
from tests.support.harness import Harness

DIED_MS = 1_768_467_600_000  # 15 January 2026, 9:00


@pytest.fixture
def buried(redis_client: redis.Redis, prefix: str) -> list[str]:
    """The message ids of six dead letters of one cause, then one of another."""
    letters = [message("work.do", number, rollcall_cause="Timeout") for number in range(6)]
    letters.append(message("work.do", rollcall_cause="Refused", traceback="a line\nRefused: <b>no</b>"))
    for number, letter in enumerate(letters):
        add_dead_letter(redis_client, prefix, letter, DIED_MS + number)
    return [letter.message_id for letter in letters]


@pytest.mark.usefixtures("buried")
def test_they_are_grouped_by_their_cause(guest: httpx.Client) -> None:
    answer = guest.get("/console/dead")
    text = words(answer)
    assert "7 dead letters" in text
    assert text.index("6 of Timeout") < text.index("1 of Refused")
    assert "The last 5 are shown." in text
    assert "<b>no</b>" not in answer.text


@pytest.mark.usefixtures("buried")
def test_a_filter_is_kept_for_what_is_done_with_it(guest: httpx.Client) -> None:
    answer = guest.get("/console/dead?cause=refused&queue=&older_than=")
    assert "1 dead letter Retry" in words(answer)
    asked = guest.post("/console/do/dead-retry", data={"cause": "refused", "queue": "", "older_than": ""})
    assert "Retry 1 dead letter? 1 dead letter matches the filter." in words(asked)


def test_what_matches_is_retried_once_it_is_confirmed_and_recorded(
    site: Site, guest: httpx.Client, buried: list[str], redis_client: redis.Redis, prefix: str
) -> None:
    wanted = {"cause": "Timeout"}
    guest.post("/console/do/dead-retry", data=wanted)
    assert waiting(redis_client, prefix) == []
    done = guest.post("/console/do/dead-retry", data=wanted | {"confirm": "yes", "back": "/console/dead"})
    assert (done.status_code, done.headers["location"]) == (303, "/console/dead")
    assert said(guest, "/console/dead") == "Requeued 6 dead letters."
    assert [letter.message_id for letter in waiting(redis_client, prefix)] == buried[:6]
    entry = entries(site.rollcall)[-1]
    assert (entry.action, entry.count, dict(entry.detail)) == ("dead.retry", 6, wanted)


def test_one_is_deleted_and_that_cannot_be_undone(
    guest: httpx.Client, buried: list[str], redis_client: redis.Redis, prefix: str
) -> None:
    wanted = {"message_ids": buried[0]}
    assert "This cannot be undone." in words(guest.post("/console/do/dead-purge", data=wanted))
    guest.post("/console/do/dead-purge", data=wanted | {"confirm": "yes"})
    assert said(guest) == "Deleted 1 dead letter."
    assert redis_client.zcard(f"{prefix}:check.XQ") == 6


def test_a_group_is_its_cause_alone(
    guest: httpx.Client, buried: list[str], redis_client: redis.Redis, prefix: str
) -> None:
    add_dead_letter(
        redis_client, prefix, message("work.do", rollcall_cause="Timeout of the catalog"), DIED_MS
    )
    page = guest.get("/console/dead").text
    assert '<input type="hidden" name="exact_cause" value="Timeout">' in page
    asked = words(guest.post("/console/do/dead-purge", data={"exact_cause": "Timeout"}))
    assert "Delete 6 dead letters?" in asked
    assert "All have exactly this cause: Timeout." in asked
    guest.post("/console/do/dead-purge", data={"exact_cause": "Timeout", "confirm": "yes"})
    assert redis_client.zcard(f"{prefix}:check.XQ") == len(buried) - 6 + 1


def test_where_nothing_matches_nothing_is_offered(guest: httpx.Client) -> None:
    assert "There are no dead letters." in words(guest.get("/console/dead"))
    asked = guest.post("/console/do/dead-purge", data={"cause": "none"})
    assert 'name="confirm"' not in asked.text


@pytest.mark.parametrize("query", ["older_than=soon", "queue=nowhere", "limit=5"])
def test_a_bad_filter_is_named(guest: httpx.Client, query: str) -> None:
    answer = guest.get(f"/console/dead?{query}")
    assert answer.status_code == 422
    assert query.split("=", maxsplit=1)[0] in words(answer)


def test_where_the_broker_keeps_them_that_is_said(stage: Stage, rollcall: Harness) -> None:
    room = replace(rollcall.admin, dead_letters=None)
    with serving(stage, rollcall, admin=room) as found, visitor(found) as client:
        answer = client.get("/console/dead")
    assert answer.status_code == 409
    assert "with a Redis broker only" in words(answer)


def test_all_of_one_cause_are_shown_in_pages(
    guest: httpx.Client, redis_client: redis.Redis, prefix: str
) -> None:
    for number in range(53):
        add_dead_letter(
            redis_client, prefix, message("work.do", number, rollcall_cause="Timeout"), DIED_MS + number
        )
    assert 'href="/console/dead?' in guest.get("/console/dead").text
    first = guest.get("/console/dead?exact_cause=Timeout")
    second = guest.get("/console/dead?exact_cause=Timeout&page=2")
    assert first.text.count("work.do(") == 50
    assert second.text.count("work.do(") == 3
    assert "Older" in words(first)
    assert "Newer" in words(second)
    assert "Older" not in words(second)
