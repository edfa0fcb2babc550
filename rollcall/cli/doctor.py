"""`rollcall doctor`: diagnoses the installation and names the fix of each problem."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click

from rollcall.cli.output import json_option, show
from rollcall.doctor import configuration, database, home, mail, messages, outside, roles, sources
from rollcall.doctor.case import InspectedSettings, load
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Finding, Status

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILURE: "red"}
_EXIT_CODES = {Status.OK: 0, Status.WARNING: 1, Status.FAILURE: 2}


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Examine settings, parts and processes, and name the fix of what is wrong. Changes nothing.

    Exit codes: 0 all is well, 1 warnings, 2 failures.
    """
    findings = _examined(load())
    if as_json:
        show(map(asdict, findings), as_json=True)
    else:
        _print(findings)
    sys.exit(max(_EXIT_CODES[finding.status] for finding in findings))


def _examined(case: InspectedSettings) -> list[Finding]:
    checks = (
        *configuration.CHECKS,
        *home.CHECKS,
        *database.CHECKS,
        *messages.checks(case),
        *mail.CHECKS,
        *sources.checks(case),
        *roles.checks(case),
        *outside.CHECKS,
    )
    return examine(checks, case, configuration.findings(case))


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(finding.id) for finding in findings)
    longest = max(map(len, Status))
    for finding in findings:
        status = click.style(f"{finding.status:<{longest}}", fg=_COLOURS[finding.status])
        click.echo(f"{status}  {finding.id:<{width}}  {finding.seen}")
        if finding.hint:
            click.echo(f"{'':{longest + width + 4}}-> {click.style(finding.hint, bold=True)}")
    counts = Counter(finding.status for finding in findings)
    click.echo(
        f"\n{counts[Status.OK]} ok, {counts[Status.WARNING]} warnings, {counts[Status.FAILURE]} failures"
    )
