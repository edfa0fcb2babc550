"""A stand-in for Stripe: signed events as it posts them, and the refunds of its API.

Wire format: https://docs.stripe.com/webhooks#verify-manually, https://docs.stripe.com/api/refunds,
https://docs.stripe.com/api/idempotent_requests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

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


def posted(secret: str, payload: dict[str, Any], at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """The body and headers with which Stripe posts an event."""
    body = json.dumps(payload, indent=2).encode()
    return body, signed(secret, body, at)


def refund_event(kind: str = "refund.updated", event_id: str = "evt_r", **about: Any) -> dict[str, Any]:
    """An event about a refund of the session `cs_test_1`."""
    payload = {
        "id": "re_1",
        "object": "refund",
        "amount": 900,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_cs_test_1",
        "metadata": {},
        "status": "succeeded",
    } | about
    return event(event_id, kind) | {"data": {"object": payload}}


def charge_refunded(event_id: str = "evt_c", **about: Any) -> dict[str, Any]:
    """An event about a charge of the session `cs_test_1` that was refunded."""
    payload = {
        "id": "ch_1",
        "object": "charge",
        "amount": 900,
        "amount_refunded": 900,
        "payment_intent": "pi_cs_test_1",
        "refunded": True,
    } | about
    return event(event_id, "charge.refunded") | {"data": {"object": payload}}


class StripeStandIn(StandIn):
    """`refunds` holds each refund that was made; `troubles` are answered in turn, None hangs up.

    With `takes_in_trouble` the refund of such a request is made all the same. An answer, a 500 as well, is
    kept under the request's key and repeated; other fields under a known key are an `idempotency_error`.
    What is answered 409 or 429, or not at all before the request began, is not kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secret_key = "sk_test_1"
        self.refunds: list[dict[str, Any]] = []
        self.troubles: deque[int | None] = deque()
        self.takes_in_trouble = False
        self.keys: list[str] = []
        self._answers: dict[str, tuple[bytes, Answer]] = {}
        self.refund_status = "succeeded"
        self.is_listing_away = False

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if headers.get("authorization") != f"Bearer {self.secret_key}":
            return _error(401, "invalid_request_error", "Invalid API Key provided")
        where = urlsplit(path)
        if (method, where.path) == ("GET", "/v1/refunds"):
            return self._list(parse_qs(where.query)["payment_intent"][0])
        if (method, path) != ("POST", "/v1/refunds"):
            return _error(404, "invalid_request_error", "Unrecognized request URL")
        return self._create(headers.get("idempotency-key", ""), body)

    def _create(self, key: str, body: bytes) -> Answer | None:
        self.keys.append(key)
        if key in self._answers:
            first, kept = self._answers[key]
            return (
                kept if first == body else _error(400, "idempotency_error", "Keys for idempotent requests …")
            )
        trouble = self.troubles.popleft() if self.troubles else 200
        if trouble == 200 or self.takes_in_trouble:
            found = self._refund(parse_qs(body.decode()))
        if trouble not in {200, None}:
            found = _error(int(trouble or 0), "api_error", "Something went wrong")
        if trouble in {200, 500} or self.takes_in_trouble:
            self._answers[key] = (body, found)
        return None if trouble is None else found

    def _refund(self, form: dict[str, list[str]]) -> Answer:
        payment = form["payment_intent"][0]
        if any(self._is_alive(refund) and refund["payment_intent"] == payment for refund in self.refunds):
            return _error(
                400,
                "invalid_request_error",
                "Charge has already been refunded.",
                code="charge_already_refunded",
            )
        number = sum(refund["payment_intent"] == payment for refund in self.refunds)
        refund = {
            "id": f"re_{payment}" + (f"_{number}" if number else ""),
            "object": "refund",
            "amount": 900,
            "currency": "usd",
            "payment_intent": payment,
            "metadata": {
                name.removeprefix("metadata[").removesuffix("]"): value
                for name, (value,) in form.items()
                if name.startswith("metadata[")
            },
            "status": self.refund_status,
        }
        self.refunds.append(refund)
        return Answer(200, json.dumps(refund).encode())

    def _list(self, payment: str) -> Answer:
        if self.is_listing_away:
            return _error(503, "api_error", "Something went wrong")
        found = [refund for refund in reversed(self.refunds) if refund["payment_intent"] == payment]
        page = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": found}
        return Answer(200, json.dumps(page).encode())

    @staticmethod
    def _is_alive(refund: Mapping[str, Any]) -> bool:
        return refund["status"] not in {"failed", "canceled"}


def _error(status: int, kind: str, message: str, **more: str) -> Answer:
    return Answer(status, json.dumps({"error": {"type": kind, "message": message} | more}).encode())
