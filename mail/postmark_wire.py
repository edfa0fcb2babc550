"""Postmark's wire format: letters as it takes them, and what its answers mean."""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import Any

from domain.errors import (
    AccountRefusedError,
    MalformedResponseError,
    RateLimitedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import Accepted, Deferred, DeliveryResult, OutboundMessage, Rejected

_MESSAGE_STREAM = "outbound"
# Postmark's own codes, in answers with status 422. Source: https://postmarkapp.com/developer/api/overview
_NO_TOKEN, _MAINTENANCE, _INVALID_REQUEST = 10, 100, 300
_OF_THE_LETTER = frozenset({406, 411})  # inactive recipient, forbidden attachment
_OF_THE_ACCOUNT = frozenset(
    {
        400,  # sender signature not found
        401,  # sender signature not confirmed
        405,  # not allowed to send: out of credits
        412,  # account is pending
        413,  # account may not send
        *range(500, 600),  # sender signatures and domains
        *range(600, 800),  # servers, domains
        *range(1220, 1240),  # message streams
    }
)
_ABOUT_SENDER = re.compile(
    r"'?From'?\b.*(?:address|field)|\bsender\b|signature|\bdomain\b.*(?:verif|confirm)|message ?stream",
    re.IGNORECASE,
)
_ACCOUNT_STATUSES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


def request_json(letter: OutboundMessage) -> dict[str, Any]:
    """The request that sends `letter`."""
    headers = letter.headers | {"X-PM-KeepID": "true"}  # our Message-ID stays
    return {
        "From": letter.sender,
        "To": letter.to,
        "Subject": letter.subject,
        "TextBody": letter.text,
        "HtmlBody": letter.html,
        "MessageStream": _MESSAGE_STREAM,
        "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        "Attachments": [
            {
                "Name": each.name,
                "Content": base64.b64encode(each.content).decode(),
                "ContentType": each.content_type,
            }
            for each in letter.attachments
        ],
    }


def delivery_result(status: int, answer: dict[str, Any]) -> DeliveryResult:
    """What became of the letter. Raises: RollcallError when the answer is not about the letter."""
    code = answer.get("ErrorCode")
    if status == HTTPStatus.OK and code == 0 and answer.get("MessageID"):
        return Accepted(str(answer["MessageID"]))
    error = failure(status, answer)
    if error is not None:
        raise error
    is_invalid = (
        code in _OF_THE_LETTER or code == _INVALID_REQUEST or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    )
    return (Rejected if is_invalid else Deferred)(_words(answer))


def failure(status: int, answer: dict[str, Any]) -> RollcallError | None:
    """The error that an answer stands for; None where it is about the letter, or may be."""
    code, told = answer.get("ErrorCode"), _words(answer)
    if status == HTTPStatus.UNAUTHORIZED or code == _NO_TOKEN:
        return UnauthorisedError(told)
    if HTTPStatus.TOO_MANY_REQUESTS in {status, code}:
        return RateLimitedError(told)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code == _MAINTENANCE:
        return UpstreamError(told)
    if status == HTTPStatus.OK:
        return MalformedResponseError("Postmark's answer is not of the agreed shape")
    is_about_sender = code == _INVALID_REQUEST and _ABOUT_SENDER.search(told)
    if code in _OF_THE_ACCOUNT or status in _ACCOUNT_STATUSES or is_about_sender:
        return AccountRefusedError(told)
    return None


def _words(answer: dict[str, Any]) -> str:
    return f"Postmark: {answer.get('ErrorCode')} {answer.get('Message')}"
