from __future__ import annotations

import logging

import httpx
import pytest
import redis

from ingress.console.session import LIFETIME
from observability.logs import JsonLines
from resilience.login_protection import LoginLimiter
from tests.ingress.console.visitor import BROWSER, sign_in, stranger, visitor, words
from tests.ingress.site import API_TOKEN, PROXY_SECRET, Site, Stage
from tests.ingress.site import site as serving
from tests.support.harness import Harness
from tests.support.stack import free_port


def test_a_stranger_is_led_to_the_sign_in_and_from_there_to_where_they_wanted(site: Site) -> None:
    with stranger(site) as client:
        led = client.get("/console/runs?cursor=")
        assert (led.status_code, led.headers["location"]) == (
            303,
            "/console/sign-in?next=/console/runs%3Fcursor%3D",
        )
        asked = client.get(led.headers["location"])
        assert 'name="next" value="/console/runs?cursor="' in asked.text
        entered = sign_in(client, next="/console/runs?cursor=")
        assert (entered.status_code, entered.headers["location"]) == (303, "/console/runs?cursor=")
        assert client.get("/console/runs?cursor=").status_code == 200


def test_a_wrong_token_opens_nothing_and_says_so(site: Site) -> None:
    with stranger(site) as client:
        refused = sign_in(client, "not the token at all")
        assert refused.status_code == 403
        assert "The token is not valid." in words(refused)
        assert "set-cookie" not in refused.headers
        assert client.get("/console/").status_code == 303


def test_who_was_refused_is_logged_by_address_and_without_what_they_tried(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with stranger(site) as client:
        for _ in range(4):
            sign_in(client, "a wrong guess")
        client.post("/console/sign-in", data={"token": API_TOKEN})
    records = [record for record in caplog.records if record.name == "ingress.console.sign_in"]
    assert [(record.levelno, record.getMessage()) for record in records] == [
        (logging.WARNING, "sign-in refused")
    ] * 5
    assert [(record.__dict__["client"], record.__dict__["status"]) for record in records] == [
        ("127.0.0.1", status) for status in (403, 403, 403, 429, 429)
    ]
    written = "".join(JsonLines().format(record) for record in records)
    assert "guess" not in written
    assert API_TOKEN not in written


def test_anyone_who_gets_in_leaves_no_warning(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with stranger(site) as client:
        sign_in(client)
    assert not [record for record in caplog.records if record.name == "ingress.console.sign_in"]


def test_a_client_may_not_guess_for_ever_and_the_right_token_does_not_help_it_then(site: Site) -> None:
    with stranger(site) as client:
        assert [sign_in(client, "a wrong guess").status_code for _ in range(4)] == [403, 403, 403, 429]
        refused = sign_in(client)
        assert refused.status_code == 429
        assert "Too many attempts" in words(refused)


def test_anyone_who_gets_in_has_all_attempts_again(site: Site) -> None:
    with stranger(site) as client:
        guesses = ["a wrong guess", "a wrong guess", API_TOKEN, "a wrong guess"]
        assert [sign_in(client, guess).status_code for guess in guesses] == [403, 403, 303, 403]


def test_the_cookie_is_for_the_console_alone_and_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    with stranger(site) as client:
        cookie = sign_in(client).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/console", "max-age=43200"} <= {
        part.strip() for part in cookie.split(";")
    }


@pytest.mark.parametrize(
    ("host", "scheme", "is_secure"),
    [
        ("rollcall.example.edu", "https", True),
        ("rollcall.example.edu", "http", True),
        ("127.0.0.1:8000", "http", False),
        ("localhost:8000", "http", False),
        ("127.0.0.1:8000", "https", True),
    ],
)
def test_the_cookie_is_for_https_except_at_the_end_of_a_tunnel(
    site: Site, host: str, scheme: str, *, is_secure: bool
) -> None:
    headers = {"Host": host, "X-Forwarded-Proto": scheme, "X-Rollcall-Proxy": PROXY_SECRET}
    with stranger(site) as client:
        entered = client.post("/console/sign-in", data={"token": API_TOKEN}, headers=headers)
    assert ("secure" in entered.headers["set-cookie"].lower()) is is_secure


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/console//evil.example",
        "/watches",
        "/console/../watches",
        "\\",
    ],
)
def test_no_one_is_sent_elsewhere_after_signing_in(site: Site, elsewhere: str) -> None:
    with stranger(site) as client:
        assert sign_in(client, next=elsewhere).headers["location"] == "/console/"


def test_a_session_ends_after_half_a_day(site: Site, guest: httpx.Client) -> None:
    site.rollcall.clock.advance(LIFETIME.total_seconds() - 1)
    assert guest.get("/console/runs").status_code == 200
    site.rollcall.clock.advance(1)
    assert guest.get("/console/runs").status_code == 303


def test_a_new_token_ends_every_session(stage: Stage, rollcall: Harness) -> None:
    with serving(stage, rollcall) as before, visitor(before) as client:
        assert client.get("/console/runs").status_code == 200
        with serving(stage, rollcall, api_token="another token of the tests"):
            assert client.get("/console/runs").status_code == 303


def test_signing_out_ends_the_session_in_the_browser(guest: httpx.Client) -> None:
    assert guest.post("/console/sign-out").headers["location"] == "/console/sign-in"
    assert guest.get("/console/runs").status_code == 303


def test_signing_out_ends_the_session_wherever_its_cookie_is_kept(site: Site, guest: httpx.Client) -> None:
    cookie = {"Cookie": f"rollcall_session={guest.cookies['rollcall_session']}"}
    with stranger(site) as thief, visitor(site) as another:
        assert thief.get("/console/runs", headers=cookie).status_code == 200
        guest.post("/console/sign-out")
        assert thief.get("/console/runs", headers=cookie).status_code == 303
        listening = thief.get("/console/events?show=now", headers=cookie | {"Accept": "text/event-stream"})
        assert listening.status_code == 401
        assert thief.post("/console/sources/pause", headers=cookie).status_code == 303
        assert another.get("/console/runs").status_code == 200


def test_signing_out_is_recorded_once_and_a_stranger_may_do_it_too(site: Site, guest: httpx.Client) -> None:
    cookie = {"Cookie": f"rollcall_session={guest.cookies['rollcall_session']}"}
    with stranger(site) as client:
        for headers in (cookie, cookie, {}):
            assert client.post("/console/sign-out", headers=headers).status_code == 303
    records, _ = site.rollcall.services.store.audit.page(None, 10)
    assert [record.entry.action for record in records] == ["session.end", "session.begin"]
    assert len({record.entry.subject for record in records}) == 1


def test_sessions_that_were_signed_out_are_purged_once_they_have_expired(
    site: Site, guest: httpx.Client
) -> None:
    guest.post("/console/sign-out")
    assert site.count("ended_sessions") == 1
    site.rollcall.clock.advance(LIFETIME.total_seconds())
    with visitor(site) as client:
        client.post("/console/sign-out")
    assert site.count("ended_sessions") == 1


def test_a_session_that_was_tampered_with_is_none(site: Site, guest: httpx.Client) -> None:
    name, _, mac = guest.cookies["rollcall_session"].partition(".")
    for forged in (f"{name}.", f"{name[:-2]}AA.{mac}", mac, "", ".", "a.b.c"):
        headers = BROWSER | {"Cookie": f"rollcall_session={forged}"}
        assert httpx.get(f"{site.url}/console/runs", headers=headers).status_code == 303


def test_signing_in_is_recorded_with_where_it_came_from(site: Site, guest: httpx.Client) -> None:
    (record,), _ = site.rollcall.services.store.audit.page(None, 10)
    assert record.entry.action == "session.begin"
    assert record.entry.by.startswith("console ")
    assert record.entry.detail == {"client": "127.0.0.1"}
    assert record.entry.by in words(guest.get("/console/runs"))


def test_without_redis_the_right_token_lets_in_and_guesses_are_still_counted(
    stage: Stage, rollcall: Harness
) -> None:
    unreachable = redis.Redis(port=free_port(), socket_connect_timeout=0.2)
    sign_ins = LoginLimiter(unreachable, "sign-in", each=3, overall=5, window_seconds=60)
    with serving(stage, rollcall, sign_ins=sign_ins) as site, stranger(site) as client:
        assert sign_in(client).status_code == 303
        assert client.get("/console/runs").status_code == 200
        assert [sign_in(client, "a wrong guess").status_code for _ in range(4)] == [403, 403, 403, 429]
