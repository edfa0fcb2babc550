"""Watches from a CSV file: what can be stored is stored at once, the rest is named by its line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from actors.services import Services
from domain.errors import InvalidInputError
from ingress.sheets import Record, Sheet
from ingress.wishes import wish_of
from store.enrolment import Wish

_REQUIRED = ("email", "source", "term", "section")
_COLUMNS = (*_REQUIRED, "kinds", "min_seats")
_BETWEEN_KINDS = re.compile(r"[|\s]+")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file; `rejected` holds the number of each such line, and why, in their order."""

    created: int
    existing: int
    rejected: list[tuple[int, str]]


def import_csv(services: Services, content: bytes, *, default_source: str) -> Imported:
    """Store the watches that `content` names, in one transaction.

    Shape: the columns email, source, term, section and perhaps kinds (parted by | or spaces) and min_seats,
    in any order. An empty source is `default_source`; empty kinds and min_seats count as not given.

    Raises: InvalidInputError when it is no such sheet (see `Sheet`); nothing is stored then.
    """
    wishes: list[tuple[int, Wish]] = []
    rejected: list[tuple[int, str]] = []
    for line, record in Sheet(content, _COLUMNS, _REQUIRED):
        try:
            wishes.append((line, wish_of(_given(record), services.sources, default_source)))
        except InvalidInputError as error:
            rejected.append((line, str(error)))
    results = services.store.watches.add_all([wish for _, wish in wishes], services.clock.now())
    rejected += [
        (line, str(result))
        for (line, _), result in zip(wishes, results, strict=True)
        if isinstance(result, InvalidInputError)
    ]
    return Imported(results.count(True), results.count(False), sorted(rejected))


def _given(record: Record | InvalidInputError) -> dict[str, object]:
    """What the record gives, in the types that JSON would have; empty cells of optional columns drop out."""
    if isinstance(record, InvalidInputError):
        raise record
    given: dict[str, object] = {name: cell for name, cell in record.items() if cell}
    if "kinds" in given:
        given["kinds"] = _BETWEEN_KINDS.split(record["kinds"])
    if _NUMBER.fullmatch(record.get("min_seats", "")):
        given["min_seats"] = int(record["min_seats"])
    return given
