"""Paginated listings: an opaque cursor in, the items and the next cursor out."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from starlette.responses import JSONResponse, Response

from ingress.fields import digits, text
from ingress.rules import Rule

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
limit = digits(1, MAX_LIMIT)


def cursor_of(listing: str) -> Rule[int | None]:
    """The rule that reads a cursor of `listing`, and of no other; an empty one is the first page."""
    schema = {
        "description": "The next_cursor of the page before.",
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]*$",
    }
    return Rule(lambda value: None if value == "" else _read(listing, text(value)), schema)


def page(listing: str, items: Iterable[object], position: int | None) -> Response:
    """One page, and the cursor of the next unless it is the last."""
    return JSONResponse({"items": list(items), "next_cursor": cursor(listing, position)})


def cursor(listing: str, position: int | None) -> str | None:
    """Return the cursor of the page after `position`; None after the last."""
    return None if position is None else _write(listing, position)


def _write(listing: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{listing}:{position}".encode()).decode().rstrip("=")


def _read(listing: str, given: str) -> int:
    refusal = "must be a next_cursor of this listing"
    try:
        name, _, position = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().partition(":")
        found = digits(0)(position)
    except ValueError as error:
        raise ValueError(refusal) from error
    if name != listing or _write(listing, found) != given:
        raise ValueError(refusal)
    return found
