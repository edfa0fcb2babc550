from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import redis

from ingress.console.session import sign
from ingress.console.sign_in import LIFETIME, create_sign_in_link
from resilience.login_protection import OneTimeTokens
from tests.ingress.console.visitor import stranger, words
from tests.ingress.site import API_TOKEN, Site, Stage
from tests.ingress.site import site as serving
from tests.support.harness import Harness


def link(site: Site) -> str:
    return create_sign_in_link(site.rollcall.invitations, API_TOKEN, site.rollcall.clock.now())


def token_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["token"][0]


def click(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/console/sign-in/link", data={"token": token})


def test_a_link_signs_in_anyone_who_clicks_on_its_button(site: Site) -> None:
    path = link(site)
    with stranger(site) as client:
        offered = client.get(path)
        assert f'name="token" value="{token_of(path)}"' in offered.text
        entered = click(client, token_of(path))
        assert (entered.status_code, entered.headers["location"]) == (303, "/console/")
        assert client.get("/console/").status_code == 200


def test_whatever_opens_a_link_uses_up_nothing_and_is_not_let_in(site: Site) -> None:
    path = link(site)
    with stranger(site) as preview:
        for ask in (preview.get, preview.head, preview.get):
            assert "set-cookie" not in ask(path).headers
        assert preview.get("/console/").status_code == 303
    with stranger(site) as client:
        assert click(client, token_of(path)).status_code == 303


def test_a_link_counts_once(site: Site) -> None:
    token = token_of(link(site))
    with stranger(site) as first, stranger(site) as second:
        assert click(first, token).status_code == 303
        refused = click(second, token)
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    assert "rollcall console prints another" in words(refused)


def test_a_link_ends_after_ten_minutes(site: Site) -> None:
    early, late = token_of(link(site)), token_of(link(site))
    with stranger(site) as client:
        site.rollcall.clock.advance(LIFETIME.total_seconds() - 1)
        assert click(client, early).status_code == 303
        site.rollcall.clock.advance(1)
        assert click(client, late).status_code == 403


def test_a_link_that_is_not_ours_is_refused(site: Site) -> None:
    site.rollcall.invitations.issue("known", LIFETIME)
    ends = int(site.rollcall.clock.now().timestamp()) + 60
    good = token_of(link(site))
    forged = (
        sign("another token", "invitation", ["known", ends]),
        sign(API_TOKEN, "session", ["known", ends]),  # the cookie of somebody who was signed in
        f"{good[:-2]}AA",
    )
    with stranger(site) as client:
        assert [click(client, each).status_code for each in forged] == [403] * 3


def test_attempts_are_bounded_as_those_with_a_token_are(site: Site) -> None:
    with stranger(site) as client:
        assert [click(client, "guess").status_code for _ in range(4)] == [403, 403, 403, 429]
        assert click(client, token_of(link(site))).status_code == 429


def test_a_click_from_another_site_is_refused(site: Site) -> None:
    token = token_of(link(site))
    with stranger(site) as client:
        client.headers["Sec-Fetch-Site"] = "cross-site"
        assert click(client, token).status_code == 403
        client.headers["Sec-Fetch-Site"] = "same-origin"
        assert click(client, token).status_code == 303


def test_where_it_cannot_be_known_whether_a_link_counts_no_one_gets_in(
    stage: Stage, rollcall: Harness, unreachable: redis.Redis
) -> None:
    with (
        serving(stage, rollcall, invitations=OneTimeTokens(unreachable, "door")) as site,
        stranger(site) as client,
    ):
        refused = click(client, token_of(link(site)))
    assert (refused.status_code, "set-cookie" in refused.headers) == (503, False)


def test_the_session_that_a_link_began_is_recorded(site: Site) -> None:
    with stranger(site) as client:
        click(client, token_of(link(site)))
    (record,), _ = site.rollcall.services.store.audit.page(None, 10)
    assert (record.entry.action, record.entry.detail) == ("session.begin", {"client": "127.0.0.1"})
