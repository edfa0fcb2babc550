"""deploy/Caddyfile, with a real Caddy in front of the real web role."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.ingress.console.visitor import BROWSER
from tests.standins.server import Answer, StandIn
from tests.support.caddy import CADDYFILE, PROXY_SECRET, Caddy, caddy
from tests.support.event_source import event_source
from tests.support.socket_activation import SocketActivatedWeb, socket_activated_web
from tests.support.stack import API_TOKEN, wait_until
from tests.support.tools import require

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}
WATCH = {"email": "ada@example.edu", "term": "2261", "section": "12431"}
TOKEN = "a-token-that-nobody-may-read-in-a-log"
LARGEST = 5 * 1024 * 1024
LARGE = 6_000_000
TOO_LARGE = bytes(7_000_000)
CLIENTS = 4
SETTLED = 20


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[SocketActivatedWeb]:
    settings = {"REDIS_URL": redis_url, "PROXY_SECRET": PROXY_SECRET}
    with socket_activated_web(tmp_path_factory.mktemp("web"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def front(web: SocketActivatedWeb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    with caddy(tmp_path_factory.mktemp("caddy"), web.url) as running:
        yield running


def test_it_is_valid_and_formatted() -> None:
    checks = ["validate", "--config", str(CADDYFILE)], ["fmt", str(CADDYFILE)]
    done = [
        subprocess.run([require("caddy", "caddy"), *each], capture_output=True, text=True, check=False)
        for each in checks
    ]
    assert done[0].returncode == 0, done[0].stderr
    assert done[1].stdout == CADDYFILE.read_text()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_are_for_everyone(front: Caddy, path: str) -> None:
    answer = httpx.get(front.url + path)
    assert answer.status_code in {200, 503 if path == "/health" else 200}
    assert answer.json()["status"]
    assert not answer.json().get("checks")


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/METRICS", "/%6detrics", "//metrics", "/console", "/console/runs", "/"]
)
def test_metrics_and_the_console_are_not_public_even_with_a_token(front: Caddy, path: str) -> None:
    assert httpx.get(front.url + path, headers=BEARER).status_code == 404


def test_the_console_can_be_published_behind_its_own_sign_in(web: SocketActivatedWeb, tmp_path: Path) -> None:
    with (
        caddy(tmp_path, web.url, ROLLCALL_PRIVATE_PATHS="/metrics /metrics/*") as published,
        httpx.Client(base_url=published.url, headers=BROWSER) as client,
    ):
        assert client.get("/").headers["location"] == "/console/"
        assert client.get("/console/runs").headers["location"] == "/console/sign-in?next=/console/runs"
        assert client.post("/console/sign-in", data={"token": "not the token"}).status_code == 403
        assert client.post("/console/sign-in", data={"token": API_TOKEN}).status_code == 303
        assert client.get("/console/runs").status_code == 200
        assert client.get("/metrics", headers=BEARER).status_code == 404


def test_what_to_do_for_an_alert_is_for_everyone(front: Caddy) -> None:
    answer = httpx.get(f"{front.url}/runbook/no-worker")
    assert answer.status_code == 200
    assert "<h1>no-worker</h1>" in answer.text


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/watches"])
def test_every_answer_carries_each_security_header_once(front: Caddy, path: str) -> None:
    headers = httpx.get(front.url + path).headers
    assert headers.get_list("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("X-Frame-Options") == ["DENY"]
    assert headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert "Server" not in headers


@pytest.mark.parametrize("size_bytes", [LARGEST + 1, LARGE - 1, LARGE, 10 * LARGE])
def test_a_body_that_is_too_large_is_413_anyone_who_refuses_it(front: Caddy, size_bytes: int) -> None:
    headers = {**BEARER, "Content-Type": "text/csv"}
    answer = httpx.post(f"{front.url}/watches/import", headers=headers, content=bytes(size_bytes))
    assert answer.status_code == 413
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.headers["Content-Type"] == "application/problem+json") == (size_bytes < LARGE)


def test_a_body_of_the_largest_size_reaches_the_web_role(front: Caddy) -> None:
    headers = {**BEARER, "Content-Type": "text/csv"}
    answer = httpx.post(f"{front.url}/watches/import", headers=headers, content=b"x\n" * (LARGEST // 2))
    assert answer.status_code == 422


def test_the_request_id_is_the_fronts_own(front: Caddy) -> None:
    answer = httpx.get(f"{front.url}/livez", headers={"X-Request-ID": "mine"})
    assert len(answer.headers["X-Request-ID"]) == 36


def test_tokens_and_addresses_do_not_reach_the_log_and_probes_are_not_in_it(front: Caddy) -> None:
    httpx.get(f"{front.url}/unsubscribe?token={TOKEN}", headers={"Referer": f"https://x.test/?{TOKEN}"})
    httpx.post(f"{front.url}/unsubscribe?token={TOKEN}")
    httpx.get(f"{front.url}/watches?email=ada%40example.edu", headers=BEARER)
    httpx.post(f"{front.url}/unsubscribe?token={TOKEN}", content=TOO_LARGE)  # what Caddy says of an error
    for query in (f"Token={TOKEN}", f"TOKEN={TOKEN}", f"%74oken={TOKEN}", f"a=b;token={TOKEN}"):
        httpx.get(f"{front.url}/unsubscribe?{query}")
    httpx.get(
        f"{front.url}/watches?EMAIL=ada%40example.edu", headers=BEARER | {"referer": f"https://x/{TOKEN}"}
    )
    httpx.get(f"{front.url}/watches?email=ada%40example.edu&last=one", headers=BEARER)
    httpx.get(f"{front.url}/livez")
    wait_until(lambda: "&last=REDACTED" in front.log.read_text(), "the last request in the log")
    output = front.log.read_text()
    assert "/unsubscribe?token=REDACTED" in output
    assert "/watches?email=REDACTED" in output
    assert TOKEN not in output
    assert PROXY_SECRET not in output
    assert API_TOKEN not in output
    assert "ada%40example.edu" not in output
    assert "/livez" not in output
    assert "127.0.0.0" in output


class Upstream(StandIn):
    """Keeps the headers of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[dict[str, str]] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        self.heads.append(dict(headers))
        return Answer(200, b"x" * 2000, "text/plain" if path == "/livez" else "text/html; charset=utf-8")


def test_it_reports_who_calls_and_that_it_is_itself_whatever_the_client_says(tmp_path: Path) -> None:
    with Upstream() as upstream, caddy(tmp_path, upstream.url) as front:
        forged = {
            "X-Rollcall-Proxy": "a guess",
            "X-Forwarded-For": "192.0.2.7",
            "X-Forwarded-Host": "evil.test",
        }
        answer = httpx.get(f"{front.url}/unsubscribe", headers=forged)
    head = upstream.heads[-1]
    assert head["x-rollcall-proxy"] == PROXY_SECRET
    assert head["x-forwarded-for"] == "127.0.0.1"
    assert "x-forwarded-host" not in head
    assert answer.headers["Content-Encoding"] == "gzip"


def test_events_come_through_one_by_one(tmp_path: Path) -> None:
    with event_source() as stream, caddy(tmp_path, stream.url) as front:
        headers = {"Accept-Encoding": "gzip", "Accept": "text/event-stream"}
        with httpx.stream("GET", f"{front.url}/events", headers=headers, timeout=20) as answer:
            assert "Content-Encoding" not in answer.headers
            chunks = answer.iter_text()
            for number in range(3):
                stream.next_event.set()
                assert next(chunks) == f"data: {number}\n\n"


def has_more_than(answers: Sized, count: int) -> bool:
    return len(answers) > count


def test_a_restart_of_the_web_role_loses_no_request(web: SocketActivatedWeb, front: Caddy) -> None:
    finished, answers = Event(), list[int]()

    def ask(method: str, path: str) -> None:
        with httpx.Client(base_url=front.url, headers=BEARER, timeout=60) as client:
            while not finished.is_set():
                body = WATCH if method == "POST" else None
                answers.append(client.request(method, path, json=body).status_code)

    with ThreadPoolExecutor(2 * CLIENTS) as clients:
        for _ in range(CLIENTS):
            clients.submit(ask, "GET", "/watches")
            clients.submit(ask, "POST", "/watches")
        for _ in range(3):
            enough = len(answers) + SETTLED
            wait_until(partial(has_more_than, answers, enough), "requests were answered")
            assert web.stop() == 0
            web.start()
        finished.set()
    assert len(answers) > 3 * SETTLED
    assert set(answers) <= {200, 201}
