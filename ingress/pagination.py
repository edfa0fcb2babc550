"""Paginated listings: an opaque cursor in, the items and the next cursor out."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from operations.inputs import digits, text

T = TypeVar("T")
DEFAULT_LIMIT = 100
MAX_LIMIT = 500


class PageQuery(Struct, frozen=True, kw_only=True):
    """The size of a page; a listing adds its filter and `cursor`, which `cursor_of` reads."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: Annotated[
        str | None, Meta(description="The cursor of the next page; null on the last page.")
    ]


def page(listing: str, items: Iterable[T], position: int | None) -> Page[T]:
    """Return one page of `listing`, and the cursor of the next unless it is the last."""
    return Page(list(items), next_cursor(listing, position))


def cursor_of(listing: str) -> Meta:
    """Return the type of a cursor of `listing`, and of no other; an empty one is the first page."""

    def parse(given: Any) -> int | None:
        return None if given == "" else _read(listing, text(given))

    schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}
    return Meta(
        description="The next_cursor of the previous page.", extra={"parse": parse}, extra_json_schema=schema
    )


def next_cursor(listing: str, position: int | None) -> str | None:
    """Return the cursor of the page after `position`; None after the last."""
    return None if position is None else _write(listing, position)


def _write(listing: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{listing}:{position}".encode()).decode().rstrip("=")


def _read(listing: str, given: str) -> int:
    problem = "must be a next_cursor of this listing"
    try:
        name, _, position = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().partition(":")
        found = digits(position)
    except ValueError as error:
        raise ValueError(problem) from error
    if name != listing or _write(listing, found) != given:
        raise ValueError(problem)
    return found
