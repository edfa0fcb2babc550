"""Amounts of money as banks write them. The decimal separator is decided by a whole column, not by a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from domain.text import quote

SEPARATORS: Final = (".", ",")
GROUPINGS: Final = (".", ",", "'", " ")
MAX_DIGITS: Final = 24
MAX_LENGTH: Final = 64
_MINUS = "\u2212\ufe63\uff0d"
_SPACES = "\u00a0\u202f\u2009"
_PLAIN = str.maketrans(
    dict.fromkeys(_MINUS, "-") | dict.fromkeys(_SPACES, " ") | {"\u2019": "'", "\uff0b": "+"}
)
_CURRENCY = r"[A-Z]{3}|[A-Z]{0,3}\$|[€£¥₹₽₺₴₪₩₫฿]|kr\.?|zł|Kč|Ft|lei|Fr\.?|Rs\.?"
_AMOUNT = re.compile(
    rf"(?P<before>[-+])?\s*(?P<left>{_CURRENCY})?\s*(?P<open>\()?\s*(?P<inner>{_CURRENCY})?\s*(?P<sign>[-+])?\s*"
    rf"(?P<number>[0-9][0-9.,' ]*|[.,][0-9]+)\s*(?P<after>[-+])?\s*(?P<right>{_CURRENCY})?\s*(?P<close>\))?"
    r"\s*(?P<side>(?:CR|DR|Cr|Dr)\.?)?"
)
_SIMPLE: Final = {mark: re.compile(rf"-?[0-9]+(?:{re.escape(mark)}[0-9]+)?") for mark in SEPARATORS}
_CLEAR: Final = re.compile(r"-?[0-9]{1,20}([.,])[0-9]{1,2}")  # only one separator can read it
_CODES: Final = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₴": "UAH", "₪": "ILS", "₩": "KRW",
    "฿": "THB", "₫": "VND", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "US$": "USD", "A$": "AUD", "C$": "CAD",
    "R$": "BRL", "NZ$": "NZD", "HK$": "HKD", "CA$": "CAD", "AU$": "AUD",
}  # fmt: skip


class Money(NamedTuple):
    """An amount, and its currency where the text names exactly one: `$` and `kr` name several."""

    amount: Decimal
    currency: str | None = None


class _Parts(NamedTuple):
    is_negative: bool
    number: str
    currency: str | None


def amount_readings(text: str) -> Mapping[str, Money]:
    """Return what `text` means with each decimal separator that can read it; empty if it is no amount."""
    return _readings(text) if len(text) <= MAX_LENGTH else {}


@lru_cache(maxsize=1 << 14)
def _readings(text: str) -> Mapping[str, Money]:
    if clear := _CLEAR.fullmatch(text):
        return {clear[1]: read_amount(text, clear[1])}
    found = {}
    for decimal in SEPARATORS:
        try:
            found[decimal] = read_amount(text, decimal)
        except ValueError:
            continue
    return found


def read_amount(text: str, decimal: str, grouping: str | None = None) -> Money:
    """Return the amount in `text`, whose decimal separator is `decimal`.

    Digits are grouped by threes (or by twos before the last three) with `grouping`; if it is None, with any
    separator but `decimal`. A sign, parentheses for a negative amount, CR or DR, and a currency may stand
    beside the number.

    Raises: ValueError for any other text.
    """
    if _SIMPLE[decimal].fullmatch(text) and len(text) <= MAX_DIGITS:
        return Money(Decimal(text.replace(decimal, ".")))
    parts = _parts(text) if len(text) <= MAX_LENGTH else None
    digits = _digits(parts.number, decimal, grouping) if parts else None
    if parts is None or digits is None or len(digits) > MAX_DIGITS:
        raise ValueError(f"{quote(text)!r} is not an amount with the decimal separator {decimal!r}")
    amount = Decimal(digits)
    return Money(-amount if parts.is_negative else amount, parts.currency)


def _parts(text: str) -> _Parts | None:
    found = _AMOUNT.fullmatch(" ".join(text.translate(_PLAIN).split()))
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    signs = [found[name] for name in ("before", "sign", "after") if found[name]]
    signs += ["-"] if found["open"] else []
    signs += ["-" if found["side"].casefold().startswith("d") else "+"] if found["side"] else []
    currencies = [found[name] for name in ("left", "inner", "right") if found[name]]
    if len(signs) > 1 or len(currencies) > 1:
        return None
    return _Parts(signs == ["-"], found["number"].strip(), _code(currencies[0]) if currencies else None)


def _code(symbol: str) -> str | None:
    return symbol if re.fullmatch("[A-Z]{3}", symbol) else _CODES.get(symbol)


def _digits(number: str, decimal: str, grouping: str | None) -> str | None:
    """Return the number with a point and without grouping; None if it is not written like that."""
    if not _number_pattern(decimal, grouping).fullmatch(number):
        return None
    whole, _, fraction = number.partition(decimal)
    return (
        f"{re.sub('[^0-9]', '', whole) or '0'}.{fraction or '0'}" if fraction else re.sub("[^0-9]", "", whole)
    )


@lru_cache
def _number_pattern(decimal: str, grouping: str | None) -> re.Pattern[str]:
    groupings = [mark for mark in GROUPINGS if mark != decimal] if grouping is None else [grouping]
    either = "".join(map(re.escape, groupings))
    grouped = (
        rf"[1-9][0-9]{{0,2}}(?P<mark>[{either}])(?:[0-9]{{2,3}}(?P=mark))*[0-9]{{3}}" if either else "(?!)"
    )
    return re.compile(rf"(?:{grouped}|[0-9]+)(?:{re.escape(decimal)}[0-9]*)?|{re.escape(decimal)}[0-9]+")
