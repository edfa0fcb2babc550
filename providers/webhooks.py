"""Webhooks: signatures by the Standard Webhooks specification, and calls to other systems' URLs.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from domain.errors import InvalidInputError, UnauthorisedError, UpstreamError
from domain.ports import Clock
from providers.http import HttpClient, HttpResponse
from providers.public_address import resolve_public_address

TOLERANCE_SECONDS: Final = 300
_SECONDS = re.compile(r"[0-9]{1,12}")


def sign(key: bytes, message_id: str, at_seconds: int, body: bytes) -> str:
    """The value of the header `webhook-signature`: version 1, base64 of an HMAC-SHA256."""
    signed = f"{message_id}.{at_seconds}.".encode(errors="replace") + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def verify(
    key: bytes, headers: Mapping[str, str], body: bytes, now: datetime, prefix: str = "webhook"
) -> str:
    """The message id of a signed call; `headers`, with names in any case, begin with `prefix`.

    Raises: UnauthorisedError if it is forged or more than five minutes off.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (
        lower.get(f"{prefix}-{part}", "") for part in ("id", "timestamp", "signature")
    )
    if not _SECONDS.fullmatch(timestamp) or abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise UnauthorisedError("the webhook's timestamp is missing or too far from now")
    expected = sign(key, message_id, int(timestamp), body).encode()
    if not any(
        hmac.compare_digest(expected, each.encode(errors="replace")) for each in signatures.split(" ")
    ):
        raise UnauthorisedError("the webhook's signature does not match")
    return message_id


def event_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a call. Raises: InvalidInputError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError({"body": "must be JSON"}) from error
    if not isinstance(found, dict):
        raise InvalidInputError({"body": "must be an object"})
    return found


def required_text(fields: Mapping[str, Any], name: str, prefix: str = "") -> str:
    """The printable text `name` in `fields`, which stand under `prefix`. Raises: InvalidInputError."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InvalidInputError({f"{prefix}{name}": "must be text"})
    return value


def require_success(response: HttpResponse) -> None:
    """Raises: UnauthorisedError, UpstreamError unless the status of `response` is 2xx."""
    if response.status not in range(200, 300):
        kind = UnauthorisedError if response.status in {401, 403} else UpstreamError
        raise kind(f"the response was {response.status}")


@dataclass(frozen=True)
class JobWebhook:
    """Posts JSON to callers' URLs, on the public Internet only unless `allows_private`.

    Besides the headers of Standard Webhooks, whose key is `secret` in UTF-8, it sends those of earlier
    releases: `Rollcall-Signature` is the hex HMAC-SHA256 of the time, a full stop and the body.
    """

    secret: str = field(repr=False)
    clock: Clock
    allows_private: bool = False
    timeout_seconds: float = 10.0

    def post(self, url: str, job_id: str, body: str) -> None:
        """Post `body`; the response must be 2xx. Raises: RollcallError; RejectedError if not public."""
        connect_to = None if self.allows_private else resolve_public_address(url)
        headers = self._headers(job_id, body.encode())
        require_success(self._http.request("POST", url, body.encode(), headers, connect_to))

    def _headers(self, job_id: str, body: bytes) -> dict[str, str]:
        key, at_seconds = self.secret.encode(), int(self.clock.now().timestamp())
        legacy = hmac.digest(key, f"{at_seconds}.".encode() + body, hashlib.sha256).hex()
        return {
            "Content-Type": "application/json",
            "Webhook-Id": job_id,
            "Webhook-Timestamp": str(at_seconds),
            "Webhook-Signature": sign(key, job_id, at_seconds, body),
            "Rollcall-Id": job_id,
            "Rollcall-Timestamp": str(at_seconds),
            "Rollcall-Signature": f"v1={legacy}",
        }

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient("webhook", self.timeout_seconds)
