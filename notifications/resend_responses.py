"""Reads Resend's responses: results per message, and refusals by cause (message, account, rate, Resend).

Source: https://resend.com/docs/api-reference/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import Accepted, DeliveryResult, Rejected
from domain.retry import retry_after_seconds

_TOO_LARGE, _CONFLICT, _TOO_MANY, _FIRST_SERVER_ERROR = 413, 409, 429, 500
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
# The SDK's name for a response that is not JSON: a proxy's page rather than Resend's own refusal.
_NOT_JSON = "application_error"
_MESSAGE_ERRORS = frozenset(
    {
        "validation_error",
        "missing_required_field",
        "missing_required_fields",
        "invalid_parameter",
        "invalid_attachment",
        "invalid_to_address",
    }
)
_MESSAGE_STATUSES = frozenset({400, 413, 422})
_SENDER = re.compile(
    r"`from`|\bfrom\b (?:field|address)|\bsender\b|domain is not verified|verify (?:a|your) domain|"
    r"testing emails|api key|quota|suspended|not authori[sz]ed",
    re.IGNORECASE,
)


def message_result(content: Any) -> DeliveryResult:
    """The result in the response to a single message. Raises: MalformedResponseError."""
    try:
        return Accepted(str(content["id"]))
    except (KeyError, TypeError) as error:
        raise MalformedResponseError("Resend's response has an unexpected shape") from error


def batch_results(content: Any, count: int) -> list[DeliveryResult]:
    """One result per message: `errors` lists the refused by index, `data` the others in order.

    Raises: AccountRefusedError if all were refused because of their common sender; MalformedResponseError.
    """
    try:
        refused = {int(each["index"]): Rejected(str(each["message"])) for each in content.get("errors") or ()}
        accepted = [Accepted(str(each["id"])) for each in content["data"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedResponseError("Resend's response has an unexpected shape") from error
    if len(accepted) + len(refused) != count or not refused.keys() <= set(range(count)):
        raise MalformedResponseError(
            f"Resend returned {len(accepted)} + {len(refused)} results for {count} messages"
        )
    if refused and not accepted and all(_is_about_sender(each.reason) for each in refused.values()):
        raise AccountRefusedError(f"Resend: {next(iter(refused.values())).reason}")
    remaining = iter(accepted)
    return [refused.get(index) or next(remaining) for index in range(count)]


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait in the lower-case `headers`: `retry-after`, else `ratelimit-reset`."""
    return retry_after_seconds(headers.get("retry-after") or headers.get("ratelimit-reset"), now)


def error_from_refusal(
    status: int, name: str, message: str, retry_after_seconds: float | None
) -> RollcallError:
    """The error for a refusal of the whole request."""
    full = f"Resend: {status} {name}: {message}"
    if name in _QUOTAS:
        return AccountRefusedError(full)
    if status == _TOO_MANY:
        return RateLimitedError(full, retry_after_seconds=retry_after_seconds)
    if status >= _FIRST_SERVER_ERROR or name == _NOT_JSON:
        return UpstreamError(full)
    if status == _CONFLICT:
        is_in_progress = name == "concurrent_idempotent_requests"
        return TransientError(full) if is_in_progress else IdempotencyKeyUsedError(full)
    return _client_error(status, name, message, full)


def _client_error(status: int, name: str, message: str, full: str) -> RollcallError:
    if "api_key" in name or "api key" in message.lower():
        return UnauthorisedError(full)
    is_about_message = status in _MESSAGE_STATUSES and (name in _MESSAGE_ERRORS or status == _TOO_LARGE)
    if is_about_message and not _is_about_sender(message):
        return RejectedError(full)
    # Only a refusal known to concern the message ends it; otherwise the channel waits and alerts.
    return AccountRefusedError(full)


def _is_about_sender(message: str) -> bool:
    """Whether `message` concerns the account or the `from` address, which all messages share."""
    return bool(_SENDER.search(message))
