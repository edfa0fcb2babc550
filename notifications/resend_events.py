"""Resend's webhook events: delivered, bounced, complained, failed, suppressed.

svix signs them by Standard Webhooks, with headers of its own names. The SDK's verification is not used: it
reads the system clock, raises ValueError for a forged signature and for invalid JSON alike, and would add
29 MB of imports to the web process.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from domain.errors import InvalidInputError
from domain.ports import Clock
from providers.webhooks import event_object, required_text, verify

DeliveryEventKind = Literal[
    "sent",
    "delivered",
    "delayed",
    "bounced",
    "soft_bounced",
    "complained",
    "failed",
    "unsent",
    "suppressed",
    "other",
]
_KINDS: dict[str, DeliveryEventKind] = {
    "email.sent": "sent",
    "email.delivered": "delivered",
    "email.delivery_delayed": "delayed",
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.failed": "failed",
    "email.suppressed": "suppressed",
    # These have no effect: Rollcall neither schedules, tracks nor receives mail.
    "email.scheduled": "other",
    "email.opened": "other",
    "email.clicked": "other",
    "email.received": "other",
    "contact.created": "other",
    "contact.updated": "other",
    "contact.deleted": "other",
    "domain.created": "other",
    "domain.updated": "other",
    "domain.deleted": "other",
}
_ABOUT_ACCOUNT = re.compile(r"quota|limit|api.?key|domain|verif|sender|suspend", re.IGNORECASE)
_ABOUT_ADDRESS = re.compile(r"recipient|mailbox|invalid.?(?:to|address)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One delivery event of a message.

    Shape: `id` identifies the webhook delivery, also when it is replayed; `provider_id` is that of
    `Accepted`. `provider_id` and `address` are empty if `kind` is "other". "bounced": the address does not
    work. "soft_bounced": only this message was not delivered (a full mailbox, for example). "unsent": Resend
    accepted the message but did not send it because of the account (a quota, a domain); it can be sent again.
    "failed": the same because of the message. "suppressed": Resend sends nothing to the address.
    """

    id: str
    kind: DeliveryEventKind
    provider_id: str
    address: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ResendEvents:
    """Reads Resend's webhooks.

    Raises: InvalidInputError if `secret` is not base64, with or without the prefix `whsec_`.

    Source: https://resend.com/docs/webhooks
    """

    secret: str = field(repr=False)
    clock: Clock

    def __post_init__(self) -> None:
        if not self._key():
            raise InvalidInputError({"secret": "must be the signing secret, such as whsec_…"})

    def read(self, body: bytes, headers: Mapping[str, str]) -> DeliveryEvent:
        """The event in `body` after its signature is verified; header names in any case.

        Raises: UnauthorisedError if it is forged or more than five minutes off; InvalidInputError, naming the
        field, if its shape is unexpected.
        """
        event_id = verify(self._key(), headers, body, self.clock.now(), prefix="svix")
        return _event(event_id, event_object(body))

    def _key(self) -> bytes:
        try:
            return base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            return b""


def _event(event_id: str, event: dict[str, Any]) -> DeliveryEvent:
    at = _parse_time(required_text(event, "created_at"))
    kind = _KINDS.get(required_text(event, "type"), "other")
    if kind == "other":
        return DeliveryEvent(event_id, kind, "", "", "", at)
    data = event.get("data")
    if not isinstance(data, dict):
        raise InvalidInputError({"data": "must be an object"})
    details = _details(kind, data)
    if kind == "bounced" and details.get("type", "Permanent") != "Permanent":
        kind = "soft_bounced"
    reason = str(details.get("message") or details.get("reason") or "")
    if kind == "failed":
        kind = _failed_kind(reason)
    return DeliveryEvent(event_id, kind, required_text(data, "email_id", "data."), _address(data), reason, at)


def _failed_kind(reason: str) -> DeliveryEventKind:
    if _ABOUT_ADDRESS.search(reason):
        return "bounced"
    return "unsent" if _ABOUT_ACCOUNT.search(reason) else "failed"


def _details(kind: DeliveryEventKind, data: dict[str, Any]) -> dict[str, Any]:
    details = data.get("bounce" if kind == "bounced" else kind)
    return details if isinstance(details, dict) else {}


def _address(data: dict[str, Any]) -> str:
    match data.get("to"):
        case str(address) | [str(address), *_] if address:
            return address
        case _:
            raise InvalidInputError({"data.to": "must be a list of addresses"})


def _parse_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError({"created_at": "must be an ISO 8601 time"}) from error
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
