"""`rollcall import` without Redis and without an installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from domain.errors import ConfigurationError
from rollcall.cli.imports import EX_QUESTIONS, EX_UNREADABLE
from rollcall.cli.main import rollcall

FILES = Path(__file__).resolve().parents[2] / "imports" / "files"
AMBIGUOUS = "Date,Amount\n03/08/2026,-1.000\n"


def run(*words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(rollcall, ["import", "preflight", *words], input=given)


def test_a_file_that_decides_everything_is_shown_with_what_its_rows_mean() -> None:
    found = run(str(FILES / "preamble_bom_thousands.csv"))
    assert found.exit_code == 0, found.output
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["delimiter", "a", "semicolon"] in lines
    assert ["header", "row", "7"] in lines
    assert ["date", "format", "DMY"] in lines
    assert ["8", "2026-08-03", "-3000", "EUR", "Café", "Espresso"] in lines
    assert "skipped: is an end marker" in found.stdout


def test_questions_are_shown_and_a_profile_answers_them(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(AMBIGUOUS)
    found = run(str(file))
    assert found.exit_code == EX_QUESTIONS
    assert 'question date_format: Dates can be read in several orders. One of "DMY", "MDY".' in found.stdout
    assert 'question decimal: Separators may be decimal or group thousands. One of ".", ",".' in found.stdout
    assert "line 2: 03/08/2026 | -1.000" in found.stdout
    toml, as_json = tmp_path / "a.toml", tmp_path / "a.json"
    toml.write_text('date_format = "DMY"\ndecimal = ","\n')
    as_json.write_text('{"date_format": "DMY", "decimal": ","}')
    for profile in (toml, as_json):
        answered = run(str(file), "--profile", str(profile))
        assert answered.exit_code == 0
        assert "2026-08-03  -1000" in answered.stdout


def test_programs_get_json(tmp_path: Path) -> None:
    found = run("-", "--json", given=AMBIGUOUS)
    assert found.exit_code == EX_QUESTIONS
    shown = json.loads(found.stdout)
    assert shown["columns"] == ["Date", "Amount"]
    assert shown["samples"][0]["cells"] == ["03/08/2026", "-1.000"]
    assert [each["field"] for each in shown["questions"]] == ["date_format", "decimal"]
    assert shown["profile"] == {
        "encoding": "utf-8",
        "delimiter": ",",
        "quote": '"',
        "header_row": 1,
        "columns": {"date": "Date", "amount": "Amount"},
        "sign": "signed",
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("%PDF-1.7", "the file is a PDF"),
        ("a,b\n\0", "the file has a NUL character in line 2"),
        ("", "the file must"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(given: str, words: str) -> None:
    found = run("-", given=given)
    assert found.exit_code == EX_UNREADABLE
    assert f"rollcall: {words}" in found.stderr


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("a.toml", 'decimal = "x"', "a.toml: decimal"),
        ("a.json", '{"colour": 1}', "a.json: colour"),
        ("a.json", "[]", "a.json"),
        ("a.toml", "decimal", "a.toml"),
    ],
)
def test_a_wrong_profile_is_named_by_file_and_key(name: str, text: str, field: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    found = run("-", "--profile", str(tmp_path / name), given=AMBIGUOUS)
    assert isinstance(found.exception, ConfigurationError)
    assert [key.endswith(field) for key in found.exception.problems] == [True]
