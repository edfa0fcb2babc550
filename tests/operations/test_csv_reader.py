from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from operations.csv_reader import Columns, CsvReader, Layout, likely_delimiter

KNOWN = ("email", "source", "term", "section", "kinds", "min_seats")
COLUMNS = Columns(KNOWN, ("email", "term", "section"))
STRICT = Columns(KNOWN, ("email", "source", "term", "section"))


@pytest.mark.parametrize(
    "header",
    [
        ["email", "term", "section", "min_seats"],
        ["E-Mail", " TERM ", "Section", "Min. Seats"],
        ["'email'", "“term”", '"section"', "min-seats"],
        ["email", "term", "section", "MINSEATS", "", " "],
    ],
)
def test_a_header_names_columns_in_many_ways(header: list[str]) -> None:
    assert COLUMNS.layout(header) == Layout(("email", "term", "section", "min_seats"), has_header=True)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (["ada@example.edu", "2261", "1"], ("email", "term", "section")),
        (["ada@example.edu", "2261", "1", "", ""], ("email", "term", "section")),
        (["ada@example.edu", "", "2261", "1"], ("email", "source", "term", "section")),
        (["ada@example.edu", "", "2261", "1", "seat_available", "2"], KNOWN),
    ],
)
def test_a_first_row_of_data_has_its_columns_in_their_order(row: list[str], names: tuple[str, ...]) -> None:
    assert COLUMNS.layout(row) == Layout(names, has_header=False)


@pytest.mark.parametrize(
    ("columns", "row", "problems"),
    [
        (COLUMNS, [], {"email", "term", "section"}),
        (COLUMNS, ["email", "color", "", "term", "term"], {"color", "column 3", "term", "section"}),
        (COLUMNS, ["Fall enrolment"], {"Fall enrolment", "email", "term", "section"}),
        (COLUMNS, ["2261", "ada@example.edu", "1"], {"header"}),
        (COLUMNS, ["ada@example.edu", "2261"], {"header"}),
        (COLUMNS, ["ada@example.edu", "", "2261", "1", "", "", "x"], {"header"}),
        (STRICT, ["ada@example.edu", "2261", "1"], {"header"}),
        (STRICT, ["email", "term", "section"], {"source"}),
    ],
)
def test_what_is_unclear_is_named(columns: Columns, row: list[str], problems: set[str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        columns.layout(row)
    assert set(caught.value.problems) == problems


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("email,term,section", ","),
        ('"email";"term";"section"', ";"),
        ("email\tterm\tsection\n", "\t"),
        ("email;kinds, and what they mean;term", ";"),
        ("ada@example.edu;;2261;1;seat_available", ";"),
        ("ada@example.edu\t2261\t1", "\t"),
        ("", ","),
    ],
)
def test_the_first_row_shows_the_delimiter(line: str, delimiter: str) -> None:
    assert likely_delimiter(line, COLUMNS) == delimiter


def test_a_workbook_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="is a workbook, such as"):
        CsvReader(b"PK\x03\x04\x14\x00", KNOWN, ())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"email,term,section\n\xe9\n\x81", "has bytes in line 3 that are neither UTF-8 nor windows-1252"),
        (b"email,term,section\na,b\0,c", "has a NUL character in line 2"),
    ],
)
def test_bytes_that_are_no_text_are_named(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        list(CsvReader(content, KNOWN, ()))
    assert caught.value.problems == {"body": problem}
