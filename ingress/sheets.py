"""CSV with a header line, record by record, each with the number of the line on which it starts.

Source: RFC 4180, in UTF-8; a byte order mark, as spreadsheets write it, is taken off.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

from domain.errors import InvalidInputError

MAX_RECORDS = 10_000
Record = dict[str, str]


class Sheet:
    """Iterates over what is under the header: a line number, and a record or what is wrong with it.

    Raises: InvalidInputError for another encoding, or for columns that are unknown, missing or repeated;
    while iterating, for more than 10,000 records.
    """

    def __init__(self, content: bytes, columns: Sequence[str], required: Sequence[str]) -> None:
        # Lines keep their endings, for the reader to see which of them are inside quotes.
        self._reader = csv.reader(io.StringIO(_decoded(content), newline=""), strict=True)
        self._header = self._read_header()
        _require_columns(self._header, columns, required)

    def __iter__(self) -> Iterator[tuple[int, Record | InvalidInputError]]:
        count = 0
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, InvalidInputError({"line": f"cannot be read ({error})"})
                continue
            if not any(cells):
                continue
            count += 1
            if count > MAX_RECORDS:
                raise InvalidInputError({"body": f"must have no more than {MAX_RECORDS:,} lines"})
            yield line, self._record(cells)

    def _read_header(self) -> list[str]:
        try:
            return [name.strip().lower() for name in next(self._reader, [])]
        except csv.Error as error:
            raise InvalidInputError({"header": f"cannot be read ({error})"}) from error

    def _record(self, cells: list[str]) -> Record | InvalidInputError:
        if len(cells) != len(self._header):
            return InvalidInputError({"line": f"has {len(cells)} fields, not {len(self._header)}"})
        return {name: cell.strip() for name, cell in zip(self._header, cells, strict=True)}


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError({"body": "must be UTF-8"}) from error


def _require_columns(header: list[str], columns: Sequence[str], required: Sequence[str]) -> None:
    problems = {name: "is not a known column" for name in header if name not in columns}
    problems |= {name: "is a missing column" for name in required if name not in header}
    problems |= {name: "is a repeated column" for name, count in Counter(header).items() if count > 1}
    if problems:
        raise InvalidInputError(problems)
