from __future__ import annotations

import codecs
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from imports.lines import MAX_RECORD_CHARACTERS, Lines, Position
from imports.text_encoding import ENCODINGS, detect_encoding

TOO_LONG = "has more than 1,048,576 characters in the record that begins in line 1"
TEXT = "email;source\nada@bücher.example;€\n"


def lines(content: bytes, start: Position = Position()) -> Lines:  # noqa: B008 - is a constant
    file = io.BytesIO(content)
    return Lines(file, detect_encoding(file), start)


def text(content: bytes) -> str:
    return "".join(lines(content))


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("windows-1252"), "windows-1252"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16-be"),
        (b"a" * 3_000_000 + b"\n" * 1000 + "é".encode("latin-1"), "windows-1252"),
        (b"a" * ((1 << 20) - 1) + "é".encode(), "utf-8"),
    ],
)
def test_the_encoding_is_detected(content: bytes, encoding: str) -> None:
    assert detect_encoding(io.BytesIO(content)).name == encoding


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]
)
def test_every_encoding_of_spreadsheets_is_read(encoding: str) -> None:
    assert text(TEXT.encode(encoding)) == TEXT


def test_latin_1_is_read() -> None:
    assert text("ada@bücher.example".encode("latin-1")) == "ada@bücher.example"


def test_a_stated_encoding_is_used() -> None:
    file = io.BytesIO("Kč,€\n".encode("windows-1250"))
    assert "".join(Lines(file, detect_encoding(file, "windows-1250"))) == "Kč,€\n"


@pytest.mark.parametrize("content", [b"", b"a", b"a\x00", b"\x00", b"email\n\x00"])
def test_a_stray_zero_makes_no_utf_16(content: bytes) -> None:
    assert detect_encoding(io.BytesIO(content)).name == "utf-8"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"email\n\xe9\n\x81", "has bytes in line 3 that are neither UTF-8 nor windows-1252"),
        (b"\xff\xfea\x00\n\x00b", "has bytes in line 2 that are neither UTF-8 nor utf-16-le"),
        ("ü\nb".encode() + b"\xff", "has bytes in line 2 that are not UTF-8, as those before are"),
        ("ü\nü".encode()[:-1], "has bytes in line 2 that are not UTF-8, as those before are"),
        ("ü\n".encode() * 90_000 + b"\xff",
         "has bytes in line 90001 that are not UTF-8, as those before are"),
        (b"a,b\nc,\0d\n", "has a NUL character in line 2"),
        (b"a\r\n" * 50_000 + b"\0", "has a NUL character in line 50001"),
        (b"x" * (MAX_RECORD_CHARACTERS + 1) + b"\n", TOO_LONG),
        (b"a\n" + b"x" * 40_000_000, TOO_LONG),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        text(content)
    assert caught.value.problems == {"body": problem}


@given(st.text("ab\r\n\x0b\x0c\x1c\x85\u2028é€😀", max_size=40), st.sampled_from(ENCODINGS[:3]))
def test_lines_end_at_line_ends_only_and_reading_resumes_behind_each(written: str, encoding: str) -> None:
    content = written.encode(encoding)
    file = io.BytesIO(content)
    known = detect_encoding(file, encoding)
    found = Lines(file, known)
    expected = io.StringIO(written, newline="").readlines()
    seen, places = [], []
    for line in found:
        found.begin_record()
        seen.append(line)
        places.append(Position(0, found.number, found.byte))
    assert seen == expected
    for number, place in enumerate(places, 1):
        assert list(Lines(io.BytesIO(content), known, place)) == expected[number:]


def test_a_line_end_across_two_blocks_is_one() -> None:
    content = b"a" * ((1 << 16) - 1) + b"\r\n" + b"b"
    assert [len(line) for line in lines(content)] == [(1 << 16) + 1, 1]


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_named(content: bytes) -> None:
    with suppress(InvalidInputError):
        assert isinstance(text(content), str)
