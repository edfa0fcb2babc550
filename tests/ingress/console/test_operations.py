"""Every action is confirmed, executed, reported and recorded in the same way."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from operations.context import Surface
from operations.registry import OPERATIONS
from tests.ingress.console.visitor import said, words
from tests.ingress.site import Site


def ask(guest: httpx.Client, action: str, **fields: str) -> httpx.Response:
    return guest.post(f"/console/do/{action}", data={"back": "/console/"} | fields)


def confirm(guest: httpx.Client, asked: httpx.Response, **answers: str) -> httpx.Response:
    """Send the form of the question, as its button does."""
    question = asked.text.partition("<main")[2].partition("</main")[0]
    names = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', question)
    fields = {name: unescape(value) for name, value in names} | answers
    return guest.post(asked.url.path, data=fields)


def test_nothing_happens_before_it_is_confirmed(site: Site, guest: httpx.Client) -> None:
    asked = ask(guest, "run-trigger", back="/console/runs")
    assert asked.status_code == 200
    assert "Check sections now?" in words(asked)
    assert site.count("runs") == 0

    done = confirm(guest, asked, stagger="all")
    assert (done.status_code, done.headers["location"]) == (303, "/console/runs")
    assert site.count("runs") == 1


def test_what_was_done_is_said_once_and_recorded_with_who_did_it(site: Site, guest: httpx.Client) -> None:
    confirm(guest, ask(guest, "run-trigger"), stagger="odd")
    assert re.fullmatch(r"Queued run [0-9a-f]{32} \(odd\)\.", said(guest))
    assert said(guest) == ""

    records, _ = site.rollcall.services.store.audit.page(None, 10)
    begun, ran = reversed(records)
    assert ran.entry.action == "run.trigger"
    assert ran.entry.by == begun.entry.by


def test_the_question_says_how_much_is_touched(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch("12430")
    site.rollcall.watch("12431", "bob@example.edu")
    assert "2 sections are watched" in words(ask(guest, "run-trigger"))
    name = site.rollcall.catalog.name
    assert "2 people watch its sections" in words(ask(guest, "source-pause", name=name))


def test_a_source_is_paused_and_resumed(site: Site, guest: httpx.Client) -> None:
    name, pauses = site.rollcall.catalog.name, site.rollcall.services.store.pauses
    confirm(guest, ask(guest, "source-pause", name=name), length="4h", reason="maintenance <there>")
    kept = pauses.find(name)
    assert kept is not None
    assert (kept.until - site.rollcall.clock.now()).total_seconds() == 4 * 3600
    assert kept.reason == "maintenance <there>"

    asked = ask(guest, "source-resume", name=name)
    assert "maintenance <there>" in words(asked)
    confirm(guest, asked)
    assert pauses.find(name) is None


def test_all_mail_is_paused_with_the_number_of_messages_that_wait(site: Site, guest: httpx.Client) -> None:
    asked = ask(guest, "source-pause", name="mail")
    assert "0 notifications are waiting now" in words(asked)
    confirm(guest, asked, length="15m", reason="a bounce storm")
    assert said(guest).startswith("Paused all mail until ")


def test_where_there_is_nothing_to_do_there_is_nothing_to_press(guest: httpx.Client) -> None:
    for action, fields in (("source-resume", {"name": "mail"}), ("lease-release", {})):
        asked = ask(guest, action, **fields)
        assert "There is nothing to do." in words(asked)
        assert 'name="confirm"' not in asked.text


@pytest.mark.parametrize(
    ("action", "state", "outcome"),
    [("breaker-open", "open", "forced open"), ("breaker-close", "closed", "forced closed")],
)
def test_a_breaker_is_held_and_reset(
    site: Site, guest: httpx.Client, action: str, state: str, outcome: str
) -> None:
    breaker = site.rollcall.services.breakers["mail"]
    confirm(guest, ask(guest, action, name="mail"))
    assert said(guest) == f"The breaker mail is {outcome}."
    snapshot = breaker.snapshot()
    assert (snapshot.state, snapshot.forced) == (state, state)
    assert snapshot.forced_by is not None

    asked = ask(guest, "breaker-reset", name="mail")
    assert f"forced by {snapshot.forced_by}" in words(asked)
    confirm(guest, asked)
    assert breaker.snapshot().forced is None


def test_the_lease_is_taken_from_its_holder(site: Site, guest: httpx.Client) -> None:
    lease = site.rollcall.services.cron_lease
    lease.acquire("a token", {"host": "a-machine", "run": "abc"})
    asked = ask(guest, "lease-release")
    assert "host a-machine, run abc has held it" in words(asked)
    assert "cannot be undone" in words(asked)
    confirm(guest, asked)
    assert lease.held() is None


@pytest.mark.parametrize(
    ("action", "fields", "problem"),
    [
        ("run-trigger", {"stagger": "half"}, "stagger"),
        ("run-trigger", {"half": "even"}, "half"),
        ("source-pause", {}, "name"),
        ("source-pause", {"name": "mail", "length": "2y"}, "length"),
        ("source-pause", {"name": "mail", "reason": ""}, "reason"),
        ("source-pause", {"name": "nowhere"}, "name"),
        ("source-resume", {"name": "nowhere"}, "name"),
        ("breaker-open", {"name": "nowhere"}, "name"),
    ],
)
@pytest.mark.parametrize("confirmed", [{}, {"confirm": "yes"}])
def test_a_bad_field_is_named_and_nothing_is_done(
    site: Site,
    guest: httpx.Client,
    action: str,
    fields: dict[str, str],
    problem: str,
    confirmed: dict[str, str],
) -> None:
    recorded = site.count("audit")
    refused = ask(guest, action, **fields, **confirmed)
    assert refused.status_code == 422
    assert f"<code>{problem}</code>" in refused.text
    assert (site.count("audit"), site.count("runs"), site.count("pauses")) == (recorded, 0, 0)


def test_no_one_is_led_elsewhere_by_an_action(guest: httpx.Client) -> None:
    done = confirm(guest, ask(guest, "run-trigger", back="https://evil.example/"))
    assert done.headers["location"] == "/console/"


def test_every_operation_has_a_path_of_its_own_that_accepts_only_post(guest: httpx.Client) -> None:
    paths = [each.console_path for each in OPERATIONS if Surface.CONSOLE in each.surfaces]
    assert len(paths) == len(set(paths))
    for path in paths:
        assert guest.get(f"/console/do/{path}").status_code == 405
