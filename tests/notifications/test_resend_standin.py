from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.standins.resend import KEY_SECONDS, ResendStandIn

MAIL = {"from": "a@example.edu", "to": ["b@example.edu"], "subject": "s", "text": "t"}
HEADERS = {"Authorization": "Bearer re_test", "User-Agent": "test", "Content-Type": "application/json"}


class Time:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def standin(time: Time) -> Iterator[ResendStandIn]:
    with ResendStandIn(now=time) as running:
        yield running


def call(
    port: int, method: str, path: str, payload: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.putrequest(method, path)
        body = json.dumps(payload).encode()
        for name, value in {
            **(HEADERS if headers is None else headers),
            "Content-Length": str(len(body)),
        }.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_request_without_a_user_agent_is_refused(standin: ResendStandIn) -> None:
    headers = {"Authorization": "Bearer re_test"}
    status, answer = call(standin.port, "POST", "/emails", MAIL, headers)
    assert (status, answer["name"]) == (403, "1010")


def test_a_single_mail_is_answered_with_its_id(standin: ResendStandIn) -> None:
    status, answer = call(standin.port, "POST", "/emails", MAIL)
    assert (status, answer) == (200, {"id": standin.mails[0]["id"]})


def test_a_strict_batch_accepts_all_or_nothing(standin: ResendStandIn) -> None:
    status, answer = call(standin.port, "POST", "/emails/batch", [MAIL, {**MAIL, "to": ["x"]}])
    assert (status, answer["name"], standin.mails) == (422, "validation_error", [])


def test_an_idempotency_key_expires_after_a_day(standin: ResendStandIn, time: Time) -> None:
    headers = {**HEADERS, "Idempotency-Key": "key"}
    for _ in range(2):
        assert call(standin.port, "POST", "/emails/batch", [MAIL], headers)[0] == 200
    time.seconds += KEY_SECONDS
    assert call(standin.port, "POST", "/emails/batch", [MAIL], headers)[0] == 200
    assert len(standin.mails) == 2


def test_too_many_requests_per_second_are_refused(time: Time) -> None:
    with ResendStandIn(requests_per_second=2, now=time) as standin:
        assert [call(standin.port, "POST", "/emails", MAIL)[0] for _ in range(3)] == [200, 200, 429]
        time.seconds += 1
        assert call(standin.port, "POST", "/emails", MAIL)[0] == 200


def test_faults_follow_their_seed(standin: ResendStandIn) -> None:
    rules = {"seed": 7, "rules": [{"kind": "error", "probability": 0.5}]}
    runs = []
    for _ in range(2):
        call(standin.port, "PUT", "/control/faults", rules)
        runs.append([call(standin.port, "POST", "/emails", MAIL)[0] for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_it_runs_as_a_program_under_remote_control() -> None:
    with ResendStandIn() as free:
        port = free.port
    program = [sys.executable, "-m", "tests.standins.resend", "--port", str(port)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            assert str(port) in running.stdout.readline()
            call(port, "POST", "/emails/batch", [{**MAIL, "headers": {"X-Test": "1"}}])
            assert call(port, "GET", "/control/mails")[1][0]["headers"] == {"X-Test": "1"}
            assert call(port, "GET", "/control/stats")[1]["answers"] == {"200": 1}
            assert call(port, "PUT", "/control/faults", {"rules": [{"kind": "error", "odd": 1}]})[0] == 422
            call(port, "POST", "/control/reset")
            assert call(port, "GET", "/control/mails")[1] == []
        finally:
            running.terminate()
