"""`rollcall watch check`: one section, asked about now."""

from __future__ import annotations

from dataclasses import asdict

import click

from domain.observation import Missing, Observation
from domain.section import SectionKey
from operations import section_check
from operations.section_check import SectionCheckResult
from rollcall.commands.person import shell_user
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.command()
@click.argument("source")
@click.argument("term")
@click.argument("number")
@click.option("--dry-run", is_flag=True, help="Only look: store nothing, and notify nobody.")
@json_option
def check(source: str, term: str, number: str, *, dry_run: bool, as_json: bool) -> None:
    """Ask SOURCE about the section NUMBER of TERM now, through its breaker, and show the answer.

    Without --dry-run what is found is stored, as a run would, and whoever waits for it is notified.
    """
    key = SectionKey(source, term, number)
    with open_system() as system:
        if dry_run:
            told = section_check.preview_check(system.services, key, shell_user())
        else:
            told = section_check.check(system.services, key, shell_user(), origin="cli")
    row = _row(told) | {"stored": isinstance(told, Observation) and not dry_run}
    show([row] if as_json else [{"field": k, "value": v} for k, v in row.items()], as_json=as_json)


def _row(told: SectionCheckResult) -> dict[str, object]:
    row: dict[str, object] = {"section": str(told.key), "observed_at": told.observed_at}
    if isinstance(told, Missing):
        return row | {"answer": "not found"}
    seen = {"open_seats": told.open_seats, "capacity": told.capacity, "instructor": told.instructor}
    return row | {"answer": "found"} | seen | asdict(told.details)
