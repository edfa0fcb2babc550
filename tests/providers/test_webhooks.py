from __future__ import annotations

import hashlib
import hmac

import pytest

from domain.errors import RejectedError, RollcallError, UpstreamError
from providers import http_call
from providers.webhooks import ID, SIGNATURE, TIMESTAMP, JobWebhook
from tests.support.clock import FakeClock
from tests.support.receiver import receiver

SECRET = "a secret for tests only"
BODY = '{"type": "job.succeeded"}'


def webhook(clock: FakeClock, *, allows_private: bool = True) -> JobWebhook:
    return JobWebhook(SECRET, clock, allows_private=allows_private)


def test_a_caller_is_told_with_a_signature_over_time_and_body() -> None:
    clock = FakeClock()
    with receiver() as caller:
        webhook(clock).post(f"{caller.url}/hook", "0d4b", BODY)
    at = str(int(clock.now().timestamp()))
    mac = hmac.new(SECRET.encode(), f"{at}.{BODY}".encode(), hashlib.sha256).hexdigest()
    assert caller.requests == [("POST", "/hook", BODY.encode())]
    assert {name: caller.heads[0][name] for name in (ID, TIMESTAMP, SIGNATURE)} == {
        ID: "0d4b",
        TIMESTAMP: at,
        SIGNATURE: f"v1={mac}",
    }


def test_a_private_address_is_never_spoken_to() -> None:
    with receiver() as caller, pytest.raises(RejectedError):
        webhook(FakeClock(), allows_private=False).post(caller.url, "0d4b", BODY)
    assert caller.requests == []


@pytest.mark.parametrize("status", [301, 307, 404, 500])
def test_only_2xx_counts_and_no_redirect_is_followed(status: int) -> None:
    with receiver() as elsewhere, receiver() as caller:
        caller.statuses.append(status)
        caller.headers["Location"] = elsewhere.url
        with pytest.raises(UpstreamError, match=str(status)):
            webhook(FakeClock()).post(caller.url, "0d4b", BODY)
    assert elsewhere.requests == []


def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    with receiver() as caller:
        port = int(caller.url.rpartition(":")[2])
        http_call.post("http://caller.invalid/hook", b"{}", 5, connect_to=("127.0.0.1", port))
        with pytest.raises(RollcallError):
            http_call.post(caller.url, b"{}", 1, connect_to=("127.0.0.1", 1))
    assert [head["Host"] for head in caller.heads] == ["caller.invalid"]
