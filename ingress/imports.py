"""Imports watches from a CSV file: valid lines are stored, the others are reported by line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actors.services import Services
from domain.errors import InvalidInputError
from ingress.csv_reader import CsvReader, Record
from ingress.wishes import wish_of
from operations.first_look import look_at_all
from operations.watches import COLUMNS, add_all
from store.watch_import import WatchRequest

_ORIGIN = "import"
_REQUIRED = ("email", "term", "section")
_BETWEEN_KINDS = re.compile(r"[|,;\s]+")
_NUMBER = re.compile(r"[0-9]{1,9}")


Rejected = Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Read:
    """The watches of a file, each with its line number, and the errors of the other lines."""

    wishes: list[tuple[int, WatchRequest]]
    rejected: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import; `rejected` holds each rejected line's number and reason, in order."""

    created: int
    existing: int
    rejected: list[tuple[int, str]]


def read_csv(services: Services, content: bytes, *, default_source: str) -> Read:
    """Return the watches in `content`; store nothing.

    Shape: the columns email, source, term, section and optionally kinds (separated by | or spaces) and
    min_seats, in any order; source is required only where several are configured. An empty source is
    `default_source`; empty kinds and min_seats count as not given.

    Raises: InvalidInputError for a file that is not readable as CSV (see `CsvReader`).
    """
    wishes: list[tuple[int, WatchRequest]] = []
    rejected: list[tuple[int, str]] = []
    required = _REQUIRED if len(services.sources) == 1 else (*_REQUIRED, "source")
    for line, record in CsvReader(content, COLUMNS, required):
        try:
            wishes.append((line, wish_of(_given(record), services.sources, default_source)))
        except InvalidInputError as error:
            rejected.append((line, str(error)))
    return Read(wishes, rejected)


def import_csv(services: Services, content: bytes, *, default_source: str, by: str) -> Imported:
    """Store what `read_csv` returns, in one transaction, on behalf of `by`; then check new sections.

    Raises: as `read_csv`.
    """
    read = read_csv(services, content, default_source=default_source)
    results = add_all(services, [wish for _, wish in read.wishes], by)
    refused = [
        (line, str(result))
        for (line, _), result in zip(read.wishes, results, strict=True)
        if isinstance(result, InvalidInputError)
    ]
    taken = zip(read.wishes, results, strict=True)
    look_at_all(services, {wish.key for (_, wish), result in taken if result is True}, _ORIGIN)
    return Imported(results.count(True), results.count(False), sorted(read.rejected + refused))


def _given(record: Record | InvalidInputError) -> dict[str, object]:
    """Return the record's values with their JSON types; empty optional cells are omitted."""
    if isinstance(record, InvalidInputError):
        raise record
    given: dict[str, object] = {name: cell for name, cell in record.items() if cell}
    if "kinds" in given:
        given["kinds"] = _BETWEEN_KINDS.split(record["kinds"])
    if _NUMBER.fullmatch(record.get("min_seats", "")):
        given["min_seats"] = int(record["min_seats"])
    return given
