"""Files as spreadsheets write them: each dialect is written here and read back."""

from __future__ import annotations

import csv
import io
import string
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from operations.csv_reader import MAX_RECORDS, CsvReader, Record

KNOWN = ("email", "source", "term", "section", "kinds", "min_seats")
REQUIRED = ("email", "term", "section")
HEADER = "email,source,term,section\n"


def read(content: str | bytes) -> list[tuple[int, Record | str]]:
    given = content.encode() if isinstance(content, str) else content
    found = CsvReader(given, KNOWN, REQUIRED)
    return [(line, str(each) if isinstance(each, InvalidInputError) else each) for line, each in found]


def row(email: str = "a@b.co", source: str = "", term: str = "1", section: str = "2") -> Record:
    return {"email": email, "source": source, "term": term, "section": section}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + "a@b.co,,1,2\n", 2),
        (HEADER + "a@b.co,,1,2", 2),
        (HEADER.replace(",", ";") + "a@b.co;;1;2\n", 2),
        (HEADER.replace(",", "\t") + "a@b.co\t\t1\t2\n", 2),
        ("\n \r\n" + HEADER + "a@b.co,,1,2\n", 4),
        ("sep=,\n" + HEADER + "a@b.co,,1,2\n", 3),
        ("\n\nsep=;\n\nemail;source;term;section\na@b.co;;1;2\n", 6),
        (HEADER.replace("\n", ",,,\n") + "a@b.co,,1,2,,,\n", 2),
        (HEADER + "a@b.co,,1,2,, ,\n", 2),
        (HEADER + ",,,\n \n,,,,,,\n  , ,\u00a0,\na@b.co,,1,2\n", 6),
        (HEADER + "  a@b.co , ,\u00a01 ,2  \n", 2),
        (HEADER + '"a@b.co", "" ,"1" ,"2"\n', 2),
        (HEADER + '"a@b.co\n",,1,2\n', 2),
        (HEADER + 'a@b.co,,="1",="2"\n', 2),
        (HEADER.replace("\n", "\r") + "a@b.co,,1,2\r", 2),
        ("a@b.co,,1,2\n", 1),
        ("\n\na@b.co;;1;2\n", 3),
    ],
)
def test_the_same_record_is_read_from_every_dialect(content: str, line: int) -> None:
    assert read(content) == [(line, row())]


def test_optional_cells_may_be_left_out_at_the_end_of_a_row() -> None:
    assert read("email,term,section,kinds,min_seats\na@b.co,1,2\n") == [
        (2, {"email": "a@b.co", "term": "1", "section": "2"})
    ]


@pytest.mark.parametrize(
    ("rows", "line", "error"),
    [
        ("a@b.co,,1\n", 2, "section: is missing: the row has 3 cells"),
        ("a@b.co,,1,2,x,y\n", 2, "column 5: 'x' has no header; column 6: 'y' has no header"),
        (
            '\na@b.co,,"1,2\n',
            3,
            "line: the quote that opens in line 3, column 3, is never closed; nothing after it was read",
        ),
        (
            '"a\n@b.co",,"1""\n,2\n',
            3,
            "line: the quote that opens in line 3, column 3, is never closed; nothing after it was read",
        ),
        (
            '"a@b.co,,1,2' + "\n" + "x" * 200_000 + "\nb@b.co,,1,2\n",
            2,
            "line: the quote that opens in line 2, column 1, is never closed; nothing after it was read",
        ),
        (
            '"a@b.co,,1,2\n"eve"@b.co,,1,3\n',
            2,
            "line: cannot be read (',' expected after '\"', a quoted cell runs from line 2 to line 3)",
        ),
        ('"eve"x@b.co,,1,2\n', 2, "line: cannot be read (',' expected after '\"')"),
    ],
)
def test_what_is_wrong_is_named_by_line_column_and_cause(rows: str, line: int, error: str) -> None:
    assert read(HEADER + rows) == [(line, error)]


def test_reading_goes_on_after_a_record_that_cannot_be_read() -> None:
    assert [line for line, _ in read(HEADER + '"eve"x,,1,2\na@b.co,,1,2\n')] == [2, 3]


def test_a_file_of_too_many_records_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no more than 10,000 lines"):
        read(HEADER + "a@b.co,,1,2\n" * (MAX_RECORDS + 1))


_CELLS = st.text(string.ascii_letters + string.digits + " ,;\t'\"-@.é|\n", max_size=12).filter(
    lambda cell: not cell.strip().startswith('="')
)
_ROWS = st.lists(
    st.fixed_dictionaries(dict.fromkeys(KNOWN, _CELLS)).filter(
        lambda cells: any(cell.strip() for cell in cells.values())
    ),
    max_size=6,
)


@st.composite
def dialects(draw: st.DrawFn) -> tuple[list[Record], bytes]:
    """Records, and a file that holds them in some dialect."""
    rows, delimiter = draw(_ROWS), draw(st.sampled_from(",;\t"))
    names = draw(st.permutations(KNOWN))
    written = io.StringIO()
    if draw(st.booleans()):
        written.write(f"sep={delimiter}\r\n")
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=end)
    padding = [""] * draw(st.integers(0, 3))
    decorations: list[Callable[[str], str]] = [str, str.upper, str.title, lambda name: f" {name} "]
    decorate = draw(st.sampled_from(decorations))
    writer.writerow([decorate(name) for name in names] + padding)
    for each in rows:
        for _ in range(draw(st.integers(0, 2))):
            written.write(delimiter * draw(st.integers(0, 4)) + end)
        writer.writerow([each[name] for name in names] + padding)
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252")
    return rows, written.getvalue().encode(draw(st.sampled_from(encodings)))


@given(dialects())
def test_what_is_written_in_any_dialect_is_read_back(written: tuple[list[Record], bytes]) -> None:
    rows, content = written
    expected = [{name: cell.strip() for name, cell in each.items()} for each in rows]
    assert [found for _, found in read(content)] == expected


@given(st.text('email,;\t"\n@ x=sep', max_size=60))
@example(';"","')
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    with suppress(InvalidInputError):
        assert all(line >= 1 for line, _ in read(text))
