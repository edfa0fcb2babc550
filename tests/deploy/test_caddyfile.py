"""deploy/Caddyfile, with a real Caddy in front of the real web role."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import httpx
import pytest

from tests.support.activated import ActivatedWeb, activated_web
from tests.support.caddy import CADDYFILE, Caddy, caddy
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
def web(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[ActivatedWeb]:
    with activated_web(tmp_path_factory.mktemp("web"), REDIS_URL=redis_url) as running:
        yield running


@pytest.fixture(scope="module")
def front(web: ActivatedWeb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
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
def test_probes_are_for_everybody(front: Caddy, path: str) -> None:
    answer = httpx.get(front.url + path)
    assert answer.status_code in {200, 503 if path == "/health" else 200}
    assert answer.json()["status"]
    assert not answer.json().get("checks")


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/METRICS", "/%6detrics", "//metrics", "/console", "/console/runs"]
)
def test_metrics_and_the_console_are_not_public_even_with_a_token(front: Caddy, path: str) -> None:
    assert httpx.get(front.url + path, headers=BEARER).status_code == 404


def test_what_to_do_for_an_alert_is_for_everybody(front: Caddy) -> None:
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
def test_a_body_that_is_too_large_is_413_whoever_refuses_it(front: Caddy, size_bytes: int) -> None:
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
    httpx.get(f"{front.url}/livez")
    wait_until(lambda: "/watches?email=REDACTED" in front.log.read_text(), "the last request in the log")
    told = front.log.read_text()
    assert "/unsubscribe?token=REDACTED" in told
    assert TOKEN not in told
    assert API_TOKEN not in told
    assert "ada%40example.edu" not in told
    assert "/livez" not in told
    assert "127.0.0.0" in told


def has_more_than(answers: Sized, count: int) -> bool:
    return len(answers) > count


def test_a_restart_of_the_web_role_loses_no_request(web: ActivatedWeb, front: Caddy) -> None:
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
