from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import MalformedResponseError, UnreachableError
from providers.http import HttpClient, HttpResponse, ca_bundle
from providers.http_pool import USER_AGENT
from tests.standins.server import Answer, StandIn
from tests.support.raw_server import RawServer


class Echo(StandIn):
    """Answers with `next` and keeps every request."""

    def __init__(self) -> None:
        super().__init__()
        self.next = Answer(201, b"{}")
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.requests.append((method, headers, body))
        return self.next


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


def test_a_post_sends_json_and_returns_the_whole_answer(echo: Echo) -> None:
    echo.next = Answer(201, b"{}", headers={"ETag": '"1"', "Last-Modified": "Thu, 15 Jan 2026 09:00:00 GMT"})
    body = json.dumps({"prompt": "an owl"}).encode()
    response = HttpClient("Owls", 5).post(echo.url, body, {"x-key": "secret"})
    assert (response.status, response.body, response.header("etag")) == (201, b"{}", '"1"')
    ((method, headers, sent),) = echo.requests
    assert (method, sent) == ("POST", body)
    assert (headers["content-type"], headers["x-key"]) == ("application/json", "secret")
    assert headers["user-agent"] == USER_AGENT


def test_a_get_sends_no_body_and_the_headers_of_the_caller(echo: Echo) -> None:
    echo.next = Answer(304, b"")
    headers = {"User-Agent": "a robot", "If-None-Match": '"1"'}
    assert HttpClient("Owls", 5).get(echo.url, headers).status == 304
    ((method, sent, body),) = echo.requests
    assert (method, body) == ("GET", b"")
    assert (sent["user-agent"], sent["if-none-match"]) == ("a robot", '"1"')


def test_one_client_sends_requests_of_every_shape_in_turn(echo: Echo) -> None:
    client = HttpClient("Owls", 5, is_repeatable=True)
    client.post(echo.url, b"{}", {"x-key": "1"})
    client.get(echo.url)
    client.post(echo.url, b"[]")
    client.post(echo.url, b"")
    shapes = [(method, body, headers.get("x-key")) for method, headers, body in echo.requests]
    assert shapes == [("POST", b"{}", "1"), ("GET", b"", None), ("POST", b"[]", None), ("POST", b"", None)]


def test_an_answer_larger_than_the_limit_is_malformed(echo: Echo) -> None:
    echo.next = Answer(200, bytes(1_048_577))
    with pytest.raises(MalformedResponseError, match="Owls: the response is larger than 1,048,576 bytes"):
        HttpClient("Owls", 5).post(echo.url, b"{}")


def test_only_the_given_address_is_connected_to(echo: Echo) -> None:
    port = int(echo.url.rpartition(":")[2])
    client = HttpClient("Owls", 5)
    client.request("POST", "http://caller.invalid/hook", b"{}", connect_to=("127.0.0.1", port))
    with pytest.raises(UnreachableError):
        client.request("POST", echo.url, b"{}", connect_to=("127.0.0.1", 1))
    assert [headers["host"] for _, headers, _ in echo.requests] == ["caller.invalid"]


@pytest.mark.parametrize("keeps_cookies", [True, False])
def test_only_a_session_returns_the_cookies_of_earlier_answers(echo: Echo, *, keeps_cookies: bool) -> None:
    echo.next = Answer(200, b"", headers={"Set-Cookie": "session=1; Path=/"})
    client = HttpClient("Owls", 5, keeps_cookies=keeps_cookies)
    client.get(echo.url)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: client.get(echo.url), range(2)))
    HttpClient("Owls", 5, keeps_cookies=True).get(echo.url)
    sent = "session=1" if keeps_cookies else None
    assert [headers.get("cookie") for _, headers, _ in echo.requests] == [None, sent, sent, None]


def test_a_host_outside_ascii_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        HttpClient("Owls", 5).get("http://bücher.invalid/")


def test_the_proxy_of_the_environment_is_not_used(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert HttpClient("Owls", 5).get(echo.url).status == 201


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_a_request_that_must_not_be_repeated_never_uses_a_kept_connection() -> None:
    with RawServer([OK, b""], [OK]) as server:
        client = HttpClient("Owls", 5)
        for _ in range(2):
            client.post(server.url, b"{}")
    assert server.requests == 2


def test_a_repeatable_request_is_sent_again_if_its_kept_connection_was_closed() -> None:
    with RawServer([OK, b""], [OK]) as server:
        client = HttpClient("Owls", 5, is_repeatable=True)
        for _ in range(2):
            client.post(server.url, b"{}")
    assert server.requests == 3


def test_a_certificate_of_a_trusted_authority_is_accepted(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ca_bundle() == str(certificate)
    with RawServer(OK, certificate=certificate) as server:
        assert HttpClient("Owls", 5).post(server.url, b"{}").status == 200


class InterruptError(Exception):
    """As Dramatiq's."""


def test_a_waiting_thread_can_be_interrupted() -> None:
    caught = threading.Event()

    def wait() -> None:
        try:
            HttpClient("Owls", 60).get(url)
        except InterruptError:
            caught.set()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        thread = threading.Thread(target=wait)
        thread.start()
        connection, _ = silent.accept()  # the request is under way
        with connection:
            set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
            set_exception(ctypes.c_long(thread.ident or 0), ctypes.py_object(InterruptError))
            thread.join(10)
    assert caught.is_set()


def test_libcurl_is_loaded_only_by_a_request() -> None:
    program = (
        "import sys, rollcall.wiring, catalogs.scraper, notifications.resend_events\n"
        "print({'pycurl', 'requests', 'stripe', 'resend'} & sys.modules.keys())"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


INTERIM = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 3\r\n\r\n"
HEAD = b"HTTP/1.1 429 No\r\nVia: HTTP/1.1 proxy\r\nretry-after:  7 \r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n"


def test_headers_are_those_of_the_final_answer_in_order() -> None:
    response = HttpResponse(429, b"", INTERIM + HEAD)
    assert response.headers() == [
        ("via", "HTTP/1.1 proxy"),
        ("retry-after", "7"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
    ]
    assert response.retry_after_seconds() == 7


def test_a_date_to_retry_after_counts_from_the_date_of_the_answer() -> None:
    at = b"Retry-After: Thu, 15 Jan 2026 09:01:00 GMT\r\n"
    dated = HttpResponse(429, b"", b"HTTP/1.1 429\r\nDate: Thu, 15 Jan 2026 09:00:00 GMT\r\n" + at + b"\r\n")
    assert dated.retry_after_seconds() == 60
    assert dated.retry_after_seconds(datetime(2026, 1, 15, 9, 0, 30, tzinfo=UTC)) == 30
    assert HttpResponse(429, b"", b"HTTP/1.1 429\r\n" + at + b"\r\n").retry_after_seconds() is None
