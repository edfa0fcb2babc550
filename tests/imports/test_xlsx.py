from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook

from domain.errors import InvalidInputError
from imports import xlsx
from imports.formats import Format
from tests.imports.reading import asked, look, read, rows

HEADER = ("Date", "Description", "Amount")
DAY = datetime(2026, 8, 3, 12, 0)  # noqa: DTZ001 - a workbook has no zones


def workbook(*given: tuple[Any, ...]) -> bytes:
    book = Workbook()
    for row in given:
        book.active.append(row)
    return saved(book)


def saved(book: Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def replaced(content: bytes, part: str, old: str, new: str, *, times: int = 1) -> bytes:
    """The workbook with `old` replaced by `new` in one of its parts."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            text = source.read(name)
            if name == part:
                assert re.search(old.encode(), text)
                text = re.sub(old.encode(), new.encode() * times, text, count=1)
            target.writestr(name, text)
    return file.getvalue()


def test_numbers_and_dates_are_typed_and_need_no_question() -> None:
    found = read(workbook(HEADER, (DAY, "Café", -1.1), (DAY.date(), "x", 1000), (DAY, "y", 0.1 + 0.2)))
    assert (found.found.format, found.found.header_row) == (Format.XLSX, 1)
    assert found.amounts == ["-1.1", "1000", "0.3"]
    assert {row.date for row in found.rows} == {date(2026, 8, 3)}
    assert found.rows[0].description == "Café"


def test_a_header_below_a_preamble_is_found_and_totals_are_skipped() -> None:
    content = workbook(("My bank",), (), ("Period", "August"), HEADER, (DAY, "a", -5), ("Total", None, -5))
    found = read(content)
    assert found.found.header_row == 4
    assert found.amounts == ["-5"]
    assert [(row.record.line, row.reason) for row in found.skipped] == [(6, "is a total or a balance")]


def test_texts_in_cells_are_questions_as_in_any_file() -> None:
    assert asked(workbook(HEADER, ("03/08/2026", "a", "-1.000"))) == ["date_format", "decimal"]
    found = read(workbook(HEADER, ("03/08/2026", "a", "-1.000"), ("26/06/2026", "a", "-2,50")))
    assert found.amounts == ["-1000", "-2.50"]


def test_wrong_types_are_errors_of_their_row() -> None:
    found = read(workbook(HEADER, (DAY, "a", -1), (45_000, "b", -2), (DAY, "c", DAY), (DAY, "d", True)))
    assert found.errors == [
        (3, "Date", "45000 is a number, not a date"),
        (4, "Amount", "2026-08-03 is a date, not an amount"),
        (5, "Amount", "'TRUE' is not an amount with the decimal separator '.'"),
    ]


def test_the_first_visible_sheet_is_read() -> None:
    book = Workbook()
    book.active.sheet_state = "hidden"
    sheet = book.create_sheet("August")
    sheet.append(HEADER)
    sheet.append((DAY, "a", -5))
    assert read(saved(book)).amounts == ["-5"]


def test_a_wrong_size_in_the_sheet_hides_no_cell() -> None:
    content = workbook(HEADER, (DAY, "a", -5))
    content = replaced(content, "xl/worksheets/sheet1.xml", '<dimension ref="[^"]*"', '<dimension ref="A1"')
    assert read(content).amounts == ["-5"]


def test_reading_resumes_behind_a_row() -> None:
    content = workbook(HEADER, *((DAY, "a", -number) for number in range(1, 50)))
    found = look(content)
    every = list(rows(content, found))
    assert list(rows(content, found, every[30].record.after)) == every[31:]


def test_a_row_that_claims_to_be_the_last_is_stopped_by_the_limit() -> None:
    content = replaced(
        workbook(HEADER, (DAY, "a", -5)), "xl/worksheets/sheet1.xml", '<row r="2"', '<row r="999999999"'
    )
    with pytest.raises(InvalidInputError, match="more than 2,000,000 records"):
        look(content)


def test_a_part_that_unpacks_to_more_than_the_limit_is_refused_unread() -> None:
    content = replaced(workbook(HEADER), "xl/styles.xml", "^", " " * 1024, times=xlsx.MAX_PART_BYTES // 1024)
    assert len(content) < 1_000_000
    with pytest.raises(InvalidInputError, match="has a part of more than 64 MB, xl/styles"):
        look(content)


def test_a_document_type_is_refused() -> None:
    content = replaced(
        workbook(HEADER), "xl/workbook.xml", "<workbook", '<!DOCTYPE x [<!ENTITY a "a">]><workbook'
    )
    with pytest.raises(InvalidInputError, match="has a document type"):
        look(content)


def archive(**parts: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, text in parts.items():
            target.writestr(name, text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            archive(mimetype="application/vnd.oasis.opendocument.spreadsheet"),
            "is an archive, but no .xlsx workbook",
        ),
        (archive(**{"[Content_Types].xml": "<Types/>"}), "is a damaged workbook"),
        (archive(**{"[Content_Types].xml": "<Types"}), "is a damaged workbook"),
        (workbook(HEADER)[:2000], "is a damaged workbook"),
        (workbook(), "has no cells in its first sheet"),
        (
            archive(**{"[Content_Types].xml": ""} | {str(number): "" for number in range(1_000)}),
            "more than 1,000 parts",
        ),
    ],
)
def test_an_archive_that_cannot_be_read_says_why(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        look(content)


def test_a_workbook_with_damaged_bytes_is_refused_and_never_crashes() -> None:
    content = workbook(HEADER, *((DAY, f"row {number}", -number) for number in range(1, 30)))
    for place in range(0, len(content), 97):
        damaged = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        with suppress(InvalidInputError):
            look(damaged)


def test_openpyxl_is_imported_only_for_a_workbook() -> None:
    code = "import sys, imports.preflight; print('openpyxl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
