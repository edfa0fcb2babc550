from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import resend
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError, UnauthorisedError
from notifications.resend_events import DeliveryEvent, ResendEvents
from tests.standins.resend import signed
from tests.support.clock import FakeClock

SECRET = "whsec_" + base64.b64encode(b"a secret of the test").decode()
CLOCK = FakeClock()
EVENTS = ResendEvents(SECRET, CLOCK)
NOW = CLOCK.now().timestamp()


def event(kind: str = "email.delivered", **data: Any) -> dict[str, Any]:
    mail = {"email_id": "id-1", "to": ["ada@example.edu"], "subject": "A seat is open", **data}
    return {"type": kind, "created_at": "2026-01-15T08:59:58.126Z", "data": mail}


def read(told: Any, at: float = NOW) -> DeliveryEvent:
    return EVENTS.read(*signed(SECRET, told, at))


def test_a_signed_event_is_read() -> None:
    at = datetime(2026, 1, 15, 8, 59, 58, 126000, tzinfo=UTC)
    assert read(event()) == DeliveryEvent("msg_1", "delivered", "id-1", "ada@example.edu", "", at)


@pytest.mark.parametrize(
    ("told", "kind", "reason"),
    [
        (event("email.sent"), "sent", ""),
        (event("email.delivery_delayed"), "delayed", ""),
        (event("email.complained"), "complained", ""),
        (
            event("email.bounced", bounce={"type": "Permanent", "message": "no such user"}),
            "bounced",
            "no such user",
        ),
        (event("email.bounced", bounce={"type": "Transient", "message": "full"}), "soft_bounced", "full"),
        (event("email.bounced"), "bounced", ""),
        (event("email.failed", failed={"reason": "reached_daily_quota"}), "unsent", "reached_daily_quota"),
        (event("email.failed", failed={"reason": "invalid_recipient"}), "bounced", "invalid_recipient"),
        (event("email.failed", failed={"reason": "internal error"}), "failed", "internal error"),
        (event("email.suppressed", suppressed={"message": "bounced before"}), "suppressed", "bounced before"),
    ],
)
def test_each_kind_brings_its_reason(told: dict[str, Any], kind: str, reason: str) -> None:
    assert (read(told).kind, read(told).reason) == (kind, reason)


def test_events_about_other_things_are_told_apart_not_refused() -> None:
    told = {"type": "domain.updated", "created_at": "2026-01-15T08:59:58Z", "data": {"id": "d1"}}
    assert read(told).kind == "other"


def test_header_names_come_in_any_case() -> None:
    body, headers = signed(SECRET, event(), NOW)
    assert EVENTS.read(body, {name.title(): value for name, value in headers.items()}).kind == "delivered"


def test_one_good_signature_among_several_is_enough() -> None:
    body, headers = signed(SECRET, event(), NOW)
    headers["svix-signature"] = f"v1,bm90IGl0 v1a,ZWQ= {headers['svix-signature']}"
    assert EVENTS.read(body, headers).kind == "delivered"


def test_our_check_agrees_with_the_providers_own() -> None:
    now = datetime.now(UTC).timestamp()
    body, headers = signed(SECRET, event(), now)
    given_headers: Any = {name.removeprefix("svix-"): value for name, value in headers.items()}
    theirs = resend.Webhooks.verify(
        {"payload": body.decode(), "headers": given_headers, "webhook_secret": SECRET}
    )
    assert theirs == json.loads(body)
    assert ResendEvents(SECRET, FakeClock(datetime.now(UTC))).read(body, headers).kind == "delivered"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body, {**headers, "svix-id": "msg_2"}),
        lambda body, headers: (body, {**headers, "svix-timestamp": str(int(NOW) + 1)}),
        lambda body, headers: (body, {**headers, "svix-timestamp": "9" * 5000}),
        lambda body, headers: (body, {**headers, "svix-timestamp": "now"}),
        lambda body, headers: (body, {**headers, "svix-signature": ""}),
        lambda body, headers: (body, {**headers, "svix-signature": headers["svix-signature"][3:]}),
        lambda body, headers: (body, {**headers, "svix-signature": "v1,\udc80"}),
        lambda body, _: (body, {}),
    ],
)
def test_a_forged_event_is_refused(
    spoil: Callable[[bytes, dict[str, str]], tuple[bytes, dict[str, str]]],
) -> None:
    with pytest.raises(UnauthorisedError):
        EVENTS.read(*spoil(*signed(SECRET, event(), NOW)))


@given(st.binary(max_size=64).filter(lambda key: key != b"a secret of the test"))
def test_an_event_signed_with_any_other_secret_is_refused(key: bytes) -> None:
    with pytest.raises(UnauthorisedError):
        EVENTS.read(*signed(base64.b64encode(key).decode(), event(), NOW))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_event_from_another_time_is_refused(seconds: float) -> None:
    with pytest.raises(UnauthorisedError, match="timestamp"):
        read(event(), NOW + seconds)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ([], "body"),
        ({"created_at": "2026-01-15T09:00:00Z"}, "type"),
        ({**event(), "created_at": "yesterday"}, "created_at"),
        ({**event(), "data": None}, "data"),
        (event(email_id=7), "data.email_id"),
        (event(to=[]), "data.to"),
    ],
)
def test_an_event_of_another_shape_names_the_field(told: Any, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(told)
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!"])
def test_a_secret_that_is_none_stops_the_start(secret: str) -> None:
    with pytest.raises(InvalidInputError, match="secret"):
        ResendEvents(secret, CLOCK)
