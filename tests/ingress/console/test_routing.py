from __future__ import annotations

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from ingress.console.routing import console
from ingress.console.session import HOME, safe_redirect_path
from tests.ingress.console.visitor import BROWSER, stranger, visitor
from tests.ingress.site import API, Site

OPEN = {
    "/console",
    "/console/sign-in",
    "/console/sign-out",
    "/console/static/{name}",
    "/console/sign-in/link",
}


def _paths(routes: list[BaseRoute], above: str = "") -> set[str]:
    found = set()
    for route in routes:
        if isinstance(route, Mount):
            found |= _paths(route.routes, above + route.path)
        elif isinstance(route, Route):
            found.add(above + route.path)
    return found


def test_everything_but_the_entrance_is_behind_the_door(site: Site) -> None:
    guarded = _paths(console()) - OPEN
    assert len(guarded) > 10
    with stranger(site) as client:
        for path in guarded:
            at = path.replace("{id}", "1")
            led = client.get(at)
            assert led.status_code == 303, path
            assert led.headers["location"].startswith("/console/sign-in"), path
            assert client.post(at).headers.get("location") == "/console/sign-in", path


def test_a_bearer_token_is_no_session(site: Site) -> None:
    with stranger(site) as client:
        assert client.get("/console/", headers=API).status_code == 303


def test_a_script_of_a_stranger_is_refused_instead_of_led(site: Site) -> None:
    with stranger(site) as client:
        for accept in ("text/event-stream", "application/json"):
            refused = client.get("/console/events?show=verdict", headers={"Accept": accept})
            assert refused.status_code == 401
            assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{url}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_what_another_site_sends_is_refused_although_the_session_is_good(
    site: Site, guest: httpx.Client, sent: dict[str, str]
) -> None:
    headers = {name: value.format(url=site.url) for name, value in sent.items()}
    cookie = f"rollcall_session={guest.cookies['rollcall_session']}"
    for path, body in (
        ("/console/do/run-trigger", {"confirm": "yes"}),
        ("/console/sign-out", {}),
        ("/console/theme", {}),
    ):
        refused = httpx.post(f"{site.url}{path}", data=body, headers=headers | {"Cookie": cookie})
        assert refused.status_code == 403, path
    assert site.count("runs") == 0


def test_a_browser_without_fetch_metadata_is_known_by_its_origin(site: Site) -> None:
    with visitor(site) as client:
        del client.headers["Sec-Fetch-Site"]
        done = client.post("/console/do/run-trigger", data={"confirm": "yes"}, headers={"Origin": site.url})
    assert done.status_code == 303
    assert site.count("runs") == 1


def test_reading_needs_no_origin(site: Site, guest: httpx.Client) -> None:
    headers = {"Cookie": f"rollcall_session={guest.cookies['rollcall_session']}", "Accept": BROWSER["Accept"]}
    from_a_mail = headers | {"Sec-Fetch-Site": "cross-site"}
    assert httpx.get(f"{site.url}/console/runs", headers=from_a_mail).status_code == 200


@pytest.mark.parametrize(
    "path", ["/console/", "/console/runs", "/console/runs?cursor=abc", "/console/a/b-c_d"]
)
def test_own_addresses_are_known(path: str) -> None:
    assert safe_redirect_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/watches",
        "/console//evil.example",
        "/console/../watches",
        "/console/%2e%2e/watches",
        "/console/%2E./watches",
    ],
)
def test_other_addresses_lead_to_the_first_page(path: str) -> None:
    assert safe_redirect_path(path) == HOME
