"""Damaged files of every format: each is read, also from the middle, or refused."""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from imports.preflight import preflight
from imports.profile import Profile
from tests.imports import test_camt053, test_ofx, test_qif, test_xlsx
from tests.imports.reading import rows

FILES = [
    *(path.read_bytes() for path in sorted((Path(__file__).parent / "files").iterdir())),
    test_ofx.sgml(*(test_ofx.transaction(f"-{number}.50", str(number)) for number in range(3))).encode(),
    (test_qif.BANK + test_qif.entry("03.08'26", "-1.50") + test_qif.entry("26.08'26", "-1.000")).encode(),
    test_camt053.statement(*(test_camt053.entry(f"{number}.00") for number in range(3))).encode(),
    test_xlsx.workbook(test_xlsx.HEADER, *((test_xlsx.DAY, "a", -number) for number in range(3))),
]
_PIECES = st.sampled_from([
    *b'";,\t|<>&\r\n-(\xff\xfe\x00',
    b"</STMTTRN>", b"<STMTTRN>", b"^\n", b"!Type:Cat\n", b"1.000", b"9" * 30, b"sep=;\n", b"<![CDATA[",
    b"]]>",
])  # fmt: skip
_EDITS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 30), st.none() | _PIECES), max_size=6)


def damaged(content: bytes, edits: list[tuple[int, int, bytes | int | None]]) -> bytes:
    """The content with pieces cut out, and others put in."""
    for place, length, piece in edits:
        start = place % (len(content) + 1)
        put = b"" if piece is None else bytes([piece]) if isinstance(piece, int) else piece
        content = content[:start] + put + content[start + (length if piece is None else 0) :]
    return content


@given(st.sampled_from(FILES), _EDITS, st.integers(0, 100))
def test_any_damage_is_read_or_refused_and_reading_resumes(
    content: bytes, edits: list[tuple[int, int, bytes | int | None]], stop: int
) -> None:
    content = damaged(content, edits)
    try:
        found = preflight(io.BytesIO(content), Profile())
        again = preflight(io.BytesIO(content), found.profile)
        every = [] if found.questions else list(rows(content, found))
    except InvalidInputError:
        return
    assert found.questions or (again.profile, again.questions) == (found.profile, ())
    if every:
        place = stop % len(every)
        assert list(rows(content, found, every[place].record.after)) == every[place + 1 :]
