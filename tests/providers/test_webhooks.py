from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RejectedError, UnauthorisedError
from providers.webhooks import JobWebhook, sign, verify
from tests.support.clock import FakeClock
from tests.support.receiver import receiver

SECRET = "a secret for tests only"
BODY = '{"type": "job.succeeded"}'


# The example of the specification. Source: standard-webhooks, libraries/python/tests.
KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
AT = datetime.fromtimestamp(1614265330, UTC)
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
EXAMPLE = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def signed(signature: str = SIGNATURE, prefix: str = "webhook") -> dict[str, str]:
    return {
        f"{prefix}-id": MESSAGE_ID,
        f"{prefix}-timestamp": "1614265330",
        f"{prefix}-signature": signature,
    }


def test_a_signature_is_that_of_the_specification() -> None:
    assert sign(KEY, MESSAGE_ID, 1614265330, EXAMPLE) == SIGNATURE


@pytest.mark.parametrize("signature", [SIGNATURE, f"v1,AAAA v1a,BBBB {SIGNATURE}"])
@pytest.mark.parametrize("prefix", ["webhook", "svix"])
def test_a_signed_call_is_verified(signature: str, prefix: str) -> None:
    headers = {name.title(): value for name, value in signed(signature, prefix).items()}
    assert verify(KEY, headers, EXAMPLE, AT, prefix) == MESSAGE_ID


@pytest.mark.parametrize(
    ("headers", "body", "at"),
    [
        ({}, EXAMPLE, AT),
        (signed(), EXAMPLE + b" ", AT),
        (signed("v1,AAAA"), EXAMPLE, AT),
        (signed("v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), EXAMPLE, AT),
        (signed() | {"webhook-id": "msg_other"}, EXAMPLE, AT),
        (signed() | {"webhook-timestamp": "٣"}, EXAMPLE, AT),
        (signed() | {"webhook-timestamp": "9" * 5000}, EXAMPLE, AT),
        (signed() | {"webhook-timestamp": "1614265331"}, EXAMPLE, AT),
        (signed(""), EXAMPLE, AT),
        (signed(SIGNATURE.removeprefix("v1,")), EXAMPLE, AT),
        (signed("v1,\udc80"), EXAMPLE, AT),
        (signed(), EXAMPLE, AT + timedelta(seconds=301)),
        (signed(), EXAMPLE, AT - timedelta(seconds=301)),
    ],
)
def test_a_forged_or_old_call_is_unauthorised(headers: dict[str, str], body: bytes, at: datetime) -> None:
    with pytest.raises(UnauthorisedError):
        verify(KEY, headers, body, at)


@given(st.binary(max_size=64).filter(lambda key: key != KEY))
def test_a_call_signed_with_another_key_is_unauthorised(key: bytes) -> None:
    with pytest.raises(UnauthorisedError):
        verify(KEY, signed(sign(key, MESSAGE_ID, 1614265330, EXAMPLE)), EXAMPLE, AT)


def webhook(clock: FakeClock, *, allows_private: bool = True) -> JobWebhook:
    return JobWebhook(SECRET, clock, allows_private=allows_private)


def test_a_call_carries_both_signatures_over_its_time_and_body() -> None:
    clock = FakeClock()
    with receiver() as caller:
        webhook(clock).post(f"{caller.url}/hook", "0d4b", BODY)
    assert caller.requests == [("POST", "/hook", BODY.encode())]
    (headers,) = caller.heads
    assert verify(SECRET.encode(), headers, BODY.encode(), clock.now()) == "0d4b"
    at = str(int(clock.now().timestamp()))
    mac = hmac.new(SECRET.encode(), f"{at}.{BODY}".encode(), hashlib.sha256).hexdigest()
    legacy = {name: value for name, value in headers.items() if name.startswith("Rollcall-")}
    assert legacy == {"Rollcall-Id": "0d4b", "Rollcall-Timestamp": at, "Rollcall-Signature": f"v1={mac}"}


def test_a_private_address_is_never_connected_to() -> None:
    with receiver() as caller, pytest.raises(RejectedError):
        webhook(FakeClock(), allows_private=False).post(caller.url, "0d4b", BODY)
    assert caller.requests == []
