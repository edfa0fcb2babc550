"""Signed webhook calls that report the end of a job to the caller's URL."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from domain.ports import Clock
from providers import http_call
from providers.http import resolve_public_address

ID, TIMESTAMP, SIGNATURE = "Rollcall-Id", "Rollcall-Timestamp", "Rollcall-Signature"


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """Posts JSON to callers' URLs, on the public Internet only unless `allows_private`."""

    secret: str = field(repr=False)
    clock: Clock
    allows_private: bool = False
    timeout_seconds: float = 10.0

    def post(self, url: str, job_id: str, body: str) -> None:
        """Post `body`; the answer must be 2xx. Raises: RollcallError; RejectedError if not public."""
        content, at_seconds = body.encode(), int(self.clock.now().timestamp())
        headers = {
            ID: job_id,
            TIMESTAMP: str(at_seconds),
            SIGNATURE: f"v1={signature(self.secret, at_seconds, content)}",
        }
        connect_to = None if self.allows_private else resolve_public_address(url)
        http_call.post(url, content, self.timeout_seconds, headers=headers, connect_to=connect_to)


def signature(secret: str, at_seconds: int, content: bytes) -> str:
    """The hex HMAC-SHA256 of the time in seconds, a full stop and the body."""
    return hmac.new(secret.encode(), f"{at_seconds}.".encode() + content, hashlib.sha256).hexdigest()
