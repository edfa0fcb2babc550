from __future__ import annotations

from urllib.parse import urlencode

import httpx
import pytest

from tests.ingress.console.visitor import words
from tests.ingress.site import Site
from tests.support.catalog import Row


@pytest.fixture
def notified(site: Site) -> Site:
    """Ada has been notified of an opening."""
    site.rollcall.watch()
    for open_seats in (0, 2):
        site.rollcall.catalog.rows[site.rollcall.key()] = Row(open_seats)
        site.rollcall.run()
        site.rollcall.clock.advance(60)
    return site


@pytest.mark.usefixtures("notified")
@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("watch/1", "Watch 1: ada@example.edu, scraper/2261/12430"),
        ("section/scraper/2261/12430", "Section scraper/2261/12430"),
        ("address?email=ada@example.edu", "Mail to ada@example.edu"),
        ("notification/1", "Notification 1: seat_available of scraper/2261/12430"),
    ],
)
def test_each_timeline_has_what_was_sent(guest: httpx.Client, path: str, title: str) -> None:
    text = words(guest.get(f"/console/timeline/{path}"))
    assert title in text
    assert "sent seat_available to ada@example.edu" in text


@pytest.mark.parametrize("path", ["watch/7", "watch/x", "section/scraper/2261/7", "notification/7"])
def test_what_does_not_exist_is_not_found(guest: httpx.Client, path: str) -> None:
    assert guest.get(f"/console/timeline/{path}").status_code == 404


@pytest.mark.parametrize(
    ("of", "q", "path"),
    [
        ("address", " ada@example.edu", "/console/timeline/address?email=ada@example.edu"),
        ("section", "scraper/2261/12430", "/console/timeline/section/scraper/2261/12430"),
        ("section", "elm/2026%2FFA/CIS 1-02", "/console/timeline/section/elm/2026%2FFA/CIS%201-02"),
        ("watch", "7", "/console/timeline/watch/7"),
        ("notification", "7?x=1", "/console/timeline/notification/7%3Fx%3D1"),
        ("watch", "//evil.example", "/console/timeline/watch/%2F%2Fevil.example"),
    ],
)
def test_one_is_searched_by_what_it_is(guest: httpx.Client, of: str, q: str, path: str) -> None:
    answer = guest.get("/console/timeline", params={"of": of, "q": q})
    assert (answer.status_code, answer.headers["location"]) == (303, path)


@pytest.mark.usefixtures("notified")
@pytest.mark.parametrize("q", [" 12430 ", "2261/12430", "a/b/c/d", "scraper/2261/", "//evil.example"])
def test_what_names_no_section_is_searched_for_among_them(guest: httpx.Client, q: str) -> None:
    answer = guest.get("/console/timeline", params={"of": "section", "q": q})
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/console/sections?{urlencode({'q': q.strip()})}",
    )
    found = words(guest.get(answer.headers["location"]))
    assert "Enter a section as source/term/number, such as scraper/2261/12431." in found
    assert ("scraper/2261/12430" in found) is (q.strip() in {"12430", "2261/12430"})


def test_without_a_question_there_is_a_form(guest: httpx.Client) -> None:
    assert "Which" in words(guest.get("/console/timeline"))


def test_an_address_that_is_none_is_named(guest: httpx.Client) -> None:
    assert guest.get("/console/timeline/address?email=nobody").status_code == 422
