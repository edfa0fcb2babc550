"""Reads a file as the import does: a preflight, the answers, then the rows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import BinaryIO

from imports.formats import open_file
from imports.lines import BEGINNING, Position
from imports.preflight import Preflight, preflight
from imports.profile import parse_profile
from imports.transactions import BadRow, Row, SkippedRow, Transactions


@dataclass
class Read:
    """What a file yields."""

    found: Preflight
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)

    @property
    def money(self) -> list[tuple[str, Decimal]]:
        """The date and the amount of each row."""
        return [(row.date.isoformat(), row.amount) for row in self.rows]

    @property
    def amounts(self) -> list[str]:
        """The amounts of the rows, as text."""
        return [str(row.amount) for row in self.rows]

    @property
    def errors(self) -> list[tuple[int, str, str]]:
        """Line, column and reason of each bad row."""
        return [(row.record.line, row.column, row.reason) for row in self.bad]


def look(content: str | bytes | BinaryIO, **keys: object) -> Preflight:
    """The preflight of `content` with the keys of a profile."""
    return preflight(opened(content), parse_profile(keys))


def asked(content: str | bytes, **keys: object) -> list[str]:
    """The fields that the preflight asks for."""
    return [question.field for question in look(content, **keys).questions]


def read(content: str | bytes | BinaryIO, **keys: object) -> Read:
    """The rows of `content`, about which no question may be open."""
    found = look(content, **keys)
    assert not found.questions
    result = Read(found)
    for row in rows(content, found):
        kind: list[object] = {Row: result.rows, BadRow: result.bad, SkippedRow: result.skipped}[type(row)]  # type: ignore[assignment]
        kind.append(row)
    return result


def rows(
    content: str | bytes | BinaryIO, found: Preflight, start: Position = BEGINNING
) -> Iterator[Row | BadRow | SkippedRow]:
    """The rows from a position, by the profile of a preflight."""
    return Transactions(open_file(opened(content), found.profile).table, found.profile).rows(start)


def opened(content: str | bytes | BinaryIO) -> BinaryIO:
    """The content as a file."""
    if isinstance(content, str):
        return io.BytesIO(content.encode())
    return io.BytesIO(content) if isinstance(content, bytes) else content
