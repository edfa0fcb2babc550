"""`rollcall audit`: what operators did."""

from __future__ import annotations

import json

import click

from rollcall.output import json_option, show
from rollcall.process import open_system
from store.audit import Record


@click.group()
def audit() -> None:
    """Look at what operators did, here and in the console."""


@audit.command("ls")
@click.option("--by", help="By this person.")
@click.option("--action", help="This action, such as source.pause.")
@click.option("--subject", help="To this, such as mail, source/campus or watch/12.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(by: str | None, action: str | None, subject: str | None, limit: int, *, as_json: bool) -> None:
    """List who did what to what, the latest first."""
    with open_system() as system:
        records, _ = system.services.store.audit.page(None, limit, by=by, action=action, subject=subject)
    rows = map(_row, records)
    told = rows if as_json else ({**row, "detail": json.dumps(row["detail"])} for row in rows)
    show(told, as_json=as_json, empty="nothing of the kind was done")


def _row(record: Record) -> dict[str, object]:
    entry = record.entry
    return {
        "at": entry.at,
        "by": entry.by,
        "action": entry.action,
        "subject": entry.subject,
        "count": entry.count,
        "detail": dict(entry.detail),
    }
