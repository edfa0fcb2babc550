from __future__ import annotations

import codecs
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from operations.csv_reader import decode

TEXT = "email;source\nada@bücher.example;€\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("windows-1252"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_every_encoding_of_spreadsheets_is_read(content: bytes) -> None:
    assert decode(content) == TEXT


def test_latin_1_is_read() -> None:
    assert decode("ada@bücher.example".encode("latin-1")) == "ada@bücher.example"


@pytest.mark.parametrize("content", [b"", b"a", b"a\x00", b"\x00", b"email\n\x00"])
def test_a_stray_zero_makes_no_utf_16(content: bytes) -> None:
    assert decode(content) == content.decode()


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook, such as .xlsx or .ods: save it as CSV"),
        (b"email\n\xe9\n\x81", "has bytes in line 3 that are neither UTF-8 nor windows-1252"),
        (b"\xff\xfea\x00\n\x00b", "has bytes in line 2 that are neither UTF-8 nor utf-16-le"),
        ("ü\nb".encode() + b"\xff", "has bytes in line 2 that are not UTF-8, as those before are"),
        ("ü\nü".encode()[:-1], "has bytes in line 2 that are not UTF-8, as those before are"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, wrong: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        decode(content)
    assert caught.value.problems == {"body": wrong}


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_named(content: bytes) -> None:
    with suppress(InvalidInputError):
        assert isinstance(decode(content), str)
