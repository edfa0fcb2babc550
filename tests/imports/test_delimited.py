"""Files of delimited cells: each dialect is written here and read back, also from the middle."""

from __future__ import annotations

import csv
import io
import random
import string
import tracemalloc
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from imports.delimited import DelimitedRecords, Dialect, announced_delimiter
from imports.formats import open_file
from imports.lines import Position
from imports.table import MAX_COLUMNS, Record
from imports.text_encoding import Encoding
from imports.transactions import Row, Transactions
from tests.imports.reading import look, opened, read, rows

UTF8 = Encoding("utf-8")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "iso-8859-1")


def records(content: str | bytes | BinaryIO, dialect: Dialect = Dialect()) -> list[Record]:  # noqa: B008
    return list(DelimitedRecords(opened(content), UTF8, dialect))


def test_a_record_has_its_number_its_physical_line_and_the_position_behind_it() -> None:
    found = records('a,b\r\n\r\n"é\n\n2",c\n"1, 2" ,d')
    assert [(each.number, each.line, list(each.cells), each.after) for each in found] == [
        (1, 1, ["a", "b"], Position(1, 1, 5)),
        (2, 2, [], Position(2, 2, 7)),
        (3, 3, ["é\n\n2", "c"], Position(3, 5, 17)),
        (4, 6, ["1, 2", "d"], Position(4, 6, 26)),
    ]


def test_a_record_that_cannot_be_read_stops_no_other() -> None:
    found = records('a,b\n"x"y,c\nd,e\n')
    assert [(each.line, each.problem) for each in found] == [
        (1, None),
        (2, "cannot be read (',' expected after '\"')"),
        (3, None),
    ]


def test_an_unclosed_quote_is_named_and_ends_the_reading() -> None:
    (*_, last) = records('a,b\nc,"d\ne,f\n')
    assert (last.line, last.is_last) == (2, True)
    assert last.problem == (
        "the quote that opens in line 2, column 2, is never closed; nothing after it was read"
    )


def test_nothing_is_read_after_an_unclosed_quote_when_resumed_behind_it() -> None:
    content = 'a;b\n"c ;"d";"two\nlines";e\nf;g\n'
    (*_, last) = records(content, Dialect(";"))
    assert last.is_last
    assert not list(DelimitedRecords(opened(content), UTF8, Dialect(";"), last.after))


def test_100_000_columns_are_a_problem_of_their_record() -> None:
    first, second = records("a," * 99_999 + "a\nb,c\n")
    assert first.problem == f"has 100,000 cells; at most {MAX_COLUMNS:,} can be read"
    assert not first.cells
    assert second.cells == ["b", "c"]
    with pytest.raises(InvalidInputError, match=r"line 1: has 100,000 cells"):
        look("a," * 99_999 + "a\n")


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("sep=;\r\n", ";"),
        ("SEP=,\n", ","),
        ("sep=\t\r\n", "\t"),
        ('"sep=;"\n', ";"),
        ("sep=;;;\n", ";"),
        ("email;term", None),
        ("", None),
    ],
)
def test_a_sep_line_announces_the_delimiter(line: str, delimiter: str | None) -> None:
    assert announced_delimiter(line) == delimiter


def test_a_sep_line_of_another_delimiter_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'x'; cells must be parted by one of a comma"):
        announced_delimiter("sep=x\n")


class Repeated(io.RawIOBase):
    """A file of `count` times `row`, of which nothing is kept; it seeks."""

    def __init__(self, row: bytes, count: int) -> None:
        self._row, self._size, self._place = row, len(row) * count, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, place: int, _whence: int = 0) -> int:
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        first = self._place % len(self._row)
        size = min(size, self._size - self._place)
        self._place += size
        return (self._row * (size // len(self._row) + 2))[first : first + size]


@pytest.mark.parametrize(
    ("row", "count"), [(b"a,b\n", 500_000), (b"x" * 80, 500_000), (b'"a\nb",', 6_000_000)]
)
def test_memory_is_constant_for_any_file_of_40_mb_and_for_very_short_rows(row: bytes, count: int) -> None:
    tracemalloc.start()
    with suppress(InvalidInputError):
        for _ in DelimitedRecords(Repeated(row, count), UTF8, Dialect()):  # type: ignore[arg-type]
            pass
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 32_000_000


def test_more_records_than_the_limit_are_refused_while_streaming() -> None:
    file = Repeated(b"\n", 2_000_001)
    with pytest.raises(InvalidInputError, match="more than 2,000,000 records"):
        for _ in DelimitedRecords(file, UTF8, Dialect()):  # type: ignore[arg-type]
            pass


_TEXT = st.text(string.ascii_letters + " ,;|'\"\n.é-", min_size=1, max_size=12).map(lambda text: f"x{text}")
_AMOUNTS = st.decimals(-99_999, 99_999, places=2, allow_nan=False, allow_infinity=False)
_ROWS = st.lists(
    st.tuples(st.dates(date(2000, 1, 1), date(2030, 12, 31)), _AMOUNTS, _TEXT), min_size=3, max_size=8
)
_DECIDING = [(date(2026, 6, 26), Decimal("-14.99"), "a"), (date(2025, 12, 31), Decimal("1234.56"), "b")]
_DATES = {"DMY": "%d/%m/%Y", "MDY": "%m/%d/%Y", "YMD": "%Y-%m-%d"}
_STYLES = [(".", ","), (",", "."), (",", " "), (".", "'"), (".", ""), (",", "")]


@st.composite
def files(draw: st.DrawFn) -> tuple[list[tuple[str, Decimal]], bytes]:
    """Transactions, and a file that holds them in some dialect; two rows decide what is ambiguous."""
    given = [*draw(_ROWS), *_DECIDING]
    delimiter, order = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(list(_DATES)))
    decimal, grouping = draw(st.sampled_from(_STYLES))
    written = io.StringIO()
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    for number in range(draw(st.integers(0, 6))):
        written.write(draw(st.sampled_from(["", "Bank of Examples", f"Period {number}"])) + end)
    writer = csv.writer(
        written,
        delimiter=delimiter,
        lineterminator=end,
        quotechar=draw(st.sampled_from("\"'")),
        quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])),
    )
    writer.writerow(["Date", "Amount", "Description"])
    for day, amount, text in given:
        digits = f"{amount:,.2f}".replace(",", "g").replace(".", decimal).replace("g", grouping)
        writer.writerow([day.strftime(_DATES[order]), digits, text])
    content = written.getvalue().encode(draw(st.sampled_from(ENCODINGS)))
    return [(day.isoformat(), amount) for day, amount, _ in given], content


@given(files())
def test_what_is_written_in_any_dialect_is_read_back(
    written: tuple[list[tuple[str, Decimal]], bytes],
) -> None:
    expected, content = written
    found = read(content)
    assert found.money == expected
    assert not found.bad


@given(files(), st.randoms())
def test_reading_resumes_behind_any_row(
    written: tuple[list[tuple[str, Decimal]], bytes], dice: random.Random
) -> None:
    _, content = written
    found = look(content)
    all_rows = list(rows(content, found))
    place = dice.randrange(len(all_rows))
    assert list(rows(content, found, all_rows[place].record.after)) == all_rows[place + 1 :]


@given(st.text('date,amount;\t"\n@ 1.-', max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInputError):
        look(text)


def test_a_cell_is_found_by_the_name_of_its_column() -> None:
    content = "Date,Amount,Note,Note,\n2026-08-03,-5,a,b,c\n"
    found = look(content)
    (row,) = rows(content, found)
    assert isinstance(row, Row)
    table = Transactions(open_file(opened(content), found.profile).table, found.profile)
    assert table.raw(row.record) == {"Date": "2026-08-03", "Amount": "-5", "#3": "a", "#4": "b", "#5": "c"}
