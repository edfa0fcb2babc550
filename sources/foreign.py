"""Text and times that other services wrote, made safe to keep and to show. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MAX_QUOTE: Final = 200
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_MAX_DIGITS = 9


def printable(text: str) -> str:
    """One line of printable characters: control characters and broken surrogates become blanks."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def quote(text: str, secret: str) -> str:
    """The start of `text` for an error message, `MAX_QUOTE` characters at most, without `secret`."""
    if secret:
        text = text.replace(secret, "[secret]")
    text = printable(text[: 4 * MAX_QUOTE])
    return text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 1]}…"


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """The wait that a `Retry-After` header asks for, an hour at most; None when it asks for none.

    Source: RFC 9110, 10.2.3: a whole number of seconds, or an HTTP date.
    """
    header = (header or "").strip()
    if header.isascii() and header.isdecimal():
        return min(float(header[:_MAX_DIGITS]), MAX_RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), MAX_RETRY_AFTER_SECONDS)
