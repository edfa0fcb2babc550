from __future__ import annotations

import httpx

from operations import pauses
from tests.ingress.console.visitor import words
from tests.ingress.site import Site
from tests.operations.journal import do


def test_what_was_done_is_listed_with_by_whom_and_why(site: Site, guest: httpx.Client) -> None:
    do(site.rollcall, pauses.PAUSE, name="mail", reason="<a flood>")
    text = words(guest.get("/console/audit"))
    assert "ada source.pause mail 1 seconds 3600.0, reason <a flood>" in text


def test_filters_leave_out_the_rest(site: Site, guest: httpx.Client) -> None:
    for name, by in (("mail", "ada"), ("scraper", "bob")):
        do(site.rollcall, pauses.PAUSE, by, name=name, reason=f"{by} knows")
    assert "ada knows" not in words(guest.get("/console/audit?by=bob&action=&subject="))
    assert "bob knows" not in words(guest.get("/console/audit?subject=mail"))
    assert "No audit entry matches." in words(guest.get("/console/audit?action=watch.end"))


def test_older_records_are_a_page_away(site: Site, guest: httpx.Client) -> None:
    for number in range(101):
        do(site.rollcall, pauses.PAUSE, name="mail", reason=f"reason {number}.")
    first = guest.get("/console/audit?by=ada")
    assert "reason 0." not in first.text
    following = first.text.split('href="/console/audit?')[1].split('"')[0].replace("&amp;", "&")
    assert "reason 0." in guest.get(f"/console/audit?{following}").text
