from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from domain.alert import AlertMessage
from domain.check import UNREADABLE
from ingress.pages.runbook import sections
from observability.checks import CHECKS, runbook_link
from tests.ingress.site import Site

CONDITIONS = [UNREADABLE, *(check.name for check in CHECKS)]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_a_page_that_shows_it_and_a_section_that_helps(
    guest: httpx.Client, condition: str
) -> None:
    post = runbook_link("https://rollcall.example.edu", f"{condition}/thing")
    shown, runbook = urlsplit(post.console), urlsplit(post.runbook)
    page = guest.get(f"{shown.path}?{shown.query}" if shown.query else shown.path)
    assert page.status_code == 200
    assert not shown.fragment or f'id="{shown.fragment}"' in page.text
    body = sections()[runbook.path.removeprefix("/runbook/")].body
    assert f"<code>{condition}/" in body


def test_an_alert_on_the_first_page_leads_to_what_to_do(site: Site, guest: httpx.Client) -> None:
    full = AlertMessage("The disk is nearly full", "1 MiB is free.", "df -h")
    site.rollcall.services.store.alerts.observe({"disk/home": full}, site.rollcall.clock.now())
    assert '<a href="/runbook/disk-nearly-full"' in guest.get("/console/").text
