"""Parser for the scraper service: an HTTP response goes in, an outcome comes out. Pure.

Source: the contract of `POST /scrape`. The fields of `data` are parsed strictly; unknown fields are ignored.
Null is allowed where it means "not stated": instructor, place, time, non-reserved seats.
"""

from __future__ import annotations

import json
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RollcallError,
    UpstreamError,
)
from domain.observation import CheckFailure, Details, Missing, Observation, Outcome, instructor, seats
from domain.section import SectionKey
from domain.text import printable, quote
from providers.http import HttpResponse

_MAX_SEATS = 100_000
_MAX_TEXT = 1_000


def observation(
    key: SectionKey, data: dict[str, Any], observed_at: datetime, took_seconds: float | None = None
) -> Observation:
    """The observation of `key` in `data`; open seats are the non-reserved ones if stated.

    Raises: MalformedResponseError, naming the first invalid field.
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


DEFAULT_RETRY_AFTER_SECONDS: Final = 60.0
LONGEST_HOLD_SECONDS: Final = 60.0
_QUOTED_BYTES = 4_096
_SUCCESSES = range(200, 300)
_REDIRECTS = range(300, 400)


class Parser:
    """Parses responses; quotations in errors never contain `secret`."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def outcome(self, key: SectionKey, response: HttpResponse, observed_at: datetime) -> Outcome:
        """The outcome for `key` in `response`; an unusable response is a `CheckFailure` with the reason."""
        if response.status == HTTPStatus.NOT_FOUND:
            return Missing(key, observed_at, response.took_seconds)
        try:
            if response.status not in _SUCCESSES:
                raise self._refusal(response, observed_at)
            return observation(key, self._data(response), observed_at, response.took_seconds)
        except RollcallError as error:
            return CheckFailure(key, error)

    def _refusal(self, response: HttpResponse, now: datetime) -> RollcallError:
        error = response.error(self._reason(response), now)
        if isinstance(error, RateLimitedError) and error.retry_after_seconds is None:
            error.retry_after_seconds = DEFAULT_RETRY_AFTER_SECONDS
        return error

    def _reason(self, response: HttpResponse) -> str:
        if response.status in _REDIRECTS:
            location = self._quote(response.header("location") or "nowhere")
            return f"HTTP {response.status}: a redirect to {location}, not followed"
        text = self._start(response)
        return f"HTTP {response.status}: {text}" if text else f"HTTP {response.status}"

    def _data(self, response: HttpResponse) -> dict[str, Any]:
        document = self._document(response)
        success = document.get("success")
        if success is False:
            message = document.get("error") or document.get("message")
            reason = self._quote(message) if isinstance(message, str) else self._start(response)
            raise UpstreamError(f"the scraper did not succeed: {reason}")
        if success is not True:
            raise MalformedResponseError("success: must be true or false")
        data = document.get("data")
        if not isinstance(data, dict):
            raise MalformedResponseError("data: must be an object")
        return data

    def _document(self, response: HttpResponse) -> dict[str, Any]:
        if response.flaw is not None:
            raise MalformedResponseError(response.flaw)
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError) as error:
            raise MalformedResponseError(f"the response is not JSON: {self._start(response)}") from error
        if not isinstance(document, dict):
            raise MalformedResponseError("the response is not a JSON object")
        return document

    def _start(self, response: HttpResponse) -> str:
        return self._quote(response.body[:_QUOTED_BYTES].decode(errors="replace"))

    def _quote(self, text: str) -> str:
        return quote(text, self._secret)
