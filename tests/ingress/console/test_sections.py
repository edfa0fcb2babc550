from __future__ import annotations

import re

import httpx
import pytest

from tests.ingress.console.visitor import words
from tests.ingress.site import Site
from tests.support.catalog import Row
from tests.support.harness import Harness


def see(rollcall: Harness, *counts: int) -> None:
    """The section is seen with each of `counts` in turn, a minute apart."""
    for open_seats in counts:
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(60)


def test_sections_are_listed_with_their_seats_and_watches(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.watch(email="bob@example.edu")
    see(site.rollcall, 0, 2)
    text = words(guest.get("/console/sections"))
    assert "scraper/2261/12430 CSE 100 Advanced Data Structures 2 open 30 unassigned 2 1" in text


def test_the_link_to_a_section_leads_to_it_whatever_its_term_holds(site: Site, guest: httpx.Client) -> None:
    assert site.add(term="2026/FA", section="CIS 1200/1").status_code == 201
    link = re.findall(r'href="(/console/sections/[^"]+)"', guest.get("/console/sections").text)
    assert link == ["/console/sections/scraper/2026%2FFA/CIS%201200%2F1"]
    page = guest.get(link[0])
    assert "scraper/2026/FA/CIS 1200/1" in words(page)
    (timeline,) = re.findall(r'href="(/console/timeline/section/[^"]+)"', page.text)
    assert "Section scraper/2026/FA/CIS 1200/1" in words(guest.get(timeline))
    found = guest.get("/console/timeline", params={"of": "section", "q": "scraper/2026%2FFA/CIS 1200%2F1"})
    assert found.headers["location"] == timeline


def test_a_search_and_a_state_leave_out_the_rest(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.watch("12431")
    see(site.rollcall, 2)
    assert "12431" not in words(guest.get("/console/sections?q=12430&state="))
    assert "12431" not in words(guest.get("/console/sections?q=&state=open"))
    assert "No section matches" in words(guest.get("/console/sections?q=%25"))


def test_more_sections_are_a_page_away(site: Site, guest: httpx.Client) -> None:
    for number in range(60):
        site.rollcall.watch(str(10_000 + number))
    first = guest.get("/console/sections?q=10")
    assert "scraper/2261/10049" in first.text
    assert "scraper/2261/10050" not in first.text
    following = first.text.split('href="/console/sections?')[1].split('"')[0].replace("&amp;", "&")
    assert "scraper/2261/10059" in guest.get(f"/console/sections?{following}").text


def test_a_section_shows_its_seats_over_time_as_a_line_and_as_a_table(
    site: Site, guest: httpx.Client
) -> None:
    site.rollcall.watch()
    see(site.rollcall, 0, 2, 1)
    answer = guest.get("/console/sections/scraper/2261/12430")
    assert 'class="line" d="M0.0 110.0H' in answer.text
    assert "ada@example.edu seat available, instructor assigned, section retired" in words(answer)
    assert "up to 2, since 15 Jan 09:00:00" in words(answer)
    assert answer.text.count('<th scope="row">') == 3


def test_a_section_that_was_never_seen_has_no_line(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    assert "Its seats have not been observed yet" in words(guest.get("/console/sections/scraper/2261/12430"))


@pytest.mark.parametrize("path", ["scraper/2261/99", "scraper/2261/%27", "nowhere/2261/12430"])
def test_an_unknown_section_is_not_found(guest: httpx.Client, path: str) -> None:
    assert guest.get(f"/console/sections/{path}").status_code == 404


def test_a_bad_filter_is_named(guest: httpx.Client) -> None:
    answer = guest.get("/console/sections?state=half-open")
    assert answer.status_code == 422
    assert "state" in words(answer)
