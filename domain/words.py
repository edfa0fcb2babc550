"""Texts and times for people, the same in every letter and report."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, tzinfo

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LIMIT = 200
_ERROR_LIMIT = 300
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def one_line(text: str, limit: int = _LIMIT) -> str:
    """`text` as one line of at most `limit` characters, without control or invisible characters."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def invisible(text: str) -> str | None:
    """What is wrong with a field that holds a character which is not seen; None where it holds none.

    Controls, format characters such as a zero-width space, and spaces other than the plain one.
    """
    if text.isprintable():
        return None
    for character in text:
        if character != " " and unicodedata.category(character) in _UNSEEN:
            return f"contains an invisible character (U+{ord(character):04X})"
    return None


def describe(error: BaseException) -> str:
    """`error` by its type and text, as one line of at most 300 characters; it may hold secrets."""
    return one_line(f"{type(error).__name__}: {error}", _ERROR_LIMIT)


def format_date(at: datetime, zone: tzinfo = UTC) -> str:
    """The day of `at` in `zone`, such as "15 Jan 2026"; the same under every locale."""
    at = at.astimezone(zone)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def format_time(at: datetime, zone: tzinfo = UTC) -> str:
    """`at` with its zone, such as "15 Jan 2026, 09:30 UTC", or its offset where that has no name."""
    at = at.astimezone(zone)
    name = at.tzname() or ""
    offset = f"{at:%z}"
    named = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{format_date(at, zone)}, {at:%H:%M} {named}"
