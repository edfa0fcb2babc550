"""What a file is, and what a person must decide before its money can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from imports.column_evidence import ColumnEvidence
from imports.columns import candidates, column_index
from imports.formats import Format, OpenFile, open_file
from imports.profile import Profile
from imports.questions import Question, ask_columns, ask_values
from imports.table import Record, first_records
from imports.transactions import BadRow, Row, Transactions

SAMPLES: Final = 20
_SHOWN_CHARACTERS: Final = 200


class Sample(Struct, frozen=True, kw_only=True):
    """One of the first records: its cells, cut to 200 characters, and what it means once that is decided."""

    line: int
    cells: tuple[str, ...]
    date: str | None = None
    amount: str | None = None
    currency: str | None = None
    description: str | None = None
    problem: str | None = None


class Preflight(Struct, frozen=True, kw_only=True):
    """What was detected in a file.

    Shape: `profile` holds the given and the detected keys; with an answer to each of `questions` it decides
    everything. `header_row` is the line of the names, 0 without one. `records` counts all that follow,
    blank ones too.
    """

    format: Format
    encoding: str | None
    delimiter: str | None
    header_row: int | None
    columns: tuple[str, ...]
    records: int
    samples: tuple[Sample, ...]
    questions: tuple[Question, ...]
    profile: Profile


def preflight(file: BinaryIO, given: Profile) -> Preflight:
    """Read a seekable file once, and return what it is; `given` answers earlier questions.

    Raises: InvalidInputError if no reader takes the file, if it exceeds a limit, or naming each key of
    `given` that does not fit it.
    """
    opened = open_file(file, given)
    beginning = first_records(opened.table.records())
    found = candidates(opened.table.columns, beginning)
    columns, questions = ask_columns(opened, given, found, beginning)
    profile = msgspec.structs.replace(given, **opened.detected, columns=columns)
    evidence, records = _examine(opened, profile)
    profile, more = ask_values(opened, profile, evidence)
    questions = [*questions, *more]
    return Preflight(
        format=opened.format,
        encoding=profile.encoding,
        delimiter=profile.delimiter,
        header_row=profile.header_row,
        columns=opened.table.columns,
        records=records,
        samples=tuple(_samples(opened, profile, beginning[:SAMPLES], is_decided=not questions)),
        questions=tuple(questions),
        profile=profile,
    )


def _examine(opened: OpenFile, profile: Profile) -> tuple[ColumnEvidence, int]:
    names = dict(opened.table.roles) | profile.columns
    columns = opened.table.columns
    index = {role: column_index(columns, name, f"columns.{role}") for role, name in names.items()}
    evidence, count = ColumnEvidence(index), 0
    for count, record in enumerate(opened.table.records(), 1):  # noqa: B007 - the last is the number of records
        evidence.add(record)
    return evidence, count


def _samples(
    opened: OpenFile, profile: Profile, records: Sequence[Record], *, is_decided: bool
) -> list[Sample]:
    rows = Transactions(opened.table, profile) if is_decided else None
    return [_sample(record, rows) for record in records]


def _sample(record: Record, rows: Transactions | None) -> Sample:
    cells = tuple(str(cell)[:_SHOWN_CHARACTERS] for cell in record.cells)
    found = rows.read(record) if rows else None
    if rows is None or found is None:
        return Sample(line=record.line, cells=cells, problem=record.problem)
    if isinstance(found, Row):
        return Sample(
            line=record.line,
            cells=cells,
            date=found.date.isoformat(),
            amount=f"{found.amount:f}",
            currency=found.currency,
            description=found.description,
        )
    column = f"{found.column}: " if isinstance(found, BadRow) and found.column else ""
    skipped = "" if isinstance(found, BadRow) else "skipped: "
    return Sample(line=record.line, cells=cells, problem=f"{skipped}{column}{found.reason}")
