"""Postmark's wire format: letters as it takes them, and what its answers mean."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Any

from domain.errors import (
    MalformedAnswerError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notice import Accepted, Letter, Receipt, Refused

_MESSAGE_STREAM = "outbound"
_INVALID_ADDRESS, _INACTIVE_RECIPIENT = 300, 406  # Postmark's own codes, in answers with status 422
# Refusals of us, not of the letter: it can leave once a person has mended the account.
_NO_TOKEN, _NOT_ALLOWED = 10, 405
_SENDER_NOT_FOUND, _SENDER_NOT_CONFIRMED = 400, 401
_ACCOUNT_PENDING, _ACCOUNT_MAY_NOT_SEND = 412, 413
_UNAUTHORISED = {
    _NO_TOKEN,
    _NOT_ALLOWED,
    _SENDER_NOT_FOUND,
    _SENDER_NOT_CONFIRMED,
    _ACCOUNT_PENDING,
    _ACCOUNT_MAY_NOT_SEND,
}


def mail_of(letter: Letter) -> dict[str, Any]:
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


def receipt_of(status: int, answer: dict[str, Any]) -> Receipt:
    """What became of the letter. Raises: RollcallError when the answer is not about the letter."""
    code = answer.get("ErrorCode")
    if status == HTTPStatus.OK and code == 0 and answer.get("MessageID"):
        return Accepted(str(answer["MessageID"]))
    if code in {_INVALID_ADDRESS, _INACTIVE_RECIPIENT}:
        return Refused(_words(answer))
    raise refusal_of(status, answer)


def _words(answer: dict[str, Any]) -> str:
    return f"Postmark: {answer.get('ErrorCode')} {answer.get('Message')}"


def refusal_of(status: int, answer: dict[str, Any]) -> RollcallError:
    """The error that an answer stands for."""
    code, told = answer.get("ErrorCode"), _words(answer)
    if status == HTTPStatus.UNAUTHORIZED or code in _UNAUTHORISED:
        return UnauthorisedError(told)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(told)
    if status == HTTPStatus.OK:
        return MalformedAnswerError("Postmark's answer is not of the agreed shape")
    return UpstreamError(told) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RejectedError(told)
