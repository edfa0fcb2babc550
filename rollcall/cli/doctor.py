"""`rollcall doctor`: diagnoses the installation and names the fix of each problem."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

import click

from domain.check import Finding, Severity
from rollcall.cli.output import json_option, show
from rollcall.doctor import findings, load
from rollcall.redaction import Redactor

_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}
_EXIT_CODES = {"ok": 0, "warning": 1, "failure": 2}
Row = dict[str, str]


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Examine settings, parts and processes, and name the fix of what is wrong. Changes nothing.

    Exit codes: 0 everything is well, 1 warnings, 2 failures.
    """
    case = load()
    redact = Redactor(case.settings)
    rows = [{name: redact(text) for name, text in row.items()} for row in _rows(findings(case))]
    if as_json:
        show(rows, as_json=True)
    else:
        _print(rows)
    sys.exit(max(_EXIT_CODES[row["status"]] for row in rows))


def _rows(found: Sequence[Finding]) -> Iterable[Row]:
    """Yield a row for each failure, and one for each check without a failure."""
    for check, group in groupby(found, key=lambda finding: finding.check):
        each = list(group)
        failing = [_row(finding) for finding in each if finding.failure is not None]
        notes = "; ".join(finding.result.note for finding in each if finding.result.note)
        yield from failing or [{"id": check.name, "status": "ok", "seen": notes or "no failure", "hint": ""}]


def _row(finding: Finding) -> Row:
    failure, name = finding.failure, finding.check.name
    if failure is None:
        raise AssertionError("a finding without a failure")
    if finding.cause:
        seen = f"not examined, because {finding.cause} has failed"
        return {"id": name, "status": "warning", "seen": seen, "hint": f"fix {finding.cause} first"}
    is_failure = finding.severity is Severity.UNHEALTHY
    seen = f"{failure.subject}. {failure.detail}" if failure.detail else failure.subject
    return {
        "id": name,
        "status": "failure" if is_failure else "warning",
        "seen": seen,
        "hint": failure.command,
    }


def _print(rows: Sequence[Row]) -> None:
    width = max(len(row["id"]) for row in rows)
    longest = max(map(len, _COLOURS))
    for row in rows:
        status = click.style(f"{row['status']:<{longest}}", fg=_COLOURS[row["status"]])
        click.echo(f"{status}  {row['id']:<{width}}  {row['seen']}")
        if row["hint"]:
            click.echo(f"{'':{longest + width + 4}}-> {click.style(row['hint'], bold=True)}")
    counts = Counter(row["status"] for row in rows)
    click.echo(f"\n{counts['ok']} ok, {counts['warning']} warnings, {counts['failure']} failures")
