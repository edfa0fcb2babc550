from __future__ import annotations

import json
from collections.abc import Iterator

import httpx

from ingress.console.live_updates import _event
from ingress.console.session import LIFETIME
from tests.ingress.console.visitor import stranger
from tests.ingress.site import Site

STREAM = {"Accept": "text/event-stream"}


def _fragments(lines: Iterator[str]) -> dict[str, str]:
    found = next(line for line in lines if line.startswith("data: "))
    return dict(json.loads(found.removeprefix("data: ")))


def test_a_page_hears_of_what_changes_on_it(site: Site, guest: httpx.Client) -> None:
    with guest.stream("GET", "/console/events?show=breakers,mail", headers=STREAM) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        lines = stream.iter_lines()
        assert _fragments(lines).keys() == {"breakers", "mail"}
        site.rollcall.services.breakers["mail"].force_open("a test")
        changed = _fragments(lines)
    assert changed.keys() == {"breakers"}
    assert "held by a test" in changed["breakers"]


def test_a_page_hears_that_the_server_is_there_when_nothing_changes() -> None:
    assert _event({}) == "data: {}\n\n"


def test_no_one_hears_anything_without_a_session(site: Site) -> None:
    with stranger(site) as client:
        assert client.get("/console/events?show=mail", headers=STREAM).status_code == 401


def test_the_stream_ends_with_the_session(site: Site, guest: httpx.Client) -> None:
    with guest.stream("GET", "/console/events?show=breakers", headers=STREAM) as stream:
        lines = stream.iter_lines()
        _fragments(lines)
        site.rollcall.clock.advance(LIFETIME.total_seconds())
        site.rollcall.services.breakers["mail"].force_open("a test")
        assert not any(line.startswith("data: ") for line in lines)
    assert guest.get("/console/events?show=mail", headers=STREAM).status_code == 401
