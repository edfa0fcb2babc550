"""`POST /watches` for polled catalogs: by link, and of sections that are not listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.actors.polling import TERM, polling
from tests.ingress import site as sites
from tests.ingress.site import API, Site, fields_of
from tests.support.harness import sqlite_url

LINK = "https://banner.127.0.0.1/pls/crse?term_in=202710&crn_in={}"


@pytest.fixture
def elm(stage: sites.Stage, tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Site]:
    """A site whose catalog `elm` has been read whole."""
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm") as place:
        place.schools[0].show(n10001=0, n10002=0)
        place.schools[0].watch("10001", "bob@example.edu")
        place.poll()
        with sites.site(stage, place.rollcall) as found:
            yield found


def post(site: Site, **fields: object) -> dict[str, Any]:
    answer = site.client.post("/watches", headers=API, json={"email": "ada@example.edu"} | fields)
    body: dict[str, Any] = answer.json()
    return body | {"status": answer.status_code}


def test_a_link_is_watched(elm: Site) -> None:
    added = post(elm, link=LINK.format("10002"))
    assert (added["status"], added["source"], added["term"], added["section"]) == (201, "elm", TERM, "10002")
    assert post(elm, link=LINK.format("10002"), min_seats=3)["min_seats"] == 3


def test_an_unlisted_section_is_refused_with_the_nearest_unless_it_is_wanted(elm: Site) -> None:
    wanted = {"source": "elm", "term": TERM, "section": "10003"}
    refused = post(elm, **wanted)
    assert refused["status"] == 422
    assert refused["matches"] == [
        {
            "source": "elm",
            "term": TERM,
            "section": number,
            "course": "ICS 111",
            "title": "Programming & Proofs",
        }
        for number in ("10002", "10001")
    ]
    assert post(elm, link=LINK.format("10003"))["matches"] == refused["matches"]
    added = post(elm, **wanted, unlisted=True)
    assert (added["status"], added["listing"]) == (201, "not checked yet")


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"link": "https://example.edu/x"}, {"link"}),
        ({"link": LINK.format("10002"), "section": "10002"}, {"section"}),
        ({"link": LINK.format("10002"), "source": "scraper"}, {"source"}),
        ({}, {"term", "section"}),
    ],
)
def test_a_body_that_names_no_section_is_refused_by_field(
    elm: Site, given: dict[str, str], fields: set[str]
) -> None:
    answer = elm.client.post("/watches", headers=API, json={"email": "ada@example.edu"} | given)
    assert (answer.status_code, set(fields_of(answer))) == (422, fields)
    assert "matches" not in answer.json()
