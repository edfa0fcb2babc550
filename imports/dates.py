"""Dates as banks write them. The order of day, month and year is decided by a whole column, not by a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

from domain.text import MONTHS

MAX_LENGTH: Final = 64
_PIVOT: Final = 69  # POSIX: two digits from 69 are years of the last century
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_CLOCK = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d{1,9})?\s*(?:[AaPp]\.?[Mm]\.?)?"
_TIME = rf"(?:[T ,]\s*{_CLOCK}\s*(?:Z|UTC|GMT|[+-]\d{{2}}:?\d{{2}})?)?"
_NUMERIC = re.compile(rf"(\d{{1,4}})\s*([-/.])\s*(\d{{1,2}})\s*([-/.']|\s')\s*(\d{{1,4}})\.?{_TIME}")
_COMPACT = re.compile(rf"(\d{{8}}){_TIME}")
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th)?[-/. ]+([A-Za-z]{{3,9}})[-/., ]+(\d{{4}}|'?\d{{2}}){_TIME}"
)
_MONTH_FIRST = re.compile(
    rf"([A-Za-z]{{3,9}})[-/. ]+(\d{{1,2}})(?:st|nd|rd|th)?[-/., ]+(\d{{4}}|'?\d{{2}}){_TIME}"
)
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/. ]+([A-Za-z]{{3,9}})[-/. ]+(\d{{1,2}}){_TIME}")
_MONTH_NAMES: Final = {name.casefold(): number for number, name in enumerate(MONTHS, 1)}
_FULL_NAMES: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


class DateOrder(StrEnum):
    """The order of year, month and day."""

    YMD = "YMD"
    DMY = "DMY"
    MDY = "MDY"


def date_readings(text: str) -> Mapping[DateOrder, date]:
    """Return what `text` means in each order that can read it; empty if it is no date.

    A time of day may follow; the date is the one that is written, in no particular time zone. English names
    of months are read in every order. Years are four digits, or two: 69 to 99 are 1969 to 1999, unless an
    apostrophe precedes them, as in QIF.
    """
    return _readings(text) if len(text) <= MAX_LENGTH else {}


@lru_cache(maxsize=1 << 14)
def _readings(text: str) -> Mapping[DateOrder, date]:
    text = text.strip()
    if found := _NUMERIC.fullmatch(text):
        return _numeric(found[1], found[3], found[5], found[4].strip())
    if found := _COMPACT.fullmatch(text):
        return _compact(found[1])
    if named := _named(text):
        return dict.fromkeys(DateOrder, named)
    return {}


def read_date(text: str, order: DateOrder) -> date:
    """Return the date in `text`. Raises: ValueError if it is none in this order."""
    found = date_readings(text).get(order)
    if found is None:
        raise ValueError(f"{text.strip()[:40]!r} is not a date in the order {order}")
    return found


def _numeric(first: str, second: str, third: str, separator: str) -> dict[DateOrder, date]:
    found: dict[DateOrder, date | None] = {}
    # A year of two digits stands first only between hyphens or slashes.
    if len(first) == 4 or (len(first) == len(third) == 2 and separator in "-/"):  # noqa: PLR2004
        found[DateOrder.YMD] = _date(first, second, third)
    if len(first) <= 2:  # noqa: PLR2004
        year = f"'{third}" if separator == "'" else third
        found[DateOrder.DMY] = _date(year, second, first)
        found[DateOrder.MDY] = _date(year, first, second)
    return {order: value for order, value in found.items() if value is not None}


def _compact(digits: str) -> dict[DateOrder, date]:
    found = {
        DateOrder.YMD: _date(digits[:4], digits[4:6], digits[6:]),
        DateOrder.DMY: _date(digits[4:], digits[2:4], digits[:2]),
        DateOrder.MDY: _date(digits[4:], digits[:2], digits[2:4]),
    }
    return {order: value for order, value in found.items() if value is not None}


def _named(text: str) -> date | None:
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year = found[1], found[2], found[3]
    elif found := _MONTH_FIRST.fullmatch(text):
        month, day, year = found[1], found[2], found[3]
    elif found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
    else:
        return None
    name = month.casefold()
    number = _MONTH_NAMES.get(name[:3])
    is_known = number is not None and (name in (*_MONTH_NAMES, "sept") or name == _FULL_NAMES[number - 1])
    return _date(year, str(number), day) if is_known else None


def _date(year: str, month: str, day: str) -> date | None:
    try:
        found = date(_year(year), int(month), int(day))
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _year(text: str) -> int:
    """Return the year of four digits, or of two; an apostrophe stands for 20."""
    if text.startswith("'"):
        return int(text[1:]) if len(text) == 5 else 2000 + int(text[1:])  # noqa: PLR2004
    if len(text) <= 2:  # noqa: PLR2004
        return int(text) + (2000 if int(text) < _PIVOT else 1900)
    return int(text)
