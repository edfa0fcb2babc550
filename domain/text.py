"""Text for people: sanitised foreign text, formatted dates and times, parsed durations. Pure.

Text and headers of other services are made safe to store and to show. Dates do not depend on the locale.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_QUOTE: Final = 200
_ERROR_LIMIT = 300
_NOON: Final = 12
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp"}


def one_line(text: str, limit: int = MAX_QUOTE) -> str:
    """`text` as one line of at most `limit` characters, without control or invisible characters."""
    line = printable(text)
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def invisible(text: str) -> str | None:
    """The problem with a text that contains an invisible character; None if it contains none.

    Invisible are controls, format characters such as a zero-width space, and all spaces but U+0020.
    """
    if text.isprintable():
        return None
    for character in text:
        if character != " " and unicodedata.category(character) in _UNSEEN:
            return f"contains an invisible character (U+{ord(character):04X})"
    return None


@dataclass(frozen=True, slots=True)
class Identifier:
    """The one rule for a kind of identifier: a pattern of the whole text, and the pattern in words."""

    pattern: str
    wanted: str

    def matches(self, text: str) -> bool:
        """Whether `text` is such an identifier."""
        return re.fullmatch(self.pattern, text) is not None

    def problem(self, text: str) -> str | None:
        """The problem with `text`; None if it is such an identifier."""
        return None if self.matches(text) else invisible(text) or f"must be {self.wanted}"


HEX_ID = "[0-9a-f]{32}"
"""The pattern of the ids of runs and jobs: a UUID in hexadecimal."""


def describe(error: BaseException) -> str:
    """Type and text of `error` as one line of at most 300 characters; it may contain secrets."""
    return one_line(f"{type(error).__name__}: {error}", _ERROR_LIMIT)


def format_date(at: datetime, zone: tzinfo = UTC) -> str:
    """The day of `at` in `zone`, such as "15 Jan 2026"; the same under every locale."""
    at = at.astimezone(zone)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def format_minute(at: datetime) -> str:
    """`at` to the minute in UTC, such as "2026-01-15 09:30 UTC"."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def format_time(at: datetime, zone: tzinfo = UTC) -> str:
    """`at` with its zone, such as "15 Jan 2026, 09:30 UTC", or with its offset if the zone has no name."""
    at = at.astimezone(zone)
    name = at.tzname() or ""
    offset = f"{at:%z}"
    named = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{format_date(at, zone)}, {at:%H:%M} {named}"


def time_zone(text: str) -> tzinfo:
    """The time zone `text`. Raises: ValueError if this machine does not know it."""
    if text == "UTC":  # also on a machine without a time zone database
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone of this machine, such as America/Los_Angeles") from error


@lru_cache(maxsize=512)
def clock_time(digits: str) -> str:
    """A time of day in four digits as displayed: 1330 is 1:30 PM; any other text as it is."""
    if not re.fullmatch("[0-9]{4}", digits):
        return digits
    hour, minute = int(digits[:2]), digits[2:]
    return f"{(hour - 1) % _NOON + 1}:{minute} {'AM' if hour < _NOON else 'PM'}"


def printable(text: str) -> str:
    """One line of printable characters: control characters and broken surrogates become blanks."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def quote(text: str, *secrets: str) -> str:
    """The start of `text` for an error message: at most `MAX_QUOTE` characters, `secrets` redacted."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "[secret]")
    return one_line(text[: 4 * MAX_QUOTE], MAX_QUOTE)


def http_date(header: str | None) -> datetime | None:
    """The time in a header such as `Date`; None without a valid one."""
    try:
        at = parsedate_to_datetime(header or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


DURATION = "[0-9]{1,8}[smhd]"
"""The pattern of a duration as text."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)


def duration(text: str) -> timedelta:
    """Parse a duration such as 90s, 15m, 2h or 3d.

    Raises: ValueError if it is not a duration, is zero, or is longer than a year.
    """
    text = text.strip()
    is_sound = re.fullmatch(DURATION, text) is not None
    length = timedelta(**{_UNITS[text[-1]]: int(text[:-1])}) if is_sound else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise ValueError("must be a time such as 90s, 15m, 2h or 3d, a year at most")
    return length


NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_FEW_SECONDS = 10


def number(count: float) -> str:
    """A whole number with thousands separators."""
    return f"{count:,.0f}".replace(",", NARROW_SPACE)


def plural(count: int, one: str, several: str = "") -> str:
    """A count and its noun: "1 watch", "2 watches"."""
    return f"{number(count)} {one if count == 1 else several or f'{one}s'}"


def format_duration(length: float | timedelta) -> str:
    """A duration in its two largest units: "80 ms", "1.8 s", "4 min 10 s" or "2 d 3 h"."""
    total = length.total_seconds() if isinstance(length, timedelta) else length
    if 0 < total < 1:
        return f"{total * 1000:.0f} ms"
    if total < _FEW_SECONDS:
        return f"{total:.1f} s".replace(".0 ", " ")
    whole = round(total)
    for size, unit, smaller, smaller_unit in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"
