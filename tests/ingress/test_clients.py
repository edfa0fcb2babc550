from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from ingress.clients import Forwarded, network_of
from tests.ingress.console.visitor import sign_in, stranger
from tests.ingress.site import API, PROXY_SECRET, Site

PROXY = {"X-Rollcall-Proxy": PROXY_SECRET}
GUESS = "a wrong guess"


def seen(headers: dict[str, str], secret: str | None = PROXY_SECRET) -> tuple[str | None, str]:
    """The client and the scheme that the application is given of a request from 127.0.0.1."""
    found: list[Request] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(Request(scope))
        await PlainTextResponse("")(scope, receive, send)

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request", "body": b""}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw}
    scope |= {"client": ("127.0.0.1", 5), "scheme": "http", "server": ("127.0.0.1", 8000)}
    asyncio.run(Forwarded(app, secret)(scope, nothing, nothing))
    (request,) = found
    return (None if request.client is None else request.client.host), request.url.scheme


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_proxy_is_believed_about_the_last_address(forwarded: str, client: str | None) -> None:
    headers = PROXY | {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    assert seen(headers) == (client, "https")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"},
        {"X-Forwarded-For": "127.0.0.1", "X-Rollcall-Proxy": "a guess"},
        {"X-Forwarded-For": "127.0.0.1", "X-Rollcall-Proxy": ""},
        {"X-Forwarded-For": "127.0.0.1", "X-Rollcall-Proxy": "\u00e9"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 elsewhere"},
    ],
)
def test_another_process_of_this_machine_is_not_believed_and_is_no_local_client(
    headers: dict[str, str],
) -> None:
    assert seen(headers) == (None, "http")
    assert seen(headers, secret=None) == (None, "http")


def test_anyone_who_comes_directly_is_who_they_are() -> None:
    assert seen({}) == ("127.0.0.1", "http")
    assert seen({"X-Rollcall-Proxy": ""}, secret=None) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_a_limit_counts_the_network_of_one_customer(client: str, network: str) -> None:
    assert network_of(client) == network


def test_one_ipv6_customer_has_the_attempts_of_one_client_however_many_addresses_they_use(site: Site) -> None:
    with stranger(site) as client:

        def guess(address: str) -> int:
            client.headers.update(PROXY | {"X-Forwarded-For": address})
            return sign_in(client, GUESS).status_code

        assert [guess(f"2001:db8::{number}") for number in range(1, 5)] == [403, 403, 403, 429]
        assert guess("2001:db8:0:1::1") == 403


def test_a_local_process_cannot_choose_the_address_under_which_it_guesses(site: Site) -> None:
    with stranger(site) as client:

        def guess(address: str) -> int:
            client.headers["X-Forwarded-For"] = address
            return sign_in(client, GUESS).status_code

        assert [guess(f"192.0.2.{number}") for number in range(1, 5)] == [403, 403, 403, 429]


def test_metrics_are_not_for_a_request_that_someone_forwarded_as_local(site: Site) -> None:
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, PROXY | {"X-Forwarded-For": "192.0.2.7"}):
        assert site.client.get("/metrics", headers=headers).status_code == 401
        assert site.client.get("/metrics", headers=headers | API).status_code == 200
