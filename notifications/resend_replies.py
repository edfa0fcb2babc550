"""Classifies Resend's refusals: the messages, the account or sender, the rate, or Resend itself.

Source: https://resend.com/docs/api-reference/errors
"""

from __future__ import annotations

import re

from domain.errors import (
    AccountRefusedError,
    IdempotencyKeyUsedError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UpstreamError,
)

TOO_MANY = 429
_CONFLICT, _FIRST_SERVER_ERROR = 409, 500
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
# The SDK's error for an answer that is not JSON: a proxy's page rather than Resend's own refusal.
_WITHOUT_REASON = "application_error"
_OF_THE_ACCOUNT = frozenset(
    {
        "invalid_from_address",
        "invalid_access",
        "invalid_region",
        "invalid_scope",
        "restricted_api_key",
        "missing_api_key",
        "invalid_api_key",
        "invalid_idempotency_key",
        "security_error",
        "method_not_allowed",
        "not_found",
    }
)
_OF_THE_LETTER = frozenset(
    {
        "validation_error",
        "missing_required_field",
        "missing_required_fields",
        "invalid_parameter",
        "invalid_attachment",
        "invalid_to_address",
    }
)
_LETTER_STATUSES = frozenset({400, 413, 422})
_SENDER = re.compile(
    r"`from`|\bfrom\b (?:field|address)|\bsender\b|domain is not verified|verify (?:a|your) domain|"
    r"testing emails|api key|quota|suspended|not authori[sz]ed",
    re.IGNORECASE,
)


def is_about_sender(message: str) -> bool:
    """Whether `message` concerns the account or the `from` address, which all messages share."""
    return bool(_SENDER.search(message))


def failure(status: int, name: str, message: str, retry_after_seconds: float | None) -> RollcallError:
    """The error for a refusal of the whole request."""
    told = f"Resend: {status} {name}: {message}"
    if name in _QUOTAS:
        return AccountRefusedError(told)
    if status == TOO_MANY:
        return RateLimitedError(told, retry_after_seconds=retry_after_seconds)
    if status >= _FIRST_SERVER_ERROR or name == _WITHOUT_REASON:
        return UpstreamError(told)
    if status == _CONFLICT:
        is_under_way = name == "concurrent_idempotent_requests"
        return TransientError(told) if is_under_way else IdempotencyKeyUsedError(told)
    return _refusal(status, name, message, told)


def _refusal(status: int, name: str, message: str, told: str) -> RollcallError:
    if "api_key" in name or "api key" in message.lower():
        return UnauthorisedError(told)
    is_of_letter = status in _LETTER_STATUSES and (name in _OF_THE_LETTER or status == 413)  # noqa: PLR2004
    if is_of_letter and not is_about_sender(message):
        return RejectedError(told)
    # Only a refusal known to concern the message ends it; otherwise the channel waits and alerts.
    return AccountRefusedError(told)
