"""A stand-in for Stripe: signed events as it posts them, and the refunds endpoint of its API.

Wire format: https://docs.stripe.com/webhooks#verify-manually, https://docs.stripe.com/api/refunds/create.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.standins.server import Answer, StandIn


def session(session_id: str = "cs_test_1", **changes: Any) -> dict[str, Any]:
    """A paid checkout session that orders a report on two sections."""
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_total": 900,
        "currency": "usd",
        "customer_details": {"email": "ada@example.edu", "name": "Ada"},
        "livemode": False,
        "metadata": {"report": "section_history", "term": "2261", "sections": "12430, 12431"},
        "mode": "payment",
        "payment_intent": f"pi_{session_id}",
        "payment_status": "paid",
        "status": "complete",
    } | changes


def event(event_id: str = "evt_1", kind: str = "checkout.session.completed", **about: Any) -> dict[str, Any]:
    """An event as Stripe posts it, about `session(**about)`."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": "2026-09-30.basil",
        "created": int(time.time()),
        "data": {"object": session(**about)},
        "livemode": False,
        "pending_webhooks": 1,
        "type": kind,
    }


def signed(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook with `body`, sent at a time (now)."""
    stamp = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Stripe-Signature": f"t={stamp},v1={mac},v0={'0' * 64}",
        "Content-Type": "application/json; charset=utf-8",
    }


def posted(secret: str, told: dict[str, Any], at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """The body and headers with which Stripe posts an event."""
    body = json.dumps(told, indent=2).encode()
    return body, signed(secret, body, at)


class StripeStandIn(StandIn):
    """`refunds` holds each refund that was made; `troubles` are answered in turn, None hangs up.

    With `takes_in_trouble` the refund of such a request is made all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secret_key = "sk_test_1"
        self.refunds: list[dict[str, Any]] = []
        self.troubles: deque[int | None] = deque()
        self.takes_in_trouble = False
        self._answers: dict[str, Answer] = {}
        self.refund_status = "succeeded"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if headers.get("authorization") != f"Bearer {self.secret_key}":
            return _error(401, "invalid_request_error", "Invalid API Key provided")
        if (method, path) != ("POST", "/v1/refunds"):
            return _error(404, "invalid_request_error", "Unrecognized request URL")
        trouble = self.troubles.popleft() if self.troubles else 200
        if trouble == 200 or self.takes_in_trouble:
            found = self._refund(headers.get("idempotency-key", ""), parse_qs(body.decode()))
        if trouble != 200:
            return None if trouble is None else _error(trouble, "api_error", "Something went wrong")
        return found

    def _refund(self, key: str, form: dict[str, list[str]]) -> Answer:
        if key and key in self._answers:
            return self._answers[key]
        payment = form["payment_intent"][0]
        if any(refund["payment_intent"] == payment for refund in self.refunds):
            return _error(
                400,
                "invalid_request_error",
                "Charge has already been refunded.",
                code="charge_already_refunded",
            )
        refund = {"id": f"re_{payment}", "object": "refund", "payment_intent": payment}
        refund["status"] = self.refund_status
        self.refunds.append(refund)
        self._answers[key] = Answer(200, json.dumps(refund).encode())
        return self._answers[key]


def _error(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, json.dumps({"error": {"type": kind, "message": message} | more}).encode())
