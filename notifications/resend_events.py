"""Resend's webhook events: delivered, bounced, complained, failed, suppressed.

The signature check is our own. The SDK's is correct (constant time, five minutes), but it reads the system
clock, raises the same ValueError for a forged signature and for invalid JSON, and would add 29 MB of imports
to the web process.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from domain.errors import InvalidInputError, UnauthorisedError
from domain.ports import Clock

TOLERANCE_SECONDS = 300
_SECONDS = re.compile(r"[0-9]{1,12}")

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
_OF_THE_ACCOUNT = re.compile(r"quota|limit|api.?key|domain|verif|sender|suspend", re.IGNORECASE)
_OF_THE_ADDRESS = re.compile(r"recipient|mailbox|invalid.?(?:to|address)", re.IGNORECASE)


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
    """Reads Resend's webhooks, which svix signs.

    Source: https://docs.svix.com/receiving/verifying-payloads/how-manual, https://resend.com/docs/webhooks

    Raises: InvalidInputError if `secret` is not base64, with or without the prefix `whsec_`.
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
        lower = {name.lower(): value for name, value in headers.items()}
        event_id, timestamp = lower.get("svix-id", ""), lower.get("svix-timestamp", "")
        self._require_recent(timestamp)
        self._require_signed(
            f"{event_id}.{timestamp}.".encode(errors="replace") + body, lower.get("svix-signature", "")
        )
        return _event(event_id, _parsed(body))

    def _require_recent(self, timestamp: str) -> None:
        if (
            not _SECONDS.fullmatch(timestamp)
            or abs(self.clock.now().timestamp() - int(timestamp)) > TOLERANCE_SECONDS
        ):
            raise UnauthorisedError("the webhook's timestamp is missing or too far from now")

    def _require_signed(self, content: bytes, signatures: str) -> None:
        mac = hmac.new(self._key(), content, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(mac)
        if not any(
            hmac.compare_digest(expected, each.encode(errors="replace")) for each in signatures.split(" ")
        ):
            raise UnauthorisedError("the webhook's signature does not match")

    def _key(self) -> bytes:
        try:
            return base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            return b""


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError({"body": "must be JSON"}) from error
    if not isinstance(parsed, dict):
        raise InvalidInputError({"body": "must be an object"})
    return parsed


def _event(event_id: str, event: dict[str, Any]) -> DeliveryEvent:
    at = _moment(_text(event, "created_at"))
    kind = _KINDS.get(_text(event, "type"), "other")
    if kind == "other":
        return DeliveryEvent(event_id, kind, "", "", "", at)
    data = event.get("data")
    if not isinstance(data, dict):
        raise InvalidInputError({"data": "must be an object"})
    told = _told(kind, data)
    if kind == "bounced" and told.get("type", "Permanent") != "Permanent":
        kind = "soft_bounced"
    reason = str(told.get("message") or told.get("reason") or "")
    if kind == "failed":
        kind = _failure(reason)
    return DeliveryEvent(event_id, kind, _text(data, "email_id", "data."), _address(data), reason, at)


def _failure(reason: str) -> DeliveryEventKind:
    if _OF_THE_ADDRESS.search(reason):
        return "bounced"
    return "unsent" if _OF_THE_ACCOUNT.search(reason) else "failed"


def _told(kind: DeliveryEventKind, data: dict[str, Any]) -> dict[str, Any]:
    told = data.get("bounce" if kind == "bounced" else kind)
    return told if isinstance(told, dict) else {}


def _text(fields: dict[str, Any], name: str, prefix: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInputError({f"{prefix}{name}": "must be a text"})
    return value


def _address(data: dict[str, Any]) -> str:
    match data.get("to"):
        case str(address) | [str(address), *_] if address:
            return address
        case _:
            raise InvalidInputError({"data.to": "must be a list of addresses"})


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError({"created_at": "must be an ISO 8601 time"}) from error
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
