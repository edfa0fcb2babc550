from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import resend

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


def read(document: Any, at: float = NOW) -> DeliveryEvent:
    return EVENTS.read(*signed(SECRET, document, at))


def test_a_signed_event_is_read() -> None:
    at = datetime(2026, 1, 15, 8, 59, 58, 126000, tzinfo=UTC)
    assert read(event()) == DeliveryEvent("msg_1", "delivered", "id-1", "ada@example.edu", "", at)


@pytest.mark.parametrize(
    ("document", "kind", "reason"),
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
def test_each_kind_has_its_reason(document: dict[str, Any], kind: str, reason: str) -> None:
    assert (read(document).kind, read(document).reason) == (kind, reason)


def test_an_event_of_another_kind_is_accepted_without_effect() -> None:
    document = {"type": "domain.updated", "created_at": "2026-01-15T08:59:58Z", "data": {"id": "d1"}}
    assert read(document).kind == "other"


def test_the_verification_agrees_with_that_of_the_sdk() -> None:
    now = datetime.now(UTC).timestamp()
    body, headers = signed(SECRET, event(), now)
    given_headers: Any = {name.removeprefix("svix-"): value for name, value in headers.items()}
    theirs = resend.Webhooks.verify(
        {"payload": body.decode(), "headers": given_headers, "webhook_secret": SECRET}
    )
    assert theirs == json.loads(body)
    assert ResendEvents(SECRET, FakeClock(datetime.now(UTC))).read(body, headers).kind == "delivered"


def test_a_forged_or_old_event_is_unauthorised() -> None:
    body, headers = signed(SECRET, event(), NOW)
    with pytest.raises(UnauthorisedError):
        EVENTS.read(body + b" ", headers)
    with pytest.raises(UnauthorisedError, match="timestamp"):
        read(event(), NOW - 301)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "body"),
        ({"created_at": "2026-01-15T09:00:00Z"}, "type"),
        ({**event(), "created_at": "yesterday"}, "created_at"),
        ({**event(), "data": None}, "data"),
        (event(email_id=7), "data.email_id"),
        (event(to=[]), "data.to"),
    ],
)
def test_an_event_of_another_shape_names_the_field(document: Any, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(document)
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!"])
def test_an_invalid_secret_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInputError, match="secret"):
        ResendEvents(secret, CLOCK)
