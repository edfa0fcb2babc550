"""Which dialect a CSV file is written in: what its cells are parted by, and what its columns are."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain.errors import InvalidInputError

_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_SEP = re.compile(r'\s*"?sep=(.?)"?[\s,;]*', re.IGNORECASE)  # Excel's own first line
_UNSPOKEN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a file are.

    Shape: `names` has one entry a column. Where `has_header` is False the first row is data already.
    """

    names: tuple[str, ...]
    has_header: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a file may have, in the order of one without a header, and those that it must have."""

    known: Sequence[str]
    required: Collection[str]

    def layout(self, first_row: Sequence[str]) -> Layout:
        """What the columns of a file with this first row are.

        Raises: InvalidInputError naming each column that is unknown, missing or repeated.
        """
        cells = _without_blank_end(first_row)
        if not any(map(self.named, cells)) and any("@" in cell for cell in cells):
            return Layout(self._in_order(cells), has_header=False)
        names = tuple(self.named(cell) or cell.strip() for cell in cells)
        problems = {
            name or f"column {number}": "is not a known column" if name else "has no name"
            for number, name in enumerate(names, 1)
            if name not in self.known
        }
        problems |= {name: "is a missing column" for name in sorted(self.required) if name not in names}
        counts = Counter(name for name in names if name)
        problems |= {name: "is a repeated column" for name, count in counts.items() if count > 1}
        if problems:
            raise InvalidInputError(problems)
        return Layout(names, has_header=True)

    def named(self, cell: str) -> str | None:
        """The column that a header's cell names, whatever its case, quotes, spaces and hyphens."""
        said = _bare(cell)
        return next((name for name in self.known if _bare(name) == said), None)

    def _in_order(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The columns of a row without a header: all in their order, or the required ones alone."""
        required = tuple(name for name in self.known if name in self.required)
        names = required if len(cells) == len(required) else tuple(self.known[: len(cells)])
        is_clear = "@" in cells[0] and set(required) <= set(names) and len(cells) <= len(self.known)
        if not is_clear:
            wanted = ",".join(required)
            problem = f"is missing, and the first row is not {wanted}: begin with the names of the columns"
            raise InvalidInputError({"header": problem})
        return names


def announced_delimiter(line: str) -> str | None:
    """The delimiter that Excel's `sep=` line announces; None for any other line.

    Raises: InvalidInputError for a delimiter that is none of ours.
    """
    found = _SEP.fullmatch(line)
    if found is None:
        return None
    delimiter = found[1] or "\t"
    if delimiter not in _DELIMITERS:
        wanted = ", ".join(_DELIMITERS.values())
        raise InvalidInputError({"sep": f"announces {delimiter!r}; cells must be parted by one of {wanted}"})
    return delimiter


def likely_delimiter(line: str, columns: Columns) -> str:
    """The delimiter under which most cells of the first row name a column, or else most cells are."""

    def likelihood(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        return sum(columns.named(cell) is not None for cell in cells), len(cells)

    return max(_DELIMITERS, key=likelihood)


def _without_blank_end(cells: Sequence[str]) -> list[str]:
    kept = [cell.strip() for cell in cells]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _bare(name: str) -> str:
    return _UNSPOKEN.sub("", name).casefold()
