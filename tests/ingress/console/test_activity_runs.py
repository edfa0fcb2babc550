from __future__ import annotations

import httpx

from tests.ingress.console.visitor import words
from tests.ingress.site import Site


def test_without_runs_it_says_so(guest: httpx.Client) -> None:
    assert "There are no runs yet" in words(guest.get("/console/runs"))


def test_the_runs_are_listed_the_newest_first_and_each_has_its_page(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch("12430")
    first, second = site.rollcall.run(), site.rollcall.run()
    listed = guest.get("/console/runs").text
    assert 0 < listed.index(second.id) < listed.index(first.id)
    page = words(guest.get(f"/console/runs/{first.id}"))
    assert first.id in page
    assert "1 checked" in page


def test_older_runs_are_a_page_further(site: Site, guest: httpx.Client) -> None:
    runs = [site.rollcall.run() for _ in range(52)]
    newest = guest.get("/console/runs")
    assert runs[0].id not in newest.text
    older = newest.text.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    last = guest.get(older)
    assert runs[0].id in last.text
    assert "Older" not in words(last)


def test_a_run_that_is_not_there_is_said_to_a_person(guest: httpx.Client) -> None:
    missing = guest.get(f"/console/runs/{'0' * 32}")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")
    assert "There is no such run." in words(missing)
