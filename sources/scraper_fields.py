"""The `data` of a successful scrape, field by field. Pure.

Source: the contract of `POST /scrape`. Its fields are read strictly; fields that the service may add one day
are passed over. Null is allowed where it means "not told": instructor, place, time, non-reserved seats.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.errors import MalformedResponseError
from domain.observation import Details, Observation, instructor, seats
from domain.section import SectionKey
from domain.text import printable

_MAX_SEATS = 100_000
_MAX_TEXT = 1_000


def observation(
    key: SectionKey, data: dict[str, Any], observed_at: datetime, took_seconds: float | None = None
) -> Observation:
    """What `data` shows of `key`; open seats are the non-reserved ones where they are told.

    Raises: MalformedResponseError, naming the first field that is not as agreed.
    """
    available, unreserved = _count(data, "seats_available"), _count_or_null(data, "non_reserved_seats")
    return Observation(
        key=key,
        observed_at=observed_at,
        open_seats=seats(available if unreserved is None else unreserved),
        capacity=seats(_count(data, "seats_capacity")),
        instructor=instructor(_text_or_null(data, "instructor")),
        details=Details(
            course=f"{_text(data, 'subject')} {_text(data, 'catalog_nbr')}".strip(),
            title=_text(data, "title"),
            location=_text_or_null(data, "location") or "",
            meeting_times=_text_or_null(data, "meeting_times") or "",
        ),
        took_seconds=took_seconds,
        unreserved_seats=seats(unreserved),
    )


def _count(data: dict[str, Any], field: str) -> int:
    value = _required(data, field)
    if type(value) is not int:  # a bool is an int to isinstance
        raise MalformedResponseError(f"{field}: must be a whole number")
    if abs(value) > _MAX_SEATS:
        raise MalformedResponseError(f"{field}: is beyond {_MAX_SEATS:,}")
    return value


def _count_or_null(data: dict[str, Any], field: str) -> int | None:
    return None if _required(data, field) is None else _count(data, field)


def _text(data: dict[str, Any], field: str) -> str:
    value = _required(data, field)
    if not isinstance(value, str):
        raise MalformedResponseError(f"{field}: must be text")
    if len(value) > _MAX_TEXT:
        raise MalformedResponseError(f"{field}: is longer than {_MAX_TEXT:,} characters")
    return printable(value)


def _text_or_null(data: dict[str, Any], field: str) -> str | None:
    return None if _required(data, field) is None else _text(data, field)


def _required(data: dict[str, Any], field: str) -> Any:
    try:
        return data[field]
    except KeyError:
        raise MalformedResponseError(f"{field}: is missing") from None
