"""Output of listings: aligned columns for people, `--json` for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Add `--json`, which every listing takes."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def show(rows: Iterable[Mapping[str, object]], *, as_json: bool, empty: str = "nothing to show") -> None:
    """Print `rows`, which share their columns."""
    found = [{name: _plain(value) for name, value in row.items()} for row in rows]
    if as_json:
        click.echo(json.dumps(found, indent=2, default=_plain))
    elif not found:
        click.echo(empty)
    else:
        _table(found)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error at a terminal; the callback takes done and total."""
    bar = click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
    with bar as shown:

        def advance(done: int, total: int) -> None:
            shown.length = max(1, total)
            shown.update(done - shown.pos)

        yield advance


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _table(rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    lines = [
        [name.replace("_", " ") for name in names],
        *([_cell(row[name]) for name in names] for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
