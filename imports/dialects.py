"""Which delimiter, quote and header row a file has, from its beginning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, Final

from domain.errors import InvalidInputError
from imports.columns import filled, is_amount, is_date, role_of
from imports.delimited import DELIMITERS, QUOTES, DelimitedRecords, Dialect, opening
from imports.lines import Lines, Position
from imports.profile import Profile
from imports.table import Record, first_records
from imports.text_encoding import Encoding

SAMPLE_RECORDS: Final = 100
_SAMPLE_CHARACTERS: Final = 1 << 18
_FEWEST_CELLS = 2
_EDGES: Final = {
    quote: (re.compile(rf"(?:^|[,;\t|]) *{quote}"), re.compile(rf"{quote} *(?:[,;\t|\r\n]|$)"))
    for quote in QUOTES
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the records of a file begin, and the names of their columns.

    Shape: `header_row` is the line of the names; 0 if no row has them. `is_certain` is False if another
    delimiter fits as well.
    """

    dialect: Dialect
    header_row: int
    columns: tuple[str, ...]
    start: Position
    is_certain: bool = True


def detect_layout(file: BinaryIO, encoding: Encoding, profile: Profile) -> Layout:
    """Return the layout of a file; what `profile` states is not detected.

    Raises: InvalidInputError if the file has no row of at least two cells, or not the stated header row.
    """
    line, origin, announced = opening(file, encoding)
    if not line:
        raise InvalidInputError({"body": "must not be empty"})
    known = profile.delimiter or announced
    quote = profile.quote or _likely_quote(file, encoding, origin)
    dialects = [Dialect(each, quote) for each in ([known] if known else DELIMITERS)]
    samples = [first_records(DelimitedRecords(file, encoding, dialect, origin)) for dialect in dialects]
    ranks = [_rank(each) for each in samples]
    best = ranks.index(max(ranks))
    layout = _layout(dialects[best], samples[best], origin, profile)
    return replace(layout, is_certain=ranks.count(ranks[best]) == 1)


def _likely_quote(file: BinaryIO, encoding: Encoding, origin: Position) -> str:
    """Return the quote that opens and closes more cells; the double quote if neither does."""
    lines, counts = Lines(file, encoding, origin), dict.fromkeys(QUOTES, 0)
    characters = 0
    for line in islice(lines, SAMPLE_RECORDS):
        lines.begin_record()
        for quote in QUOTES:
            opening, closing = _EDGES[quote]
            counts[quote] += min(len(opening.findall(line)), len(closing.findall(line)))
        characters += len(line)
        if characters > _SAMPLE_CHARACTERS:
            break
    return max(QUOTES, key=counts.__getitem__)


def _rank(sample: Sequence[Record]) -> tuple[int, int, int]:
    """Return how well a delimiter fits: names of columns in a row, rows of the common width, that width."""
    names = max((_known_names(record) for record in sample), default=0)
    width, count = _common_width(sample)
    return names, count, width


def _known_names(record: Record) -> int:
    return len({role for cell in record.cells if isinstance(cell, str) and (role := role_of(cell))})


def _common_width(sample: Sequence[Record]) -> tuple[int, int]:
    """Return the most frequent number of cells, of at least two, and how many records have it."""
    widths = Counter(len(each.cells) for each in sample if len(each.cells) >= _FEWEST_CELLS)
    return max(widths.items(), key=lambda item: (item[1], item[0])) if widths else (0, 0)


def _layout(dialect: Dialect, sample: Sequence[Record], origin: Position, profile: Profile) -> Layout:
    header = header_of(sample, profile.header_row)
    if header is None:
        width = max((len(record.cells) for record in sample), default=0)
        first = next((record for record in sample if filled(record.cells)), None)
        if first is None or width < _FEWEST_CELLS:
            raise _no_table(sample)
        columns = tuple(f"#{number}" for number in range(1, width + 1))
        return Layout(dialect, 0, columns, origin)
    return Layout(dialect, header.line, names_of(header), header.after)


def _no_table(sample: Sequence[Record]) -> InvalidInputError:
    unreadable = next((record for record in sample if record.problem), None)
    if unreadable is not None:
        return InvalidInputError({"body": f"line {unreadable.line}: {unreadable.problem}"})
    return InvalidInputError({"body": "has no row of at least two cells"})


def names_of(header: Record) -> tuple[str, ...]:
    """Return the names in a header, without blank ones at its end.

    Raises: InvalidInputError if the row cannot be read.
    """
    if header.problem is not None:
        raise InvalidInputError({"header_row": f"line {header.line} {header.problem}"})
    names = [str(cell).strip() for cell in header.cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def header_of(sample: Sequence[Record], wanted: int | None) -> Record | None:
    """Return the row with the names of the columns, or the one in line `wanted`; None without one.

    Names are neither dates nor amounts, none is repeated, and rows of about as many cells follow.
    Raises: InvalidInputError if line `wanted` begins no row of the sample.
    """
    if wanted == 0:
        return None
    if wanted is not None:
        found = next((record for record in sample if record.line == wanted), None)
        if found is None:
            raise InvalidInputError({"header_row": f"no row begins in line {wanted}"})
        return found
    width, _ = _common_width(sample)
    possible = [record for record in sample if _may_be_header(record, width)]
    best = max(possible, key=_known_names, default=None)  # the first of equals
    if best is None or _known_names(best):
        return best
    before = [record for record in sample if record.line < best.line and len(record.cells) == width]
    return None if before else best


def _may_be_header(record: Record, width: int) -> bool:
    names = [cell for cell in record.cells if not isinstance(cell, str) or cell.strip()]
    is_text = all(isinstance(cell, str) and not is_date(cell) and not is_amount(cell) for cell in names)
    return is_text and len(names) >= _FEWEST_CELLS and len(names) * 2 > width
