"""`rollcall import`: says how a file of a bank would be read, and stores nothing.

Needs neither Redis nor an installation.
"""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from domain.errors import ConfigurationError, InvalidInputError
from domain.text import one_line
from imports.delimited import DELIMITERS
from imports.preflight import Preflight, Sample, preflight
from imports.profile import Profile, parse_profile
from imports.questions import Question
from rollcall.cli.output import json_option, show

EX_QUESTIONS, EX_UNREADABLE = 1, 2
_CELL_CHARACTERS = 30
_SHOWN_COLUMNS = 20


@click.group("import")
def import_() -> None:
    """Files of banks: what they are, and what must be decided before they can be imported."""


@import_.command("preflight")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--profile",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="How to read FILE, as TOML or JSON: the answers to earlier questions.",
)
@json_option
def preflight_(file: BinaryIO, path: Path | None, *, as_json: bool) -> None:
    """Print what FILE is, its first rows, and what must be decided; - is standard input.

    Exit codes: 0 everything is decided, 1 there are questions, 2 the file cannot be read, 78 the profile must
    be corrected.
    """
    profile = Profile() if path is None else _profile(path)
    try:
        found = preflight(file if file.seekable() else io.BytesIO(file.read()), profile)
    except InvalidInputError as error:
        for name, problem in error.problems.items():
            click.echo(f"rollcall: {'the file' if name == 'body' else name} {problem}", err=True)
        sys.exit(EX_UNREADABLE)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show(found)
    sys.exit(EX_QUESTIONS if found.questions else 0)


def _profile(path: Path) -> Profile:
    """The profile in a file. Raises: ConfigurationError naming the file and each key that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        keys = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        if not isinstance(keys, dict):
            raise ConfigurationError({str(path): "must be a JSON object"})
        return parse_profile(keys)
    except (OSError, ValueError) as error:
        raise ConfigurationError({str(path): f"cannot be read ({error})"}) from error
    except InvalidInputError as error:
        raise ConfigurationError({f"{path}: {key}": why for key, why in error.problems.items()}) from error


def _show(found: Preflight) -> None:
    facts: dict[str, object] = {
        "format": found.format,
        "encoding": found.encoding,
        "delimiter": _visible(found.delimiter),
        "header row": found.header_row,
        "records": found.records,
        **{f"column {number}": name for number, name in enumerate(found.columns[:_SHOWN_COLUMNS], 1)},
        **{f"{name} is": value for name, value in found.profile.columns.items()},
        **{name: value for name, value in _decisions(found.profile).items() if value is not None},
    }
    show(({"field": name, "value": value} for name, value in facts.items()), as_json=False)
    click.echo()
    if any(sample.date for sample in found.samples):
        show(map(_read, found.samples), as_json=False)
    else:
        for sample in found.samples:
            cells = " | ".join(one_line(cell, _CELL_CHARACTERS) for cell in sample.cells[:_SHOWN_COLUMNS])
            click.echo(f"line {sample.line}: {sample.problem or cells}")
    for question in found.questions:
        click.echo(f"question {question.field}: {_sentence(question)}")


def _decisions(profile: Profile) -> dict[str, object]:
    names = ("date_format", "decimal", "grouping", "sign", "invert", "currency")
    return {name.replace("_", " "): getattr(profile, name) for name in names}


def _visible(delimiter: str | None) -> str | None:
    return DELIMITERS.get(delimiter) if delimiter else None


def _read(sample: Sample) -> dict[str, object]:
    """The columns of a sample that the profile can read."""
    said = sample.problem if sample.problem is not None else sample.description
    return {
        "line": sample.line,
        "date": sample.date,
        "amount": sample.amount,
        "currency": sample.currency,
        "description": one_line(said or "", _CELL_CHARACTERS * 2),
    }


def _sentence(question: Question) -> str:
    options = ", ".join(msgspec.json.encode(each).decode() for each in question.options)
    examples = ", ".join(one_line(each, _CELL_CHARACTERS) for each in question.examples)
    return " ".join(
        [question.message]
        + ([f"One of {options}."] if options else [])
        + ([f"For example: {examples}."] if examples else [])
    )
